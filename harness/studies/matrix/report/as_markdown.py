"""A matrix as Markdown: the table, the transition map, the reasons, the evidence. The page of the docs is made so."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.frozen import dataclass
from harness.core.model import Outcome
from harness.disturb import RECYCLE
from harness.report.templates import render
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import describe_expected
from harness.studies.matrix.report import summary
from harness.studies.matrix.report.answer import ANSWER_HEADS, answer_rows
from harness.studies.matrix.result import Agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """What the expectations file says, with the releases and worker classes that it is about."""

    releases: list[str]
    workers: list[str]
    expected: str
    reason: str
    issues: list[tuple[int, str, str]]  # number, address, title


def render_markdown(matrix: Matrix) -> str:
    """The page."""
    found = matrix.map
    return render(
        "matrix.md.j2",
        matrix=matrix,
        totals=summary.totals(matrix),
        repeats=summary.describe_repeats(matrix),
        head=("release", "date", *map(summary.head, summary.columns(matrix))),
        rows=summary.table_rows(matrix),
        answer_heads=ANSWER_HEADS,
        answers=answer_rows(matrix),
        map=found,
        disturbed=any(cell.disturb != RECYCLE for cell in matrix.cells),
        open_cells=summary.open_cells(matrix),
        edge_heads=summary.EDGE_HEADS,
        edges=summary.edge_rows(found.supported),
        open_heads=summary.UNDECIDED_HEADS,
        open_edges=summary.edge_rows(found.undecided),
        differences=list(summary.difference_lines(summary.with_agreement(matrix, Agreement.DIFFERENT))),
        undecided=list(summary.undecided_lines(summary.with_agreement(matrix, Agreement.UNDECIDED))),
        reasons=list(_reasons(matrix)),
        evidence=list(_evidence(matrix)),
    )


def _reasons(matrix: Matrix) -> Iterator[ReasonView]:
    """Each reason once."""
    newest = summary.newest_first(matrix.cells)
    for expected in dict.fromkeys(cell.expected for cell in newest if cell.expected.reason):
        cells = [cell for cell in newest if cell.expected == expected]
        yield ReasonView(
            releases=list(dict.fromkeys(cell.release for cell in cells)),
            workers=list(dict.fromkeys(cell.worker for cell in cells)),
            expected=describe_expected(expected),
            reason=expected.reason,
            issues=summary.issues(expected),
        )


def _evidence(matrix: Matrix) -> Iterator[tuple[str, ...]]:
    for cell in summary.newest_first(matrix.cells):
        if cell.folded.outcome in (Outcome.HOLDS, Outcome.VIOLATED):
            python, runs = str(cell.cell.get("python") or ""), str(len(cell.runs))
            sums = (f"{summary.total(cell, what):,}" for what in ("trials", "requests", "failed"))
            rates = (summary.rates_of(cell), *summary.losses_of(cell))
            yield cell.release, *summary.head(cell.column).split(", ", 1), python, runs, *sums, *rates
