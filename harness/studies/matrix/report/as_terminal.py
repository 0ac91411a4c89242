"""A matrix for a person at a terminal: the table, then what differs, then what has no verdict. Plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement

SHOWN = 12
"""How many cells that are not settled are named; a table of few runs has no others."""


def render_terminal(matrix: Matrix) -> str:
    """The text, ending with one line about the whole."""
    lines = [*_table(matrix), *_rates(matrix), *_map(matrix)]
    differing = summary.with_agreement(matrix, Agreement.DIFFERENT)
    if differing:
        lines += ["", "Not as expected (- expected, + seen)", *summary.difference_lines(differing)]
    undecided = summary.with_agreement(matrix, Agreement.UNDECIDED)
    if undecided:
        lines += ["", "No verdict", *(f"  {line}" for line in summary.undecided_lines(undecided))]
    lines += list(_open_cells(matrix))
    lines += ["", summary.totals(matrix) + (" (interrupted: not complete)" if matrix.interrupted else "")]
    return "\n".join(lines) + "\n"


def _table(matrix: Matrix) -> Iterator[str]:
    yield from align_rows(
        [("release", "date", *map(summary.head, summary.columns(matrix))), *summary.table_rows(matrix)]
    )


def _rates(matrix: Matrix) -> Iterator[str]:
    rows = [
        (summary.subject(cell), summary.rates_of(cell), *summary.losses_of(cell))
        for cell in summary.newest_first(matrix.cells)
        if cell.runs
    ]
    rows = [row for row in rows if row[1]]
    if rows:
        yield from ("", *align_rows([("cell", "seen in runs (95 %)", "lost per restart", "lost per request"), *rows]))


def _map(matrix: Matrix) -> Iterator[str]:
    found = matrix.map
    if found.supported:
        yield from ("", f"Where rates changed (sure of all of it: {found.sure:.0%})")
        yield from align_rows([summary.EDGE_HEADS, *summary.edge_rows(found.supported)])
    if found.undecided:
        yield from ("", "Undecided: may be chance")
        yield from align_rows([summary.UNDECIDED_HEADS, *summary.edge_rows(found.undecided)])


def _open_cells(matrix: Matrix) -> Iterator[str]:
    found = summary.open_cells(matrix)
    if found:
        yield from ("", f"Not settled with {matrix.sure:.0%} confidence (--sure goes on)")
        yield from (f"  {line}" for line in found[:SHOWN])
        if len(found) > SHOWN:
            yield f"  and {len(found) - SHOWN} more cells"


def align_rows(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The rows as lines, each column as wide as its longest text."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
