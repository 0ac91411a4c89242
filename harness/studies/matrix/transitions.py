"""The transition map: between which releases a rate changed, and between which that can't be told yet.

Pure. It goes by the dates of the releases, not by their numbers: 19.10.0 came after 20.0.0. Each release is compared
with the one before it that said something about the finding; one that was hidden by another fault, or not tried, never
begins or ends anything, and is named where it stands at an edge. A change is claimed only where chance can't explain
it, corrected for all comparisons that the table allows, seen or not: all findings, at each pair of neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum

from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.studies.chance.difference import RunSample, correct, count_lacking, p_value
from harness.studies.matrix.rates import share_of_restarts, tally
from harness.studies.matrix.result import CellResult, Column, order_of_finding

SURE = 0.99
"""How sure all claims of a map are together, unless --sure says otherwise."""

MEASURES_EACH = 32
"""At each pair of neighbours every finding is looked at, and the share of the restarts that lose something.

More than there are today, so that a finding that is added later does not change what a stored matrix claims.
"""

NOTABLE = 0.25
"""Shares of restarts that differ by so much or more are listed as undecided; those of any two runs differ somewhat."""


class Measure(str, Enum):
    """What is compared: in how many runs a finding was seen, or at how many of their restarts something was lost."""

    RUNS = "runs"
    RESTARTS = "restarts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of an edge."""

    release: str
    day: str
    sample: RunSample


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A difference between two releases that follow each other. ``silent``: those between them that said nothing.

    ``more_runs``: how many more of each side would decide it, if they go on like this; None where it is decided, or no
    number would do.
    """

    worker: str
    proxy: str
    disturb: str
    finding: str
    measure: Measure
    before: Side
    after: Side
    silent: tuple[str, ...]
    p_value: float
    supported: bool = False
    more_runs: int | None = None

    @property
    def introduced_in(self) -> str | None:
        """The release that brought it, where the one before did not have it at all."""
        return None if self.before.sample.seen else self.after.release

    @property
    def gone_in(self) -> str | None:
        """The release that no longer has it."""
        return None if self.after.sample.seen else self.after.release


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionMap:
    """What is claimed, with ``sure`` for all of it together; what is undecided; and how many edges were looked at."""

    supported: tuple[Transition, ...] = ()
    undecided: tuple[Transition, ...] = ()
    looked_at: int = 0
    sure: float = SURE


def find_transitions(cells: Sequence[CellResult], *, sure: float = SURE) -> TransitionMap:
    """The map of a table, in the order of workers, proxies and findings. Cells of no known release are left out."""
    columns = [column for column in date_columns(cells).values() if column]
    looked_at = sum(len(column) - 1 for column in columns) * MEASURES_EACH
    found = [edge for column in columns for edge in _find_edges(column)]
    corrected = correct([edge.p_value for edge in found], looked_at)
    decided = [replace(edge, p_value=p, supported=p <= 1 - sure) for edge, p in zip(found, corrected, strict=True)]
    undecided = [
        replace(edge, more_runs=count_lacking(edge.before.sample, edge.after.sample, (1 - sure) / looked_at))
        for edge in decided
        if not edge.supported and (edge.measure is Measure.RUNS or _gap(edge) >= NOTABLE)
    ]
    return TransitionMap(
        supported=tuple(edge for edge in decided if edge.supported),
        undecided=tuple(undecided),
        looked_at=looked_at,
        sure=sure,
    )


def date_columns(cells: Sequence[CellResult]) -> dict[Column, list[CellResult]]:
    """The released cells of each column, by date; those of one day in the order in which they are given."""
    columns: dict[Column, list[CellResult]] = {cell.column: [] for cell in cells}
    for cell in sorted((cell for cell in cells if cell.released), key=lambda cell: cell.released or ""):
        columns[cell.column].append(cell)
    return columns


def _find_edges(column: Sequence[CellResult]) -> Iterator[Transition]:
    """Each pair of neighbours whose rates are not the same, with its own p-value."""
    seen = sorted({finding for cell in column for finding in cell.folded.findings}, key=order_of_finding)
    for finding in seen:
        yield from _compare(column, finding, Measure.RUNS)
        if finding == FindingId.FAILED_RESPONSES.value:
            yield from _compare(column, finding, Measure.RESTARTS)


def _compare(column: Sequence[CellResult], finding: str, measure: Measure) -> Iterator[Transition]:
    before: Side | None = None
    silent: list[str] = []
    for cell in column:
        sample = measure_cell(cell, finding, measure)
        if not sample.runs:
            silent.append(cell.release)
            continue
        after = Side(release=cell.release, day=cell.released or "", sample=sample)
        if before is not None and before.sample.rate != sample.rate:
            yield Transition(
                worker=cell.worker,
                proxy=cell.proxy,
                disturb=cell.disturb,
                finding=finding,
                measure=measure,
                before=before,
                after=after,
                silent=tuple(silent),
                p_value=p_value(before.sample, sample),
            )
        before, silent = after, []


def _gap(edge: Transition) -> float:
    return abs(edge.after.sample.rate - edge.before.sample.rate)


def measure_cell(cell: CellResult, finding: str, measure: Measure) -> RunSample:
    """What a cell says of a finding; no run where it says nothing."""
    return tally(cell.runs, finding, cell.blind) if measure is Measure.RUNS else share_of_restarts(cell.runs)
