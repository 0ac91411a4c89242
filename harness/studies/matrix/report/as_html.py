"""A matrix as one page, ``index.html``: releases by columns of worker and proxy, the map, a link to every record.

Without its script it is a page with the whole table; the script only narrows down what is shown. It needs no
network and no server, so any static host, or a folder on disk, will do. No file is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from packaging.version import Version

from harness.provision.releases import as_version
from harness.report.frame import render_frame
from harness.report.markup import esc, section
from harness.report.page_sections import SIGNS
from harness.report.summary import plural
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import summary
from harness.studies.matrix.report.page_cell import AGREEMENTS, FindPage, render_cell, tone_of, usual_page
from harness.studies.matrix.result import Agreement, CellResult
from harness.studies.matrix.transitions import Transition

TITLE = "Which gunicorn release is safe for which worker class"
Rows = Mapping[str, Mapping[summary.Column, Sequence[CellResult]]]

_CHOICES = (("worker", "Worker classes"), ("proxy", "Proxies"))
_KINDS = (
    ("all", "all releases"),
    ("violated", "where something broke"),
    ("different", "not as expected"),
    ("undecided", "without a verdict"),
    ("flaky", "flaky"),
)
_READING = (
    "A cell says what broke while workers were recycled behind the proxy, in all of its runs together; its word leads "
    "to the report of a run. A rate (2 of 3) tells in how many of the runs something was seen."
)
_EDGES = "In the order of the releases' dates, which is not that of their numbers; a finding may come and go twice."


def render_html(matrix: Matrix, find_page: FindPage = usual_page) -> str:
    """The page. ``find_page`` says where a run's page lies; by default beside its record."""
    parts = [
        _heading(matrix),
        _filters(matrix),
        section("table", "The table", [_table(matrix, find_page)]),
        section("map", "Where faults came and went", _map(matrix)),
    ]
    return render_frame(TITLE, "\n".join(parts), styles=("page.css", "matrix.css"), scripts=("matrix.js",))


def group_rows(matrix: Matrix) -> Rows:
    """The cells by release, in the order of the numbers, and column; what has no number comes last.

    Two cells may share a place: a release, and a checkout that says it is the same one.
    """
    found: dict[str, dict[summary.Column, list[CellResult]]] = {}
    for cell in matrix.cells:
        found.setdefault(cell.release, {}).setdefault((cell.worker, cell.proxy), []).append(cell)
    return {release: found[release] for release in sorted(found, key=_order)}


def _order(release: str) -> tuple[bool, Version, str]:
    version = as_version(release)
    return version is None, version or Version("0"), release


def _heading(matrix: Matrix) -> str:
    versions = "; ".join(f"{name} {', '.join(found)}" for name, found in matrix.versions.items())
    made = f"{plural(matrix.repeats, 'run')} each, profile {matrix.profile}, made {matrix.made_utc}"
    parts = [f"<h1>{esc(TITLE)}</h1>", f"<p><strong>{esc(summary.totals(matrix))}.</strong></p>"]
    if matrix.interrupted:
        parts.append('<p><strong class="unsure">The matrix was interrupted: it is not complete.</strong></p>')
    parts.append(f'<p class="soft">{esc(made)}{esc(f", with {versions}") if versions else ""}.</p>')
    signs = [
        f'<li><span class="verdict {tone}"><span aria-hidden="true">{sign}</span> {word}</span></li>'
        for word, (sign, tone) in SIGNS.items()
    ]
    signs += [
        f'<li><span class="mark {agreement.name.lower()}"><span aria-hidden="true">{sign}</span> {words}</span></li>'
        for agreement, (sign, words) in AGREEMENTS.items()
    ]
    return "\n".join([*parts, f"<p>{_READING}</p>", f'<ul class="legend" aria-label="Signs">{"".join(signs)}</ul>'])


