"""wrk: its command line, and what its Lua script (``fixtures/load/wrk.lua``) wrote down.

wrk exits 0 whatever happened and lumps all statuses above 399 together; the script's result file is therefore the
only source, and a missing or torn one means that the load has failed.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from harness.model import Answers, Cell

TOOL = "wrk"
SCRIPT = "wrk.lua"
RESULT_VARIABLE = "RECYCLE_HARNESS_LOAD_RESULT"
LEDGER_VARIABLE = "RECYCLE_HARNESS_LEDGER"
THREADS_VARIABLE = "RECYCLE_HARNESS_LOAD_THREADS"
BUCKET_NS = 10_000_000
_ANSWERS = re.compile(r"answers (\d+) (\d+) (\d+)")
_SUMMARY = re.compile(
    r"summary requests=\d+ connect=(?P<connect>\d+) read=(?P<read>\d+) write=(?P<write>\d+) timeout=(?P<timeout>\d+)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrkResult:
    """The script's result: all requests, statuses in buckets of 10 ms, and wrk's own error counts."""

    requests: int
    statuses: Counter[str]
    errors: Counter[str]
    answers: tuple[Answers, ...]


def ledger_environment(cell: Cell, prefix: str) -> dict[str, str]:
    """What makes the script give each request an id and write its account to ``prefix`` and what follows."""
    return {LEDGER_VARIABLE: prefix, THREADS_VARIABLE: str(_threads(cell))}


def render_command(program: str, cell: Cell, *, url: str, script: str) -> list[str]:
    """The argv: threads, connections and an upper bound of seconds as in the original report, and the script."""
    seconds = max(1, round(cell.duration_s))
    return [program, f"-t{_threads(cell)}", f"-c{cell.connections}", f"-d{seconds}s", "-s", script, url]


def _threads(cell: Cell) -> int:
    return min(cell.load_threads, cell.connections)


def parse_result(text: str) -> WrkResult | None:
    """The result file, or None where it is torn or empty: another line in it, or the summary not whole at its end."""
    buckets: defaultdict[int, Counter[str]] = defaultdict(Counter)
    *lines, last = text.splitlines() or [""]
    ended = _SUMMARY.fullmatch(last)
    if ended is None or not text.endswith("\n"):
        return None
    for line in lines:
        row = _ANSWERS.fullmatch(line)
        if row is None:
            return None
        buckets[int(row[1])][row[2]] += int(row[3])
    summary = {name: int(count) for name, count in ended.groupdict().items()}
    statuses: Counter[str] = sum(buckets.values(), Counter())
    errors = Counter(closed=summary["read"] + summary["write"], timeout=summary["timeout"], refused=summary["connect"])
    answers = tuple(Answers(at_ns=at * BUCKET_NS, outcomes=dict(buckets[at])) for at in sorted(buckets))
    return WrkResult(requests=sum(statuses.values()), statuses=statuses, errors=errors, answers=answers)
