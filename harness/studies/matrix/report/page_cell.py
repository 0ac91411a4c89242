"""One cell of the matrix's page as texts: its word and findings at a glance; why, and every run, on demand.

Where a run's page lies is told by the caller; the template ``matrix.html.j2`` makes markup of it all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from urllib.parse import quote

from harness.core.frozen import dataclass
from harness.core.text import plural
from harness.disturb import RECYCLE
from harness.report.summary import SIGNS
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLink:
    """One run: what it showed, the link to its page, and what was counted in it."""

    name: str
    link: str | None
    counted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CellView:
    """What the page says of a cell. ``link`` leads to the run that shows it best."""

    subject: str
    outcome: str
    sign: str
    tone: str
    link: str | None
    findings: Sequence[tuple[str, str]]  # id, and its rate where it was not in every run
    flaky: str | None
    agreement: tuple[str, str, str]  # class, sign, words
    expected: str
    reason: str
    issues: Sequence[tuple[int, str, str]]  # number, address, title
    seen: str
    rates: str
    losses: Sequence[tuple[str, str]]  # per what, rate with its interval
    why: str
    python: str
    runs: Sequence[RunLink]
    set_aside: str
    kinds: Sequence[str]  # by which choices of the filter the cell is shown


def usual_page(record: str) -> str | None:
    """Beside the record, below the matrix's folder; None for a path that leads out of it."""
    parts = record.split("/")
    return None if not record or record.startswith("/") or ".." in parts else f"{record}/report.html"


def link_to(page: str) -> str:
    """A link that stays beside this page whatever the path looks like: no scheme, no host, no markup."""
    return f"./{quote(page, errors='replace')}"


def view_cell(cell: CellResult, find_page: FindPage) -> CellView:
    """The cell's texts."""
    sign, tone = SIGNS[cell.folded.outcome.value]
    losses = summary.losses_of(cell)
    return CellView(
        subject=summary.subject(cell),
        outcome=cell.folded.outcome.value,
        sign=sign,
        tone=tone,
        link=next((link for run in _best_first(cell) if (link := _link(run, find_page))), None),
        findings=[(name, cell.folded.rates.get(name, "")) for name in cell.folded.findings],
        flaky=cell.folded.flaky,
        agreement=(cell.agreement.name.lower(), *AGREEMENTS[cell.agreement]),
        expected=describe_expected(cell.expected),
        reason=cell.expected.reason,
        issues=summary.issues(cell.expected),
        seen=summary.seen(cell),
        rates=summary.rates_of(cell),
        losses=[(name, said) for name, said in zip(_losses_per(cell), losses, strict=True) if said],
        why=summary.why_undecided(cell) if tone == "unsure" else "",
        python=str(cell.cell.get("python") or ""),
        runs=[_run(run, find_page) for run in cell.runs],
        set_aside=plural(cell.set_aside, "run") if cell.set_aside else "",
        kinds=list(_kinds(cell, tone)),
    )


def _losses_per(cell: CellResult) -> tuple[str, str]:
    return "per restart" if cell.disturb == RECYCLE else "per disturbance", "per request"


def _kinds(cell: CellResult, tone: str) -> Iterator[str]:
    if tone == "bad":
        yield "violated"
    if cell.agreement is Agreement.DIFFERENT:
        yield "different"
    if tone == "unsure":
        yield "undecided"
    if cell.folded.flaky:
        yield "flaky"


def _best_first(cell: CellResult) -> list[RunResult]:
    """The runs with the cell's outcome first; of those, the ones that show the most."""
    return sorted(cell.runs, key=lambda run: (run.outcome is not cell.folded.outcome, -len(run.findings)))


def _link(run: RunResult, find_page: FindPage) -> str | None:
    page = None if run.path is None else find_page(run.path)
    return link_to(page) if page else None


def _run(run: RunResult, find_page: FindPage) -> RunLink:
    tried = ("recycle", run.recycles) if run.disturbances is None else ("disturbance", run.disturbances)
    counts = [tried, ("request", run.requests)]
    counted = [plural(count, noun) for noun, count in counts if count is not None]
    counted += [f"{run.failed:,} failed"] if run.failed is not None else []
    name = ", ".join([run.outcome.value, *run.findings])
    return RunLink(name=name, link=_link(run, find_page), counted=", ".join(counted))
