"""Two ends of a change, run side by side: which run is next, and when enough was seen. Pure.

Looking after each run, and running the place that looks worst once more, is allowed: the test of ``chance.difference``
is valid at any moment, whoever chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from harness.core.cells import CONTRACT_KEYS, cell_to_json
from harness.core.frozen import dataclass
from harness.core.model import Cell, Outcome
from harness.judge.blind_spots import list_unseen
from harness.studies.diff.comparison import Comparison, Difference, compare_cells
from harness.studies.matrix.expectations import HOLDS
from harness.studies.matrix.result import Agreement, CellResult, RunResult, choose_runs, combine_runs
from harness.studies.matrix.transitions import NOTABLE, Measure

ROUNDS = 3
"""Each end runs so often at every place before it is looked closer at what may be worse."""

RETRIES = 2
"""So many runs more where some reached no verdict."""


class End(str, Enum):
    """The two ends of a change."""

    BASELINE = "baseline"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What both ends are run with."""

    worker: str
    disturb: str


Key = tuple[End, Place]
Runs = Mapping[Key, Sequence[RunResult]]


def choose_next(places: Sequence[Place], runs: Runs, found: Comparison) -> Place | None:
    """The place to run next, once at each end; None where nothing is left to be found out."""
    if found.worse:
        return None
    suspects = sorted((one for one in found.undecided if is_suspect(one)), key=lambda one: one.p_value)
    clear = [one for one in suspects if not one.before.seen and one.after.rate == 1]
    if clear:  # never before, always now: a few runs more decide it, and the job ends without the other places
        return place_of(clear[0])
    begun = [place for place in places if not has_enough(place, runs)]
    if begun:
        return min(begun, key=lambda place: _tried(place, runs))
    return place_of(suspects[0]) if suspects else None


def has_enough(place: Place, runs: Runs) -> bool:
    """Whether both ends have their first runs there, or no more are allowed."""
    return all(
        sum(run.decided for run in runs.get((end, place), ())) >= ROUNDS
        or len(runs.get((end, place), ())) >= ROUNDS + RETRIES
        for end in End
    )


def is_suspect(one: Difference) -> bool:
    """Whether the new end may be worse there. Small differences don't count: shares vary from run to run."""
    gap = one.after.rate - one.before.rate
    return one.is_worse and (one.measure is Measure.RUNS or gap >= NOTABLE)


def place_of(one: Difference) -> Place:
    """Where a difference was seen."""
    return Place(worker=one.other.worker, disturb=one.other.disturb)


def judge_ends(places: Sequence[Place], runs: Runs, found: Comparison) -> Outcome:
    """``violated``: worse beyond chance. ``holds``: nothing that looks worse, at any place. Else it is not known."""
    if found.worse:
        return Outcome.VIOLATED
    subject = [run.outcome for place in places for run in runs.get((End.SUBJECT, place), ())]
    if subject and set(subject) == {Outcome.UNRUNNABLE}:
        return Outcome.UNRUNNABLE
    whole = found.pairs == len(places) and all(has_enough(place, runs) for place in places)
    return Outcome.HOLDS if whole and not any(map(is_suspect, found.undecided)) else Outcome.INCONCLUSIVE


def compare_ends(cells: Mapping[Key, Cell], runs: Runs, labels: Mapping[End, str]) -> Comparison:
    """As `harness diff` compares two matrices."""
    ours, theirs = (list_cells(end, cells, runs, labels[end]) for end in End)
    return compare_cells(ours, theirs)


def list_cells(end: End, cells: Mapping[Key, Cell], runs: Runs, label: str) -> list[CellResult]:
    """The table of one end."""
    return [
        _conclude(place, cell, runs.get((one, place), ()), label) for (one, place), cell in cells.items() if one is end
    ]


def _conclude(place: Place, cell: Cell, results: Sequence[RunResult], label: str) -> CellResult:
    decided = sum(run.decided for run in results)
    chosen, set_aside = choose_runs(results, max(decided, 1))
    blind = list_unseen(cell)
    described = cell_to_json(cell)
    return CellResult(
        name=f"{place.worker}-{place.disturb}",
        spec=cell.spec,
        cell={key: described.get(key) for key in (*CONTRACT_KEYS, "disturb")},
        runs=chosen,
        folded=combine_runs(chosen, blind),
        expected=HOLDS,
        agreement=Agreement.UNDECIDED,
        set_aside=set_aside,
        blind=blind,
        label=label,
    )


def _tried(place: Place, runs: Runs) -> int:
    return sum(len(runs.get((end, place), ())) for end in End)