def _filters(matrix: Matrix) -> str:
    """Hidden until the script is there to heed them."""
    columns = summary.columns(matrix)
    groups = []
    for place, (name, title) in enumerate(_CHOICES):
        values = dict.fromkeys(column[place] for column in columns)
        boxes = [
            f'<label><input type="checkbox" name="{name}" value="{esc(value)}" checked> {esc(value)}</label>'
            for value in values
        ]
        groups.append(f"<fieldset><legend>{title}</legend>{''.join(boxes)}</fieldset>")
    options = "".join(f'<option value="{value}">{words}</option>' for value, words in _KINDS)
    groups.append(f'<label class="kind">Rows <select name="kind">{options}</select></label>')
    groups.append(
        '<button type="button" id="reset">Show all</button><span id="shown" class="soft" role="status"></span>'
    )
    return f'<form id="filters" class="tools" aria-label="Filters" hidden>{"".join(groups)}</form>'


def _table(matrix: Matrix, find_page: FindPage) -> str:
    columns = summary.columns(matrix)
    heads = [f'<th scope="col" {_of(column)}>{esc(column[0])}, {esc(column[1])}</th>' for column in columns]
    rows = "\n".join(_row(release, cells, columns, find_page) for release, cells in group_rows(matrix).items())
    top = f'<tr><th scope="col">release</th>{"".join(heads)}</tr>'
    named = 'role="region" aria-label="Releases by worker class and proxy" tabindex="0"'
    table = f'<table class="matrix"><thead>{top}</thead><tbody>\n{rows}\n</tbody></table>'
    return f'<div class="scroll" {named}>{table}</div>\n<p id="none" hidden>No release is of that kind.</p>'


def _row(
    release: str,
    cells: Mapping[summary.Column, Sequence[CellResult]],
    columns: Sequence[summary.Column],
    find_page: FindPage,
) -> str:
    known = (cell.released for found in cells.values() for cell in found)
    day = next((day for day in known if day), None)
    date = f'<br><span class="soft">{esc(day)}</span>' if day else ""
    shown = [_cells(column, cells.get(column, ()), find_page) for column in columns]
    return f'<tr><th scope="row">{esc(release)}{date}</th>{"".join(shown)}</tr>'


def _cells(column: summary.Column, cells: Sequence[CellResult], find_page: FindPage) -> str:
    if not cells:
        return f'<td {_of(column)}><span class="soft">not tried</span></td>'
    kinds = " ".join(dict.fromkeys(kind for cell in cells for kind in _kinds(cell)))
    tone = tone_of(cells[0]) if len({tone_of(cell) for cell in cells}) == 1 else "unsure"
    inner = "\n<hr>\n".join(render_cell(cell, find_page) for cell in cells)
    return f'<td {_of(column)} data-kinds="{kinds}" class="{tone}-edge">{inner}</td>'


def _of(column: summary.Column) -> str:
    """What the filters go by."""
    return f'data-worker="{esc(column[0])}" data-proxy="{esc(column[1])}"'


def _kinds(cell: CellResult) -> Iterator[str]:
    """By which choices of ``_KINDS`` a cell is shown."""
    if tone_of(cell) == "bad":
        yield "violated"
    if cell.agreement is Agreement.DIFFERENT:
        yield "different"
    if tone_of(cell) == "unsure":
        yield "undecided"
    if cell.folded.flaky:
        yield "flaky"


def _map(matrix: Matrix) -> list[str]:
    if not matrix.transitions:
        return ["<p>No finding came or went among the releases that were tried.</p>"]
    heads = ("worker", "proxy", "finding", "introduced in", "gone in", "releases")
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    rows = "\n".join(_transition(one) for one in matrix.transitions)
    named = 'role="region" aria-label="In which release each finding came and went" tabindex="0"'
    table = f"<table><thead><tr>{top}</tr></thead><tbody>\n{rows}\n</tbody></table>"
    return [f"<p>{_EDGES}</p>", f'<div class="scroll" {named}>{table}</div>']


def _transition(one: Transition) -> str:
    told = (one.worker, one.proxy, one.finding, summary.came(one), summary.went(one))
    shown = "".join(f"<td>{esc(text)}</td>" for text in told)
    count = f'<td class="number" title="{esc(", ".join(one.stretch.releases))}">{len(one.stretch.releases)}</td>'
    return f"<tr {_of((one.worker, one.proxy))}>{shown}{count}</tr>"
