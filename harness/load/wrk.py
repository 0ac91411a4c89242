"""wrk: its command line, and what its Lua script (``fixtures/load/wrk.lua``) wrote down.

wrk exits 0 whatever happened and lumps all statuses above 399 together; the script's result file is therefore the
only source, and a missing or torn one means that the load has failed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from harness.model import Answers, Cell

TOOL = "wrk"
SCRIPT = "wrk.lua"
RESULT_VARIABLE = "RECYCLE_HARNESS_LOAD_RESULT"
BUCKET_NS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WrkResult:
    """The script's result: all requests, statuses in buckets of 10 ms, and wrk's own error counts."""

    requests: int
    statuses: Counter[str]
    errors: Counter[str]
    answers: tuple[Answers, ...]


def render_command(program: str, cell: Cell, *, url: str, script: str) -> list[str]:
    """The argv: threads, connections and an upper bound of seconds as in the original report, and the script."""
    seconds = max(1, round(cell.duration_s))
    threads = min(cell.load_threads, cell.connections)
    return [program, f"-t{threads}", f"-c{cell.connections}", f"-d{seconds}s", "-s", script, url]


def parse_result(text: str) -> WrkResult | None:
    """The result file, or None where its summary line is missing (the file is then torn or empty)."""
    buckets: defaultdict[int, Counter[str]] = defaultdict(Counter)
    summary: dict[str, int] | None = None
    for line in text.splitlines():
        word, *rest = line.split()
        if word == "answers":
            bucket, status, count = rest
            buckets[int(bucket)][status] += int(count)
        elif word == "summary":
            summary = {name: int(count) for name, _, count in (pair.partition("=") for pair in rest)}
    if summary is None:
        return None
    statuses: Counter[str] = sum(buckets.values(), Counter())
    errors = Counter(closed=summary["read"] + summary["write"], timeout=summary["timeout"], refused=summary["connect"])
    answers = tuple(Answers(at_ns=at * BUCKET_NS, outcomes=dict(buckets[at])) for at in sorted(buckets))
    return WrkResult(requests=sum(statuses.values()), statuses=statuses, errors=errors, answers=answers)
