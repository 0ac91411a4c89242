"""The stored tables as rows: one a cell, with its runs, and the edges with the commits that are known."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.disturb import RECYCLE
from harness.report.known.bisects import INTRODUCED, KnownBisect, load_bisects
from harness.stack.workers import WORKERS
from harness.studies.advise.tables import PLAIN_PROXY
from harness.studies.matrix.document import Matrix, matrix_from_json
from harness.studies.matrix.rates import FindingRate, rate_findings, tally
from harness.studies.matrix.report import summary
from harness.studies.matrix.report.page_cell import CellView, RunLink, view_cell
from harness.studies.matrix.result import CellResult, Column, RunResult, order_of_finding
from harness.studies.matrix.transitions import Transition
from maintenance.site.records import Recorded
from maintenance.site.strips import Strip

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
TABLES = ("matrix", "proxies", "direct", "disturbances")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run: what it showed, what was counted, its timeline and its page where they are at hand."""

    name: str
    counted: str
    strip: Strip | None
    page: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellRow:
    """One row of the table. ``others``: pages of runs of the same place under other settings."""

    cell: CellResult
    view: CellView
    rates: Sequence[FindingRate]
    lost: int | None  # of ``requests``, in all runs that counted both
    requests: int
    runs: Sequence[RunRow]
    others: Sequence[Recorded]


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRow:
    """One edge of the map as texts, and the commits that explain it."""

    edge: Transition
    said: Sequence[str]
    commits: Sequence[KnownBisect]


def load_matrices(folder: Path = RESULTS) -> dict[str, Matrix]:
    """The stored tables by name."""
    paths = {name: folder / f"{name}.json" for name in TABLES}
    return {
        name: matrix_from_json(json.loads(path.read_text(encoding="utf-8")), where=str(path))
        for name, path in paths.items()
        if path.is_file()
    }


def list_cells(matrices: Sequence[Matrix]) -> list[CellResult]:
    """Every cell once, newest release first; of several tables the one with the most runs, of these the newest."""
    newest = sorted(matrices, key=lambda matrix: matrix.made_utc, reverse=True)
    found: dict[str, CellResult] = {}
    for cell in (cell for matrix in newest for cell in matrix.cells):
        # Not the name: it has a digest of fields that came later than the older tables.
        settings = json.dumps({**cell.cell, "disturb": cell.disturb, "spec": cell.spec}, sort_keys=True)
        if settings not in found or len(cell.runs) > len(found[settings].runs):
            found[settings] = cell
    return summary.newest_first(sorted(found.values(), key=lambda cell: _order_column(cell.column)))


def _order_column(column: Column) -> tuple[int, bool, str, bool, str]:
    """Worker classes as the docs name them, what is usual first, then by name."""
    worker, proxy, disturb = column
    place = list(WORKERS).index(worker) if worker in WORKERS else len(WORKERS)
    return place, proxy != PLAIN_PROXY, proxy, disturb != RECYCLE, disturb


def view_cells(cells: Sequence[CellResult], strips: Mapping[str, Strip], recorded: Sequence[Recorded]) -> list[CellRow]:
    """The rows, each run with what is at hand of it."""
    by_name = {record.name: record for record in recorded}
    return [_view_cell(cell, strips, by_name) for cell in cells]


def _view_cell(cell: CellResult, strips: Mapping[str, Strip], records: Mapping[str, Recorded]) -> CellRow:
    view = view_cell(cell, lambda _: None)
    counted = [run for run in cell.runs if run.requests and run.failed is not None]
    runs = [_view_run(link, run, strips, records) for link, run in zip(view.runs, cell.runs, strict=True)]
    place, own = (cell.release, *cell.column), {run.page for run in runs}
    return CellRow(
        cell=cell,
        view=view,
        rates=rate_findings(cell.runs, cell.folded.findings, cell.blind),
        lost=sum(run.failed or 0 for run in counted) if counted else None,
        requests=sum(run.requests or 0 for run in counted),
        runs=runs,
        others=[one for one in records.values() if one.place == place and one.page not in own],
    )


def _view_run(link: RunLink, run: RunResult, strips: Mapping[str, Strip], records: Mapping[str, Recorded]) -> RunRow:
    record = records.get(run.path or "")
    strip = record.strip if record is not None else strips.get(run.path or "")
    return RunRow(name=link.name, counted=link.counted, strip=strip, page=None if record is None else record.page)


def view_edges(matrix: Matrix) -> tuple[list[EdgeRow], list[EdgeRow]]:
    """What is beyond chance, and what is undecided."""
    found = matrix.map
    supported, undecided = summary.sort_edges(found.supported), summary.sort_edges(found.undecided)
    return list(map(_view_edge, supported)), list(map(_view_edge, undecided))


def _view_edge(edge: Transition) -> EdgeRow:
    known = [one for one in load_bisects() if _explains(one, edge)]
    return EdgeRow(edge=edge, said=summary.edge_row(edge), commits=known)


def _explains(known: KnownBisect, edge: Transition) -> bool:
    """A bisection of the same finding and worker class between the same releases, in the same direction."""
    rises = edge.after.sample.rate > edge.before.sample.rate
    ends = (known.finding, known.worker, known.before, known.after)
    same = ends == (edge.finding, edge.worker, edge.before.release, edge.after.release)
    return same and edge.disturb == RECYCLE and rises == (known.direction == INTRODUCED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAt:
    """A square of the map: in how many runs of a release a finding was seen, of those that could show it."""

    release: str
    said: str
    tone: str  # "all", "some", "none", or "" where nothing was tried


def list_releases(cells: Sequence[CellResult]) -> list[str]:
    """By their dates, the newest first."""
    return list(dict.fromkeys(cell.release for cell in summary.newest_first(cells)))


def map_findings(cells: Sequence[CellResult]) -> list[tuple[str, str, list[SeenAt]]]:
    """One row for each column of the tables and each finding that was ever seen there: (place, finding, squares)."""
    releases, rows = list_releases(cells), []
    for column in sorted({cell.column for cell in cells}, key=_order_column):
        there = {cell.release: cell for cell in cells if cell.column == column}
        seen = {finding for cell in there.values() for finding in cell.folded.findings}
        rows += [
            (summary.head(column), finding, [_square(release, there.get(release), finding) for release in releases])
            for finding in sorted(seen, key=order_of_finding)
        ]
    return rows


def _square(release: str, cell: CellResult | None, finding: str) -> SeenAt:
    if cell is None:
        return SeenAt(release=release, said="not tried", tone="")
    sample = tally(cell.runs, finding, cell.blind)
    if not sample.runs:
        return SeenAt(release=release, said="can't be told", tone="")
    tone = "all" if sample.seen == sample.runs else "some" if sample.seen else "none"
    return SeenAt(release=release, said=f"{sample.seen:.0f} of {sample.runs}", tone=tone)
