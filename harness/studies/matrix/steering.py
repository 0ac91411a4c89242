"""Which cells to run next, so that a table is sure with as few runs as possible. Pure.

First every cell gets one run. Then runs go to the cells on both sides of an edge that some more of them would decide,
the nearest to a decision first; then to cells of which it isn't settled what they show. A cell is settled by the
sequential test of ``chance.verdicts``, an edge by that of ``transitions``: both keep their error rates however often
one looks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.core.frozen import dataclass
from harness.core.model import Outcome
from harness.studies.chance.difference import RunSample
from harness.studies.chance.verdicts import count_lacking_runs
from harness.studies.matrix.rates import JUDGED, tally
from harness.studies.matrix.result import CellResult
from harness.studies.matrix.transitions import Transition, TransitionMap

FAR = 40
"""An edge that needs more runs of each side than these is left undecided: it would take them from many others."""

MOST_OF_A_CELL = 120
"""No cell is run more often: what still isn't settled then never will be at a bearable price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """About ``runs`` more runs of the cell called ``name`` would settle something: an edge, or what it shows."""

    name: str
    runs: int
    at_edge: bool


def find_needs(
    cells: Sequence[CellResult], found: TransitionMap, *, exhausted: Collection[str] = ()
) -> tuple[Need, ...]:
    """What to run next: one run of each cell that is named, in this order; nothing where all is settled.

    ``exhausted``: cells that may not be run again, such as those that reach no verdict.
    """
    fit = [
        cell
        for cell in cells
        if cell.folded.outcome is not Outcome.UNRUNNABLE
        and cell.name not in exhausted
        and len(cell.runs) < MOST_OF_A_CELL
    ]
    new = [cell for cell in fit if not cell.runs]
    if new:
        return tuple(Need(name=cell.name, runs=1, at_edge=False) for cell in new)
    needs = _needs_of_edges(fit, found.undecided) or [
        Need(name=cell.name, runs=lacking, at_edge=False)
        for cell in fit
        if (lacking := count_lacking_of_cell(cell, sure=found.sure))
    ]
    return tuple(sorted(needs, key=lambda need: need.runs))


def count_lacking_of_cell(cell: CellResult, *, sure: float) -> int:
    """About how many more runs settle what a cell shows; 0 where that is settled, or it can't be run.

    Each finding that it has shown must be settled; where it has shown none, that there is none.
    """
    if cell.folded.outcome is Outcome.UNRUNNABLE:
        return 0
    judged = sum(run.outcome in JUDGED for run in cell.runs)
    samples = [tally(cell.runs, finding, cell.blind) for finding in cell.folded.findings]
    return max(
        count_lacking_runs(int(sample.seen), sample.runs, sure=sure)
        for sample in samples or [RunSample(seen=0, runs=judged)]
    )


def _needs_of_edges(cells: Sequence[CellResult], undecided: Sequence[Transition]) -> list[Need]:
    """Both sides of each edge that is near enough to a decision."""
    names = {(*cell.column, cell.release): cell.name for cell in cells}
    needs: dict[str, int] = {}
    for edge in undecided:
        if edge.more_runs is None or edge.more_runs > FAR:
            continue
        for side in (edge.before, edge.after):
            name = names.get((edge.worker, edge.proxy, edge.disturb, side.release))
            if name is not None:
                needs[name] = min(edge.more_runs, needs.get(name, edge.more_runs))
    return [Need(name=name, runs=runs, at_edge=True) for name, runs in needs.items()]
