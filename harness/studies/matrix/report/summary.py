"""What a matrix means in words: the wording that its renderings share. No layout, no colour, no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.core.model import Outcome
from harness.report.fields import line
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import describe, describe_expected
from harness.studies.matrix.result import MISSING, Agreement, CellResult, Expected
from harness.studies.matrix.transitions import Transition

Column = tuple[str, str]
"""A worker class and a proxy."""

_ISSUE_URL = "https://github.com/benoitc/gunicorn/issues/{number}"


def columns(matrix: Matrix) -> list[Column]:
    """The columns of the table, in the order of the cells."""
    return list(dict.fromkeys((cell.worker, cell.proxy) for cell in matrix.cells))


def rows(matrix: Matrix) -> dict[str, dict[Column, CellResult]]:
    """The cells by release, in the order of the cells."""
    found: dict[str, dict[Column, CellResult]] = {}
    for cell in matrix.cells:
        found.setdefault(cell.release, {})[cell.worker, cell.proxy] = cell
    return found


def head(column: Column) -> str:
    """A column's head."""
    return f"{column[0]}, {column[1]}"


def table_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """The table as texts: release, day, and what each column says."""
    found = []
    for release, cells in rows(matrix).items():
        released = next((cell.released for cell in cells.values() if cell.released), None) or ""
        shown = [verdict_of(cells[column]) if column in cells else "" for column in columns(matrix)]
        found.append((release, released, *shown))
    return found


def issues(expected: Expected) -> list[tuple[int, str]]:
    """(number, address) of gunicorn's own issues and pull requests about it."""
    return [(number, _ISSUE_URL.format(number=number)) for number in expected.upstream]


def verdict_of(cell: CellResult) -> str:
    """What stands in the table: ``holds``, or the findings, or why there is neither; with the rate where flaky."""
    said = ", ".join(cell.folded.findings) if cell.folded.outcome is Outcome.VIOLATED else cell.folded.outcome.value
    return said + (f" (flaky: {cell.folded.flaky})" if cell.folded.flaky else "")


def subject(cell: CellResult) -> str:
    """``19.6.0 gthread h2o``."""
    return f"{cell.release} {cell.worker} {cell.proxy}"


def seen(cell: CellResult) -> str:
    """What was seen, with the rates."""
    if not cell.runs:
        return MISSING
    return describe(cell.folded.outcome, cell.folded.findings, cell.folded.rates)


def why_undecided(cell: CellResult) -> str:
    """Why a cell has no verdict."""
    details = dict.fromkeys(line(run.detail) for run in cell.runs if run.detail)
    return "; ".join(details) or MISSING


def with_agreement(matrix: Matrix, agreement: Agreement) -> list[CellResult]:
    """The cells that compare so with what was expected."""
    return [cell for cell in matrix.cells if cell.agreement is agreement]


def difference_lines(cells: Iterable[CellResult]) -> Iterator[str]:
    """A diff: what was expected of each cell, and what was seen."""
    for cell in cells:
        yield f"@@ {subject(cell)} @@"
        yield f"-{describe_expected(cell.expected)}" + (f"  # {cell.expected.reason}" if cell.expected.reason else "")
        yield f"+{seen(cell)}"


def undecided_lines(cells: Iterable[CellResult]) -> Iterator[str]:
    """A line for each cell that has no verdict."""
    for cell in cells:
        yield f"{subject(cell)}: {seen(cell)}: {why_undecided(cell)}" if cell.runs else f"{subject(cell)}: {MISSING}"


def total(cell: CellResult, what: str) -> int:
    """The sum of a count over a cell's runs: ``recycles``, ``requests`` or ``failed``."""
    return sum(getattr(run, what) or 0 for run in cell.runs)


def came(transition: Transition) -> str:
    """In which release a finding came."""
    if transition.introduced_in is None:
        return f"in the first tried, {transition.stretch.releases[0]} ({transition.dates['first']})"
    return (
        f"{transition.introduced_in} ({transition.dates['introduced_in']}){_unsure(transition.stretch.unsure_before)}"
    )


def went(transition: Transition) -> str:
    """In which release a finding was gone."""
    if transition.gone_in is None:
        return f"still in the last tried, {transition.stretch.releases[-1]} ({transition.dates['last']})"
    return f"{transition.gone_in} ({transition.dates['gone_in']}){_unsure(transition.stretch.unsure_after)}"


def _unsure(releases: Sequence[str]) -> str:
    return f", or already in {', '.join(releases)}, which said nothing" if releases else ""


def totals(matrix: Matrix) -> str:
    """One sentence about the whole."""
    counts = {agreement: len(with_agreement(matrix, agreement)) for agreement in Agreement}
    said = [f"{len(matrix.cells)} cells: {counts[Agreement.EXPECTED]} as expected"]
    said += [f"{counts[Agreement.DIFFERENT]} different"] if counts[Agreement.DIFFERENT] else []
    said += [f"{counts[Agreement.UNDECIDED]} undecided"] if counts[Agreement.UNDECIDED] else []
    return ", ".join(said)
