"""The operator's answer on top of a table: with which releases nothing was lost, for each worker class and proxy.

It follows from the cells alone. Releases are put together to a range only where the catalogue knows none between them
that the table does not call safe, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from packaging.version import Version

from harness.core.text import plural
from harness.disturb import RECYCLE
from harness.provision.releases import list_releases
from harness.studies.chance.intervals import exact_interval
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import CellResult, Column
from harness.studies.matrix.safety import Safety, judge_cell

ANSWER_HEADS = (
    "worker, proxy",
    "newest that is safe",
    "safe with",
    "runs of each",
    "restarts that may lose something all the same (95 %)",
    "seen beside it",
    "not known of",
)
NONE = "none"


def answer_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """One row for each worker class and proxy; none of what was disturbed, where clients may lose something."""
    cells = summary.newest_first(matrix.cells)
    return [_row(column, cells) for column in summary.columns(matrix) if column[2] == RECYCLE]


def _row(column: Column, cells: Sequence[CellResult]) -> tuple[str, ...]:
    told = [(cell, judge_cell(cell)) for cell in cells if cell.column == column]
    safe = [cell for cell, safety in told if safety is Safety.SAFE]
    unknown = [cell for cell, safety in told if safety is Safety.UNKNOWN]
    released = [cell for cell in safe if cell.released]
    return (
        summary.head(column),
        released[0].release if released else NONE,
        _ranges(safe) or NONE,
        _span(len(cell.runs) for cell in safe),
        _bounds(safe),
        ", ".join(_beside(safe)),
        _ranges(unknown),
    )


def _beside(safe: Sequence[CellResult]) -> Iterator[str]:
    """What was seen in these cells although nothing was lost, and in how many of them."""
    findings = [finding for cell in safe for finding in cell.folded.findings]
    for finding in dict.fromkeys(findings):
        yield f"{finding} in {findings.count(finding)} of {plural(len(safe), 'release')}"


def _bounds(safe: Sequence[CellResult]) -> str:
    """The upper ends of the exact intervals, from the release that is known best to the one that is known least."""
    highest = [exact_interval(0, summary.total(cell, "trials")).high for cell in safe]
    if not highest:
        return ""
    low, high = summary.percent(min(highest)), summary.percent(max(highest))
    return f"at most {low}" if low == high else f"at most {low} to {high}"


def _span(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return "" if not found else str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _ranges(cells: Sequence[CellResult]) -> str:
    """The releases, newest first: ``27.0.1, 23.0.0 to 20.1.0``."""
    known, groups = _order(), list[list[str]]()
    for release in (cell.release for cell in cells):
        last = groups[-1][-1] if groups else None
        if last in known and known.get(release) == known[last] - 1:
            groups[-1].append(release)
        else:
            groups.append([release])
    return ", ".join(_name(group) for group in groups)


def _name(group: Sequence[str]) -> str:
    return ", ".join(group) if len(group) < 3 else f"{group[0]} to {group[-1]}"  # noqa: PLR2004 - two are named


@cache
def _order() -> dict[str, int]:
    """The place of each release by its date, as the catalogue knows them all."""
    by_date = sorted(list_releases(), key=lambda row: (row.date, Version(row.version)))
    return {row.version: place for place, row in enumerate(by_date)}
