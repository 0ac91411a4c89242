"""When a release is called safe: the one rule for every page and answer that says so. Pure.

Safe is what was looked at and lost nothing. A run without a verdict, settings that can't show every loss, or a failed
request that nothing explains leave it unknown, whatever else the runs showed.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.judge.blind_spots import list_seldom_seen
from harness.studies.matrix.rates import JUDGED
from harness.studies.matrix.result import CellResult

HARMLESS = frozenset({FindingId.RECYCLED_LATE.value, FindingId.SOCKET_LEFT_BEHIND.value})
"""What costs no request: a restart that comes late, and a file that the next start replaces."""


class Safety(str, Enum):
    """What is known of a release with a worker class behind a proxy."""

    SAFE = "safe"
    BREAKS = "breaks"
    UNKNOWN = "unknown"
    UNRUNNABLE = "unrunnable"


def judge_safety(
    verdict: Outcome, *, seen: Collection[str], failed: int, undecided: int, blind: Collection[str]
) -> Safety:
    """What runs say together: the findings that they showed, the requests that failed, and what they can't say.

    ``undecided``: how many runs reached no verdict; ``blind``: findings that the settings can't show, or show seldom.
    """
    if verdict is Outcome.UNRUNNABLE:
        return Safety.UNRUNNABLE
    if set(seen) - HARMLESS:
        return Safety.BREAKS
    silent = verdict not in JUDGED or undecided or set(blind) - set(seen)
    return Safety.UNKNOWN if silent or failed else Safety.SAFE


def judge_cell(cell: CellResult) -> Safety:
    """The same of a cell of a matrix; its settings may show a finding too seldom for that."""
    return judge_safety(
        cell.folded.outcome,
        seen=cell.folded.findings,
        failed=sum(run.failed or 0 for run in cell.runs),
        undecided=sum(run.outcome not in JUDGED for run in cell.runs),
        blind=[*list_hardly_seen(cell), *(finding for run in cell.runs for finding in run.untold)],
    )


def list_hardly_seen(cell: CellResult) -> tuple[str, ...]:
    """The findings that its settings can't show, or show seldom."""
    return tuple(dict.fromkeys((*cell.blind, *list_seldom_seen(cell.worker, cell.cell))))
