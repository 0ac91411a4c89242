"""A matrix for a person at a terminal: the table, then what differs, then what has no verdict. Plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement


def render_terminal(matrix: Matrix) -> str:
    """The text, ending with one line about the whole."""
    lines = [*_table(matrix), *_map(matrix)]
    differing = summary.with_agreement(matrix, Agreement.DIFFERENT)
    if differing:
        lines += ["", "Not as expected (- expected, + seen)", *summary.difference_lines(differing)]
    undecided = summary.with_agreement(matrix, Agreement.UNDECIDED)
    if undecided:
        lines += ["", "No verdict", *(f"  {line}" for line in summary.undecided_lines(undecided))]
    lines += ["", summary.totals(matrix) + (" (interrupted: not complete)" if matrix.interrupted else "")]
    return "\n".join(lines) + "\n"


def _table(matrix: Matrix) -> Iterator[str]:
    yield from _align([("release", "date", *map(summary.head, summary.columns(matrix))), *summary.table_rows(matrix)])


def _map(matrix: Matrix) -> Iterator[str]:
    if not matrix.transitions:
        return
    yield ""
    rows = [("worker, proxy", "finding", "introduced in", "gone in")]
    rows += [
        (f"{one.worker}, {one.proxy}", one.finding, summary.came(one), summary.went(one)) for one in matrix.transitions
    ]
    yield from _align(rows)


def _align(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
