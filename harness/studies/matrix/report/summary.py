"""What a matrix means in words: the wording that its renderings share. No layout, no colour, no file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.version import Version

from harness.core.model import Outcome
from harness.core.text import plural
from harness.disturb import RECYCLE
from harness.provision.specifiers import as_version
from harness.report.fields import line
from harness.studies.chance.difference import RunSample
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import describe, describe_expected
from harness.studies.matrix.rates import JUDGED, FailureRate, rate_failures, rate_findings
from harness.studies.matrix.result import MISSING, Agreement, CellResult, Column, Expected
from harness.studies.matrix.steering import count_lacking_of_cell
from harness.studies.matrix.transitions import Measure, Side, Transition

_ISSUE_URL = "https://github.com/benoitc/gunicorn/issues/{number}"


def columns(matrix: Matrix) -> list[Column]:
    """The columns of the table, in the order of the cells."""
    return list(dict.fromkeys(cell.column for cell in matrix.cells))


def newest_first(cells: Iterable[CellResult]) -> list[CellResult]:
    """The cells by the dates of their releases, those of one release in the order given.

    What has no date comes first: a checkout, or a release that came after the catalogue was made.
    """
    return sorted(cells, key=_age, reverse=True)


def _age(cell: CellResult) -> tuple[bool, bool, str, Version, str]:
    version = as_version(cell.release)
    return version is None, cell.released is None, cell.released or "", version or Version("0"), cell.release


def describe_repeats(matrix: Matrix) -> str:
    """How many runs a cell has: ``2 runs each``, or the fewest and the most, where they went to where they decide."""
    counts = {len(cell.runs) for cell in matrix.cells if cell.folded.outcome in JUDGED} or {matrix.repeats}
    least, most = min(counts), max(counts)
    return f"{plural(most, 'run')} each" if least == most else f"{least} to {plural(most, 'run')} each"


def rows(matrix: Matrix) -> dict[str, dict[Column, list[CellResult]]]:
    """The cells by release, newest first, and column.

    Two cells may share a place: a release, and a checkout that says it is the same one.
    """
    found: dict[str, dict[Column, list[CellResult]]] = {}
    for cell in newest_first(matrix.cells):
        found.setdefault(cell.release, {}).setdefault(cell.column, []).append(cell)
    return found


def head(column: Column) -> str:
    """A column's head: worker class and proxy, and the disturbance where there is one."""
    return ", ".join(column[:2] if column[2] == RECYCLE else column)


def table_rows(matrix: Matrix) -> list[tuple[str, ...]]:
    """The table as texts: release, day, and what each column says."""
    found = []
    for release, cells in rows(matrix).items():
        released = next((cell.released for there in cells.values() for cell in there if cell.released), None) or ""
        shown = ["; ".join(map(verdict_of, cells.get(column, ()))) for column in columns(matrix)]
        found.append((release, released, *shown))
    return found


def issues(expected: Expected) -> list[tuple[int, str, str]]:
    """(number, address, title) of gunicorn's own issues and pull requests about it."""
    titles = expected.titles or ("",) * len(expected.upstream)
    return [
        (number, _ISSUE_URL.format(number=number), title)
        for number, title in zip(expected.upstream, titles, strict=True)
    ]


def verdict_of(cell: CellResult) -> str:
    """What stands in the table: ``holds``, or the findings, or why there is neither; with the rate where flaky."""
    said = ", ".join(cell.folded.findings) if cell.folded.outcome is Outcome.VIOLATED else cell.folded.outcome.value
    unseen = [finding for finding in cell.blind if finding not in cell.folded.findings]
    said += f" (blind to {', '.join(unseen)})" if unseen else ""
    return said + (f" (flaky: {cell.folded.flaky})" if cell.folded.flaky else "")


def subject(cell: CellResult) -> str:
    """``19.6.0 gthread h2o``, and the disturbance where there is one."""
    return f"{cell.release} {cell.worker} {cell.proxy}" + ("" if cell.disturb == RECYCLE else f" {cell.disturb}")


def seen(cell: CellResult) -> str:
    """What was seen, with the rates."""
    if not cell.runs:
        return MISSING
    return describe(cell.folded.outcome, cell.folded.findings, cell.folded.rates)


def why_undecided(cell: CellResult) -> str:
    """Why a cell has no verdict."""
    details = dict.fromkeys(line(run.detail) for run in cell.runs if run.detail)
    if cell.blind and cell.folded.outcome is Outcome.INCONCLUSIVE and not details:
        return f"nothing was seen, but these settings can't show {', '.join(cell.blind)}"
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


def edge_rows(edges: Iterable[Transition]) -> list[tuple[str, ...]]:
    """The edges as texts, in the order given, but those of one finding newest first."""
    return [edge_row(edge) for edge in sort_edges(edges)]


