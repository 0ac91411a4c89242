"""What the scenario ``leak`` tells its reader: one sentence, two tables, a recommendation. Words only, no judging."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.model import Cell, Json, State
from harness.judge.scenarios.bound import Bound, Leak, Recommendation, mb
from harness.judge.scenarios.memory import Growth

WITHOUT, WITH = "without", "with"
"""The names of the arms."""


def tell_answer(cell: Cell, growth: Growth, state: State, peak_bytes: int | None, bound: Bound | None) -> str:
    """The scenario's first sentence. ``state``: of the memory with restarts; ``peak_bytes``: the most it was then."""
    if state is State.VIOLATED:
        return f"memory grows without a bound although workers should restart after {cell.max_requests:,} requests"
    if state is State.UNKNOWN or growth.state is State.UNKNOWN or peak_bytes is None or bound is None:
        return "no clear answer about the memory"
    if growth.state is State.HOLDS:
        most = growth.most_per_request or 0.0
        return f"no leak was found (less than {most:,.0f} bytes a request): memory stays in bounds either way"
    sizes = f"{mb(peak_bytes)} at most, {mb(bound.promised_bytes)} promised"
    return f"memory stays in bounds with max_requests {cell.max_requests:,} ({sizes}); without, it grows on and on"


def tabulate(
    cell: Cell, growth: Growth, leak: Leak | None, bound: Bound | None, arms: Mapping[str, Mapping[str, Json]]
) -> list[dict[str, Json]]:
    """The tables of the reports: both arms side by side, and the app. ``arms``: what was measured, by arm."""
    rows: list[list[str]] = [
        ["max_requests", "none", f"{cell.max_requests:,} + 0 to {cell.max_requests_jitter:,}"],
        *(
            [title, *(_size(arms.get(arm, {}).get(name)) for arm in (WITHOUT, WITH))]
            for title, name in (
                ("at the start of the load", "first_bytes"),
                ("at its end", "last_bytes"),
                ("at most", "peak_bytes"),
            )
        ),
        ["promised by the settings", "no bound", _size(None if bound is None else bound.promised_bytes)],
        ["pages of files besides, at most", *(_size(arms.get(arm, {}).get("file_bytes")) for arm in (WITHOUT, WITH))],
        ["requests", *(_count(arms.get(arm, {}).get("requests")) for arm in (WITHOUT, WITH))],
        ["restarts", *(_count(arms.get(arm, {}).get("recycles")) for arm in (WITHOUT, WITH))],
        ["verdict on the memory", *(str(arms.get(arm, {}).get("memory", "never ran")) for arm in (WITHOUT, WITH))],
    ]
    title = "Memory of arbiter and workers (PSS without the pages of files)"
    tables: list[dict[str, Json]] = [{"title": title, "head": ["", WITHOUT, WITH], "rows": rows}]
    if leak is not None:
        app = [
            ["one worker before its first request, nothing shared", mb(leak.base_bytes)],
            ["the arbiter", mb(leak.arbiter_bytes)],
            *_leak_rows(growth),
        ]
        tables.append({"title": "The app", "head": ["", "measured"], "rows": app})
    return tables


def _leak_rows(growth: Growth) -> list[list[str]]:
    line = growth.line
    if growth.state is State.VIOLATED and line is not None:
        return [
            ["the leak a request", f"{line.slope:,.0f} bytes"],
            ["with 95 % confidence", f"{line.low:,.0f} to {line.high:,.0f} bytes"],
        ]
    most = f"{growth.most_per_request:,.0f} bytes"
    return [["the leak a request", "none found"], ["with 95 % confidence below", most]]


def _size(value: object) -> str:
    return mb(value) if isinstance(value, int | float) else "unknown"


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "unknown"


def advise(advice: Recommendation | None, workers: int) -> list[str]:
    """The recommendation in a sentence; nothing where none was asked for."""
    if advice is None:
        return []
    asked = f"To stay below {mb(advice.limit_bytes)} with {workers} workers:"
    if advice.max_requests is None:
        return [f"{asked} {advice.reason}."]
    wanted = f"max_requests = {advice.max_requests}, max_requests_jitter = {advice.max_requests_jitter}"
    return [f"{asked} {wanted} ({advice.reason}; reckoned with the leak's upper bound)."]
