"""Where gunicorn's access log contradicts both the app and the client of a request that succeeded. Pure.

A request that failed may be logged in any way, and a worker that was killed logs nothing. But where the app ran a
request once and its client got a whole answer, one line with that status is what there must be: where many requests
have another, the log tells nothing of how much a worker served either.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from harness.core.model import Json, is_failure
from harness.judge.ledger.endings import LedgerEntry, Witnesses

AGREED = ""

OTHER_PROCESS = "other_process"

MEANINGS: Mapping[str, str] = {
    "logged_twice": "has {count:,} requests more than once that the app ran once",
    "not_logged": "lacks {count:,} requests that the app ran and whose clients were answered",
    "other_status": "gives {count:,} requests another status than their clients got",
    OTHER_PROCESS: "names a process for {count:,} requests in which the app never ran",
}
"""What each kind of disagreement says of gunicorn's access log."""

FEW = 10
FEW_SHARE = 0.02
"""So many requests, or so small a share of them, say nothing: a worker that is killed may die between answer and line.

Of 70 patched releases (``tests/mutants``), one that drops its connections at each restart had 5 of 696 such requests
(and 19 in another run, which is why each worker that ended may lack what it had in hand), one whose arbiter fails 1 of
261, the others none; four whose access log is wrong had two thirds of them and more.
"""


def find_disagreement(entry: LedgerEntry, witnesses: Witnesses) -> str:
    """A key of MEANINGS, or AGREED."""
    client = entry.client or ""
    if not (witnesses.logged and witnesses.noted and client.isdigit()) or is_failure(client) or entry.notes != 1:
        return AGREED
    if entry.lines == 0:
        return "not_logged"
    if entry.lines > 1:
        return "logged_twice"
    return "other_status" if entry.gunicorn != client else AGREED


def count_strange(by_pid: Mapping[int, int], noted: Collection[int]) -> int:
    """How many lines of the access log name a process in which the app was never at work."""
    return sum(lines for pid, lines in by_pid.items() if pid not in noted)


def describe_disagreements(ledger: Mapping[str, Json] | None, *, unlogged: int = 0) -> tuple[str, ...]:
    """Why a closed ledger makes a record one that can't be believed; none where it does not. Older ones don't say.

    ``unlogged``: so many lines the workers that ended may have kept to themselves: what each had in hand.
    """
    said, counts = (ledger or {}).get("disagreements"), (ledger or {}).get("counts")
    if not isinstance(said, Mapping) or not isinstance(counts, Mapping):
        return ()
    requests = counts.get("requests")
    few = max(FEW, FEW_SHARE * (requests if isinstance(requests, int) else 0))
    allowed = {kind: few + (unlogged if kind == "not_logged" else 0) for kind in MEANINGS}
    found = ((kind, count) for kind in MEANINGS if isinstance(count := said.get(kind), int) and count > allowed[kind])
    return tuple(
        f"the record contradicts itself: gunicorn's access log {MEANINGS[kind].format(count=count)}"
        for kind, count in found
    )
