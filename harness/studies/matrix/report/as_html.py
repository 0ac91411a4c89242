"""A matrix as one page, ``index.html``: releases by columns of worker and proxy, the map, a link to every record.

Without its script it is a page with the whole table; the script only narrows down what is shown. It needs no
network and no server, so any static host, or a folder on disk, will do. This module reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.frozen import dataclass
from harness.report.summary import SIGNS
from harness.report.templates import render
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.report.answer import ANSWER_HEADS, answer_rows
from harness.studies.matrix.report.page_cell import AGREEMENTS, CellView, FindPage, usual_page, view_cell
from harness.studies.matrix.result import CellResult, Column


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceView:
    """One place of the table: the cells of a release in a column, seldom more than one, often none."""

    column: Column
    cells: Sequence[CellView]

    @property
    def kinds(self) -> list[str]:
        """The choices of the filter under which it is shown."""
        return list(dict.fromkeys(kind for cell in self.cells for kind in cell.kinds))

    @property
    def tone(self) -> str:
        """The tone of its cells, where all have the same one."""
        tones = {cell.tone for cell in self.cells}
        return tones.pop() if len(tones) == 1 else "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseView:
    """One row of the table."""

    release: str
    day: str
    places: Sequence[PlaceView]


def render_html(matrix: Matrix, find_page: FindPage = usual_page) -> str:
    """The page. ``find_page`` says where a run's page lies; by default beside its record."""
    columns, found = summary.columns(matrix), matrix.map
    return render(
        "matrix.html.j2",
        matrix=matrix,
        totals=summary.totals(matrix),
        repeats=summary.describe_repeats(matrix),
        signs=SIGNS,
        agreements=AGREEMENTS,
        columns=columns,
        heads={column: summary.head(column) for column in columns},
        answer_heads=ANSWER_HEADS,
        answers=answer_rows(matrix),
        rows=[_row(release, cells, columns, find_page) for release, cells in summary.rows(matrix).items()],
        map=found,
        edges=[(edge, summary.edge_row(edge)) for edge in summary.sort_edges(found.supported)],
        edge_heads=summary.EDGE_HEADS,
        open_edges=[(edge, summary.edge_row(edge)) for edge in summary.sort_edges(found.undecided)],
        open_heads=summary.UNDECIDED_HEADS,
    )


def _row(
    release: str,
    cells: Mapping[Column, Sequence[CellResult]],
    columns: Sequence[Column],
    find_page: FindPage,
) -> ReleaseView:
    known = (cell.released for found in cells.values() for cell in found)
    places = [
        PlaceView(column=column, cells=[view_cell(cell, find_page) for cell in cells.get(column, ())])
        for column in columns
    ]
    return ReleaseView(release=release, day=next((day for day in known if day), ""), places=places)
