"""Whether two maps, made from different runs, claim the same edges: ``make edges ARGS='ONE.json OTHER.json'``.

Each edge that one matrix claims is looked up in the other one. Where that does not claim it, too, the question is
whether it says something else, or has merely not seen enough. Exit code 1 where the two contradict each other.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from harness.core.errors import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE, UsageError
from harness.studies.diff.comparison import Difference, compare_cells
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import load_matrix
from harness.studies.matrix.report.as_terminal import align_rows
from harness.studies.matrix.report.summary import describe_certainty, describe_sample, head
from harness.studies.matrix.result import CellResult
from harness.studies.matrix.transitions import Measure, Transition, measure_cell

HEADS = ("worker, proxy", "finding", "release", "claimed by", "there", "the other one", "that is")


class Agreement(str, Enum):
    """What the other matrix says of a claimed edge."""

    CLAIMED = "claimed by both"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided there"
    SILENT = "not to be told there"


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeMatch:
    """An edge that ``by`` (A or B) claims, and how the other matrix stands to it, in words."""

    edge: Transition
    by: str
    agreement: Agreement
    there: str


def compare_maps(one: Matrix, other: Matrix) -> list[EdgeMatch]:
    """Every edge that either claims, once: what both claim counts for A."""
    differing = compare_cells(one.cells, other.cells, sure=min(one.sure, other.sure)).supported
    ours = [_look_up(edge, "A", other, differing) for edge in one.map.supported]
    both = {_key(match.edge) for match in ours if match.agreement is Agreement.CLAIMED}
    theirs = [_look_up(edge, "B", one, differing) for edge in other.map.supported if _key(edge) not in both]
    return [*ours, *theirs]


def list_shared_runs(one: Matrix, other: Matrix) -> list[str]:
    """The runs that are in both: what follows from them in one map says nothing new in the other."""
    ours, theirs = ({run.path for cell in matrix.cells for run in cell.runs if run.path} for matrix in (one, other))
    return sorted(ours & theirs)


def _key(edge: Transition) -> tuple[str, ...]:
    """The same edge in another matrix: that may come to it from another release, where one between said nothing."""
    return edge.worker, edge.proxy, edge.disturb, edge.finding, edge.measure.value, edge.after.release, _way(edge)


def _way(edge: Transition) -> str:
    return "more" if edge.after.sample.rate > edge.before.sample.rate else "less"


def _look_up(edge: Transition, by: str, other: Matrix, differing: Sequence[Difference]) -> EdgeMatch:
    same = [there for there in other.map.supported if _key(there)[:-1] == _key(edge)[:-1]]
    sides = {side.release: _find(edge, side.release, other) for side in (edge.before, edge.after)}
    said = ", ".join(f"{_describe(edge.measure, edge, cell)} in {release}" for release, cell in sides.items())
    if same:
        agrees = _way(same[0]) == _way(edge)
        agreement = Agreement.CLAIMED if agrees else Agreement.CONTRADICTED
        said += "" if agrees else "; claims the opposite"
    elif machine := _differing(edge, differing):
        agreement = Agreement.CONTRADICTED
        said += f"; the runs of {' and '.join(machine)} differ beyond chance"
    elif any(cell is None or not measure_cell(cell, edge.finding, edge.measure).runs for cell in sides.values()):
        agreement = Agreement.SILENT
    else:
        agreement = Agreement.UNDECIDED
        said += "".join(_outlook(edge, other))
    return EdgeMatch(edge=edge, by=by, agreement=agreement, there=said)


def _find(edge: Transition, release: str, matrix: Matrix) -> CellResult | None:
    place = (edge.worker, edge.proxy, edge.disturb)
    found = (cell for cell in matrix.cells if cell.column == place and cell.release == release)
    return next(found, None)


def _describe(measure: Measure, edge: Transition, cell: CellResult | None) -> str:
    if cell is None:
        return "not tried"
    sample = measure_cell(cell, edge.finding, measure)
    return describe_sample(measure, sample) if sample.runs else "can't be told"


def _differing(edge: Transition, differing: Sequence[Difference]) -> list[str]:
    """The releases of the edge at which the two matrices differ in the same rate: one of them does not repeat."""
    place = (edge.worker, edge.proxy, edge.disturb)
    return [
        one.one.release
        for one in differing
        if one.one.column == place
        and (one.finding, one.measure) == (edge.finding, edge.measure)
        and one.one.release in (edge.before.release, edge.after.release)
    ]


def _outlook(edge: Transition, other: Matrix) -> Iterator[str]:
    for there in other.map.undecided:
        if _key(there)[:-1] == _key(edge)[:-1]:
            yield f"; {'the same' if _way(there) == _way(edge) else 'the other'} way, "
            yield f"{describe_certainty(None, there.more_runs)} more runs of each would decide it"


def list_rows(matches: Sequence[EdgeMatch]) -> list[tuple[str, ...]]:
    """What is not claimed by both comes first."""
    ordered = sorted(matches, key=lambda match: list(Agreement).index(match.agreement) or len(Agreement))
    return [_row(match) for match in ordered]


def _row(match: EdgeMatch) -> tuple[str, ...]:
    edge, both = match.edge, match.agreement is Agreement.CLAIMED
    here = ", ".join(
        f"{describe_sample(edge.measure, side.sample)} in {side.release}" for side in (edge.before, edge.after)
    )
    place, way = head((edge.worker, edge.proxy, edge.disturb)), f"{edge.after.release}, {_way(edge)} often"
    return place, edge.finding, way, "A and B" if both else match.by, here, match.there, match.agreement.value


def conclude(matches: Sequence[EdgeMatch], shared: Sequence[str]) -> list[str]:
    """The whole in a few lines."""
    counts = {agreement: sum(match.agreement is agreement for match in matches) for agreement in Agreement}
    alone = {by: sum(match.by == by and match.agreement is not Agreement.CLAIMED for match in matches) for by in "AB"}
    said = [
        f"{counts[Agreement.CLAIMED]} edges are claimed by both, {alone['A']} by A alone, {alone['B']} by B alone",
        *(f"{agreement.value}: {counts[agreement]}" for agreement in list(Agreement)[1:]),
    ]
    return [*said, *([f"NOT DISJOINT: {len(shared)} runs are in both"] if shared else ["the two share no run"])]


def render_text(matches: Sequence[EdgeMatch], shared: Sequence[str]) -> str:
    """For a terminal."""
    table = [*align_rows([HEADS, *list_rows(matches)]), ""] if matches else []
    return "\n".join([*table, *conclude(matches, shared)]) + "\n"


def render_markdown(matches: Sequence[EdgeMatch], shared: Sequence[str]) -> str:
    """For a page."""
    rows = [HEADS, ("---",) * len(HEADS), *list_rows(matches)] if matches else []
    table = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([*(f"- {line}" for line in conclude(matches, shared)), "", *table]) + "\n"


def main() -> int:
    """Parse the arguments, which come in ARGS from make, and print."""
    parser = argparse.ArgumentParser(prog="python -m maintenance.edges", description=__doc__)
    parser.add_argument("one", type=Path, metavar="A", help="a matrix.json, or the folder of a matrix")
    parser.add_argument("other", type=Path, metavar="B", help="another one, of other runs")
    parser.add_argument("--format", choices=("text", "md"), default="text")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    try:
        one, other = load_matrix(options.one), load_matrix(options.other)
    except UsageError as problem:
        print(problem, file=sys.stderr)
        return EXIT_USAGE
    matches, shared = compare_maps(one, other), list_shared_runs(one, other)
    print((render_text if options.format == "text" else render_markdown)(matches, shared), end="")
    contradicted = any(match.agreement is Agreement.CONTRADICTED for match in matches)
    return EXIT_UNEXPECTED if contradicted or shared else EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
