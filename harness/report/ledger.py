"""What became of the requests, in words: turns the stored ledger into the text that the reports share."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.model import Json
from harness.report.fields import items, line, mapping, number, text

WORDS: Mapping[str, str] = {
    "answered": "answered",
    "failed_before_gunicorn": "failed before gunicorn ran them (safe to retry)",
    "failed_after_gunicorn": "failed after gunicorn had run them (the answer was lost: unsafe to retry)",
    "failed_unknown": "failed, and nobody knows whether gunicorn had run them",
    "run_twice": "run twice (the proxy or the client tried again)",
    "never_answered": "never answered (hung)",
    "under_way_at_end": "under way when the load ended",
    "unexplained": "UNEXPLAINED",
}
"""In the order in which they are told; the keys are those of ``counts.ledger``."""

EXPECTED = {"answered", "under_way_at_end"}
"""What needs no example."""


def ledger_lines(verdict: Mapping[str, Json]) -> list[tuple[str, str]]:
    """(how many, what became of them), with the ids of a few; nothing where no ledger was kept."""
    ledger = mapping(verdict, "counts", "ledger")
    rows = []
    for fate, words in WORDS.items():
        count = number(ledger, fate)
        if count:
            named = [_example(one) for one in items(ledger, "examples", fate)] if fate not in EXPECTED else []
            rows.append((f"{count:,}", words + (f": {'; '.join(named)}" if named else "")))
    return rows


def ledger_sentence(verdict: Mapping[str, Json]) -> str | None:
    """Whether the accounts add up, in one sentence; None where no ledger was kept."""
    ledger = mapping(verdict, "counts", "ledger")
    requests = number(ledger, "requests")
    if requests is None:
        return None
    witnesses = mapping(ledger, "witnesses")
    who = ["client", *(name for name in ("proxy", "gunicorn", "app") if witnesses.get(name) is True)]
    said = f"the accounts of {', '.join(who[:-1])} and {who[-1]}" if len(who) > 1 else "the client's account"
    return ledger_alarm(verdict) or f"Each of {requests:,} requests is accounted for, by {said}"


def ledger_alarm(verdict: Mapping[str, Json]) -> str | None:
    """The sentence that must not be overlooked; None where the accounts add up, or there are none."""
    ledger = mapping(verdict, "counts", "ledger")
    unexplained = number(ledger, "unexplained")
    if not unexplained:
        return None
    return (
        f"THE LEDGERS DON'T ADD UP: {unexplained:,} of {number(ledger, 'requests') or 0:,} requests are unexplained, "
        "so that the counts of this run can't be trusted"
    )


def _example(example: Json) -> str:
    """``w1846 (client closed, proxy 502, gunicorn 200 from worker 4711)``."""
    workers = [str(pid) for pid in items(example, "workers") if isinstance(pid, int)]
    said = [f"{who} {text(example, who)}" for who in ("client", "proxy", "gunicorn") if text(example, who, default="")]
    if workers:
        said.append(f"run by {' and '.join(workers)}")
    why = text(example, "why", default="")
    return line(f"{text(example, 'id')} ({', '.join(said)}{': ' + why if why else ''})")
