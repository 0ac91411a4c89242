"""One cell of the matrix's page: sign, word and findings at a glance; why, and every run, on demand.

Texts come from the matrix and are escaped here. Where a run's page lies is told by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import quote

from harness.report.markup import esc
from harness.report.page_sections import SIGNS
from harness.report.summary import plural
from harness.studies.matrix.expectations import describe_expected
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement, CellResult, RunResult

FindPage = Callable[[str], str | None]
"""The path of a run's record -> that of its page, relative to the matrix's page; None where there is none."""

AGREEMENTS = {
    Agreement.EXPECTED: ("=", "as expected"),
    Agreement.DIFFERENT: ("\N{NOT EQUAL TO}", "not as expected"),
    Agreement.UNDECIDED: ("?", "undecided"),
}
"""A sign and words for each comparison."""


def usual_page(record: str) -> str | None:
    """Beside the record, below the matrix's folder; None for a path that leads out of it."""
    parts = record.split("/")
    return None if not record or record.startswith("/") or ".." in parts else f"{record}/report.html"


def link_to(page: str) -> str:
    """A link that stays beside this page whatever the path looks like: no scheme, no host, no markup."""
    return f"./{quote(page, errors='replace')}"


def tone_of(cell: CellResult) -> str:
    """``good``, ``bad`` or ``unsure``."""
    return SIGNS[cell.folded.outcome.value][1]


def render_cell(cell: CellResult, find_page: FindPage) -> str:
    """The content of a table's cell."""
    sign, words = AGREEMENTS[cell.agreement]
    parts = [_verdict(cell, find_page), *_findings(cell)]
    if cell.folded.flaky:
        parts.append(f'<span class="flaky"><span aria-hidden="true">~</span> flaky: {esc(cell.folded.flaky)}</span>')
    parts.append(
        f'<span class="mark {cell.agreement.name.lower()}"><span aria-hidden="true">{sign}</span> {words}</span>'
    )
    return "\n".join([*parts, _details(cell, find_page)])


def _verdict(cell: CellResult, find_page: FindPage) -> str:
    """The word, as a link to the run that shows it best, with what keeps it from a verdict as a hint."""
    outcome = cell.folded.outcome.value
    sign, tone = SIGNS[outcome]
    shown = f'<span aria-hidden="true">{sign}</span> {outcome}'
    hint = f' title="{esc(summary.why_undecided(cell))}"' if tone == "unsure" else ""
    page = next((page for run in _best_first(cell) if (page := _page(run, find_page))), None)
    if page is None:
        return f'<span class="verdict {tone}"{hint}>{shown}</span>'
    return f'<a class="verdict {tone}"{hint} href="{esc(link_to(page))}">{shown}{_of(cell)}</a>'


def _best_first(cell: CellResult) -> list[RunResult]:
    """The runs with the cell's outcome first; of those, the ones that show the most."""
    return sorted(cell.runs, key=lambda run: (run.outcome is not cell.folded.outcome, -len(run.findings)))


def _page(run: RunResult, find_page: FindPage) -> str | None:
    return None if run.path is None else find_page(run.path)


def _of(cell: CellResult) -> str:
    """Who goes from link to link by ear hears which cell it is of."""
    return f'<span class="unseen">: {esc(summary.subject(cell))}</span>'


def _findings(cell: CellResult) -> Iterator[str]:
    if not cell.folded.findings:
        return
    rates = cell.folded.rates
    shown = [
        f"<li>{esc(name)}" + (f' <span class="soft">({esc(rates[name])})</span>' if name in rates else "") + "</li>"
        for name in cell.folded.findings
    ]
    yield f'<ul class="ids">{"".join(shown)}</ul>'


def _details(cell: CellResult, find_page: FindPage) -> str:
    rows = [f"<p>Expected: {esc(describe_expected(cell.expected))}.</p>"]
    if cell.expected.reason:
        rows.append(f"<p>{esc(cell.expected.reason)}{''.join(_issue(number) for number in cell.expected.upstream)}</p>")
    rows += [f"<p>Seen: {esc(summary.seen(cell))}.</p>"]
    if tone_of(cell) == "unsure" and cell.runs:
        rows.append(f"<p>Why: {esc(summary.why_undecided(cell))}</p>")
    if cell.cell.get("python"):
        rows.append(f"<p>Python {esc(str(cell.cell['python']))}.</p>")
    if cell.runs:
        rows.append(f"<ol>{''.join(_run(run, find_page) for run in cell.runs)}</ol>")
    if cell.set_aside:
        rows.append(f"<p>{plural(cell.set_aside, 'run')} without a verdict set aside.</p>")
    return f"<details><summary>details{_of(cell)}</summary>\n{chr(10).join(rows)}\n</details>"


def _issue(number: int) -> str:
    return f' <a href="{summary.ISSUE_URL.format(number=number)}">#{number}</a>'


def _run(run: RunResult, find_page: FindPage) -> str:
    counted = [("recycle", run.recycles), ("request", run.requests)]
    said = [plural(count, noun) for noun, count in counted if count is not None]
    said += [f"{run.failed:,} failed"] if run.failed is not None else []
    page = _page(run, find_page)
    name = esc(", ".join([run.outcome.value, *run.findings]))
    shown = f'<a href="{esc(link_to(page))}">{name}</a>' if page else f"{name} (no page of it here)"
    return f"<li>{shown}: {', '.join(said)}</li>" if said else f"<li>{shown}</li>"
