"""A matrix as Markdown: the table, the transition map, the reasons, the evidence. The page of the docs is made so.

Everything that came out of records is escaped or fenced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.core.model import Outcome
from harness.report.as_markdown import escape, fence, table
from harness.report.summary import plural
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import describe_expected
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement, CellResult, Expected

ISSUE = f"[#{{number}}]({summary.ISSUE_URL})"

_HOW_TO_READ = (
    "A cell says what broke while workers were recycled behind the proxy, in all of its runs together; `holds` means "
    "that nothing did. `flaky` gives the number of runs in which all that is named was seen. The findings are those "
    "of [verdict.md](verdict.md)."
)


def render_markdown(matrix: Matrix) -> str:
    """The page."""
    sections = [
        ("The table", _table(matrix)),
        ("Where faults came and went", _map(matrix)),
        ("Not as expected", _differences(matrix)),
        ("No verdict", _undecided(matrix)),
        ("Why", _reasons(matrix)),
        ("Evidence", _evidence(matrix)),
    ]
    parts = ["# Which release is safe for which worker class", *_introduction(matrix)]
    for name, paragraphs in sections:
        if paragraphs:
            parts += [f"## {name}", *paragraphs]
    return "\n\n".join(parts) + "\n"


def _introduction(matrix: Matrix) -> list[str]:
    versions = [f"{escape(name)} {escape(', '.join(found))}" for name, found in matrix.versions.items()]
    repeats = plural(matrix.repeats, "run")
    made = f"{summary.totals(matrix)}. {repeats} each, profile `{matrix.profile}`, made {matrix.made_utc}"
    parts = [f"{made}, with {'; '.join(versions)}." if versions else f"{made}."]
    if matrix.interrupted:
        parts.append("**The matrix was interrupted: it is not complete.**")
    return [*parts, _HOW_TO_READ]


def _table(matrix: Matrix) -> list[str]:
    columns = summary.columns(matrix)
    lines = []
    for release, cells in summary.rows(matrix).items():
        released = next((cell.released for cell in cells.values() if cell.released), None) or ""
        shown = [summary.verdict_of(cells[column]) if column in cells else "" for column in columns]
        lines.append((release, released, *shown))
    return [table(("release", "date", *map(summary.head, columns)), lines)]


def _map(matrix: Matrix) -> list[str]:
    if not matrix.transitions:
        return []
    rows = [
        (
            f"{transition.worker}, {transition.proxy}",
            transition.finding,
            summary.came(transition),
            summary.went(transition),
            str(len(transition.stretch.releases)),
        )
        for transition in matrix.transitions
    ]
    said = "In the order of the releases' dates, which is not that of their numbers; a finding may come and go twice."
    return [said, table(("worker, proxy", "finding", "introduced in", "gone in", "releases"), rows)]


def _differences(matrix: Matrix) -> list[str]:
    cells = summary.with_agreement(matrix, Agreement.DIFFERENT)
    return [fence("\n".join(summary.difference_lines(cells)), "diff")] if cells else []


def _undecided(matrix: Matrix) -> list[str]:
    lines = list(summary.undecided_lines(summary.with_agreement(matrix, Agreement.UNDECIDED)))
    return ["\n".join(f"- {escape(line)}" for line in lines)] if lines else []


def _reasons(matrix: Matrix) -> list[str]:
    """What the expectations file says, each reason once, with the releases that it is about."""
    return [
        f"- {_about(cells)}: {escape(describe_expected(known))}. {_told(known)}" for known, cells in _by_reason(matrix)
    ]


def _by_reason(matrix: Matrix) -> Iterator[tuple[Expected, list[CellResult]]]:
    known = dict.fromkeys(cell.expected for cell in matrix.cells if cell.expected.reason)
    for expected in known:
        yield expected, [cell for cell in matrix.cells if cell.expected == expected]


def _told(expected: Expected) -> str:
    issues = ", ".join(ISSUE.format(number=number) for number in expected.upstream)
    reason = escape(expected.reason)
    return f"{reason} ({issues})" if issues else reason


def _about(cells: Sequence[CellResult]) -> str:
    releases = ", ".join(dict.fromkeys(cell.release for cell in cells))
    workers = ", ".join(dict.fromkeys(cell.worker for cell in cells))
    return f"**{escape(releases)}** ({escape(workers)})"


def _evidence(matrix: Matrix) -> list[str]:
    rows = [
        (
            cell.release,
            cell.worker,
            cell.proxy,
            str(cell.cell.get("python") or ""),
            str(len(cell.runs)),
            f"{summary.total(cell, 'recycles'):,}",
            f"{summary.total(cell, 'requests'):,}",
            f"{summary.total(cell, 'failed'):,}",
        )
        for cell in matrix.cells
        if cell.folded.outcome in (Outcome.HOLDS, Outcome.VIOLATED)
    ]
    head = ("release", "worker", "proxy", "Python", "runs", "recycles", "requests", "failed")
    return [table(head, rows)] if rows else []