def sort_edges(edges: Iterable[Transition]) -> list[Transition]:
    """The edges of each worker class, proxy, finding and measure newest first; these in the order given."""
    groups: dict[tuple[str, ...], list[Transition]] = {}
    for edge in edges:
        groups.setdefault((edge.worker, edge.proxy, edge.disturb, edge.finding, edge.measure.value), []).append(edge)
    return [edge for group in groups.values() for edge in reversed(group)]


def edge_row(edge: Transition) -> tuple[str, ...]:
    """One edge as texts: worker and proxy, finding, release, what changed, from what to what, and how sure that is."""
    place, release = head((edge.worker, edge.proxy, edge.disturb)), f"{edge.after.release} ({edge.after.day})"
    if edge.silent:
        release += f", or already in {', '.join(edge.silent)}, which said nothing"
    counts = f"{_side(edge, edge.before)} in {edge.before.release}, {_side(edge, edge.after)} in {edge.after.release}"
    return place, edge.finding, release, _change(edge), counts, _certainty(edge)


EDGE_HEADS = ("worker, proxy", "finding", "release", "change", "seen", "p-value")
UNDECIDED_HEADS = (*EDGE_HEADS[:-1], "more runs of each that would decide it")


def _change(edge: Transition) -> str:
    rises = edge.after.sample.rate > edge.before.sample.rate
    if not edge.supported:
        return "more often?" if rises else "less often?"
    if edge.introduced_in is not None:
        return "introduced"
    if edge.gone_in is not None:
        return "gone"
    return "more often" if rises else "less often"


def _side(edge: Transition, side: Side) -> str:
    return describe_sample(edge.measure, side.sample)


def describe_sample(measure: Measure, sample: RunSample) -> str:
    """``2 of 3`` runs, or ``at 9% of the restarts (1.1 of 12)``: the shares of each run, added up."""
    if measure is Measure.RESTARTS:
        return f"at {sample.rate:.0%} of the restarts ({sample.seen:.3g} of {sample.runs})"
    return f"{sample.seen:.0f} of {sample.runs}" + (f" ({sample.hidden} more can't tell)" if sample.hidden else "")


def _certainty(edge: Transition) -> str:
    return describe_certainty(edge.p_value if edge.supported else None, edge.more_runs)


def describe_certainty(p_value: float | None, more_runs: int | None) -> str:
    """The p-value of what is claimed; of what is not, how many more runs would decide it."""
    if p_value is not None:
        return f"{p_value:.1g}"
    return "more runs alone do not" if more_runs is None else f"about {more_runs:,}"


def rates_of(cell: CellResult) -> str:
    """Each finding with its rate: ``failed-responses 2 of 3 (9 % to 99 %)``."""
    rates = rate_findings(cell.runs, cell.folded.findings, cell.blind)
    return ", ".join(
        f"{rate.finding} {rate.seen} of {rate.runs} ({percent(rate.interval.low)} to {percent(rate.interval.high)})"
        for rate in rates
    )


def losses_of(cell: CellResult) -> tuple[str, str]:
    """The rates per restart or disturbance, and per request, with intervals; empty where the records don't say."""
    found = {rate.name: rate for rate in rate_failures(cell.runs)}
    return _loss(found.get("per_recycle") or found.get("per_disturbance")), _loss(found.get("per_request"))


def _loss(rate: FailureRate | None) -> str:
    if rate is None:
        return ""
    return f"{percent(rate.estimate)} ({percent(rate.interval.low)} to {percent(rate.interval.high)}, by {rate.unit})"


def open_cells(matrix: Matrix) -> list[str]:
    """Each cell of which it isn't settled what it shows, with about how many more runs would settle that."""
    lacking = [(cell, count_lacking_of_cell(cell, sure=matrix.sure)) for cell in matrix.cells if cell.runs]
    return [f"{subject(cell)}: about {plural(more, 'more run')}" for cell, more in lacking if more]


def percent(share: float) -> str:
    """A share in percent, to two digits that say something."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.4g}%"  # noqa: PLR2004 - 99.6 is not 100


def totals(matrix: Matrix) -> str:
    """One sentence about the whole."""
    counts = {agreement: len(with_agreement(matrix, agreement)) for agreement in Agreement}
    said = [f"{len(matrix.cells)} cells: {counts[Agreement.EXPECTED]} as expected"]
    said += [f"{counts[Agreement.DIFFERENT]} different"] if counts[Agreement.DIFFERENT] else []
    said += [f"{counts[Agreement.UNDECIDED]} undecided"] if counts[Agreement.UNDECIDED] else []
    return ", ".join(said)
