"""Compares the cells of two matrices with each other: the statistics are those of the transition map. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.studies.chance.difference import RunSample, correct, count_lacking, p_value
from harness.studies.matrix.rates import JUDGED
from harness.studies.matrix.report.summary import subject
from harness.studies.matrix.result import CellResult, order_of_finding
from harness.studies.matrix.transitions import MEASURES_EACH, SURE, Measure, measure_cell

OF_THE_MACHINE = frozenset({"gunicorn", "python"})
"""What may differ between two cells that are compared; any other key of a cell is a setting."""

Pair = tuple[CellResult, CellResult]
Key = Callable[[CellResult], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One rate that is not the same in A and B. ``more_runs``: of each side, that would decide what is undecided."""

    one: CellResult
    other: CellResult
    finding: str
    measure: Measure
    before: RunSample
    after: RunSample
    p_value: float
    supported: bool = False
    more_runs: int | None = None

    @property
    def is_worse(self) -> bool:
        """Whether B shows it more often than A."""
        return self.after.rate > self.before.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What two matrices say of each other. ``alone``: cells without a counterpart, or without a verdict on one side."""

    pairs: int
    looked_at: int
    sure: float
    supported: tuple[Difference, ...]
    undecided: tuple[Difference, ...]
    settings: tuple[str, ...]  # settings that differ between cells that were compared: they are another experiment
    alone: tuple[str, ...]

    @property
    def worse(self) -> tuple[Difference, ...]:
        """What is worse in B beyond chance."""
        return tuple(difference for difference in self.supported if difference.is_worse)


def compare_cells(ours: Sequence[CellResult], theirs: Sequence[CellResult], *, sure: float = SURE) -> Comparison:
    """What differs from A (``ours``) to B (``theirs``), corrected for every comparison of the cells that both have."""
    pairs, alone, untried = pair_cells(ours, theirs)
    looked_at = (len(pairs) + untried) * MEASURES_EACH  # a trial that ends early could have looked at all of its places
    found = [difference for pair in pairs for difference in _differences(*pair)]
    corrected = correct([difference.p_value for difference in found], looked_at)
    decided = [replace(one, p_value=p, supported=p <= 1 - sure) for one, p in zip(found, corrected, strict=True)]
    return Comparison(
        pairs=len(pairs),
        looked_at=looked_at,
        sure=sure,
        supported=tuple(one for one in decided if one.supported),
        undecided=tuple(
            replace(one, more_runs=count_lacking(one.before, one.after, (1 - sure) / looked_at))
            for one in decided
            if not one.supported
        ),
        settings=tuple(dict.fromkeys(line for pair in pairs for line in _other_settings(*pair))),
        alone=alone,
    )


def pair_cells(ours: Sequence[CellResult], theirs: Sequence[CellResult]) -> tuple[list[Pair], tuple[str, ...], int]:
    """The cells that are compared; those that are not, with the reason; and how many of both sides were never run.

    Cells of one release belong together. What is left over on both sides, one of each place in the table,
    is compared, too: a checkout against a release.
    """
    pairs = _pair(ours, theirs, lambda cell: (cell.release, *_place(cell)))
    used = {id(cell) for pair in pairs for cell in pair}
    pairs += _pair([c for c in ours if id(c) not in used], [c for c in theirs if id(c) not in used], _place)
    used = {id(cell) for pair in pairs for cell in pair}
    alone = [f"only in {name}: {subject(cell)}" for name, side in (("A", ours), ("B", theirs)) for cell in side]
    judged = [pair for pair in pairs if all(cell.folded.outcome in JUDGED for cell in pair)]
    untried = sum(not one.runs and not other.runs for one, other in pairs)
    silent = [
        f"not run on either side: {subject(one)}"
        if not one.runs and not other.runs
        else f"no verdict on both sides: {subject(one)} ({one.folded.outcome.value}, {other.folded.outcome.value})"
        for one, other in pairs
        if (one, other) not in judged
    ]
    single = [line for line, cell in zip(alone, (*ours, *theirs), strict=True) if id(cell) not in used]
    return judged, (*single, *silent), untried


def _pair(ours: Sequence[CellResult], theirs: Sequence[CellResult], key: Key) -> list[Pair]:
    """The cells that are the only ones of their key on both sides, in the order of A."""
    return [
        (own[0], other[0])
        for name in dict.fromkeys(map(key, ours))
        if len(own := [cell for cell in ours if key(cell) == name]) == 1
        and len(other := [cell for cell in theirs if key(cell) == name]) == 1
    ]


def _place(cell: CellResult) -> tuple[str, ...]:
    return (*cell.column, str(cell.cell.get("bind")))


def _differences(one: CellResult, other: CellResult) -> Iterator[Difference]:
    findings = sorted({*one.folded.findings, *other.folded.findings}, key=order_of_finding)
    losing = FindingId.FAILED_RESPONSES.value
    rates = [(finding, Measure.RUNS) for finding in findings]
    rates += [(losing, Measure.RESTARTS)] if losing in findings else []
    for finding, measure in rates:
        before, after = (
            _sample(cell, finding, measure, single=len(one.runs) == len(other.runs) == 1) for cell in (one, other)
        )
        if before.runs and after.runs and before.rate != after.rate:
            p = p_value(before, after)
            yield Difference(
                one=one, other=other, finding=finding, measure=measure, before=before, after=after, p_value=p
            )


def _sample(cell: CellResult, finding: str, measure: Measure, *, single: bool) -> RunSample:
    """Of two single runs the restarts are what can be compared, as far as each stands alone."""
    run = cell.runs[0] if single else None
    if measure is Measure.RESTARTS and run is not None and run.bursts is not None and run.trials:
        whole = measure_cell(cell, finding, measure)
        return RunSample(seen=run.bursts, runs=run.trials) if whole.runs else whole
    return measure_cell(cell, finding, measure)


def _other_settings(one: CellResult, other: CellResult) -> Iterator[str]:
    for key in one.cell:
        ours, theirs = one.cell[key], other.cell.get(key)
        if key not in OF_THE_MACHINE and ours != theirs:
            yield f"{key}: {ours} in A, {theirs} in B"
