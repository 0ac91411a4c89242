from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.report.as_html import render_html
from harness.studies.matrix.report.page_cell import link_to, usual_page
from harness.studies.matrix.report.summary import rows
from harness.studies.matrix.result import CellResult, Expected
from maintenance.charting import checksum
from tests.unit.matrices import a_cell, a_matrix, a_run
from tests.unit.pages import HOSTILE, Page

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
KNOWN = Expected(outcome=Outcome.VIOLATED, findings=(DELETED,), reason="a worker unlinks it", upstream=(1298,))
MATRIX = a_matrix(
    a_cell("10.0", a_run(outcome=Outcome.UNRUNNABLE, detail="no Python for it")),
    a_cell("1.0", a_run()),
    a_cell("1.0", a_run(), worker="gthread", proxy="none"),
    a_cell("1.1", a_run(DELETED), expected=KNOWN),
    a_cell("2.0", a_run(FAILED), a_run(FAILED), a_run()),
    a_cell("9.9"),
    a_cell("checkout", a_run(outcome=Outcome.INCONCLUSIVE, detail="too few recycles")),
)


class TablePage(Page):
    """The page, and the text of each cell of its table."""

    def __init__(self, text: str) -> None:
        self.rows: list[list[str]] = []
        super().__init__(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self.rows and self.rows[-1] and not self._script:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data}".strip()

    def row(self, release: str) -> list[str]:
        found = [row for row in self.rows if row[0].split()[0] == release]
        assert len(found) == 1
        return [" ".join(cell.split()) for cell in found[0]]

    def links(self) -> list[str]:
        return [attrs["href"] or "" for tag, attrs in self.tags if tag == "a"]


def test_rows_are_releases_newest_first_and_columns_workers_with_proxies() -> None:
    page = TablePage(render_html(MATRIX))
    heads = next(at for at, row in enumerate(page.rows) if row[0] == "release")
    assert page.rows[heads] == ["release", "sync, h2o", "gthread, none"]
    newest_first = ["checkout", "10.0", "9.9", "1.1", "2.0", "1.0"]
    assert list(rows(MATRIX)) == newest_first, "1.1 came after 2.0; what has no date came after the catalogue"
    assert [row[0].split()[0] for row in page.rows[heads + 1 : heads + 7]] == newest_first
    assert page.row("1.0")[0] == "1.0 2020-01-01"
    assert page.row("2.0")[2] == "not tried"


def test_a_cell_has_a_sign_a_word_its_findings_and_what_was_expected() -> None:
    page = TablePage(render_html(MATRIX))
    assert page.row("1.0")[1].startswith("✔ holds : 1.0 sync h2o = as expected details")
    known = page.row("1.1")[1]
    assert known.startswith("✘ violated : 1.1 sync h2o socket-deleted = as expected")
    assert "Expected: violated: socket-deleted. a worker unlinks it #1298" in known
    assert "https://github.com/benoitc/gunicorn/issues/1298" in page.links()
    flaky = page.row("2.0")[1]
    assert flaky.startswith("✘ violated : 2.0 sync h2o failed-responses (2 of 3) ~ flaky: 2 of 3 ≠ not as expected")
    assert flaky.count("8 recycles, 500 requests, 3 failed") == 3
    assert page.row("9.9")[1].startswith("! error ? undecided")


def test_what_could_not_be_run_tells_why() -> None:
    text = render_html(MATRIX)
    row = TablePage(text).row("10.0")[1]
    assert "unrunnable" in row
    assert "Why: no Python for it" in row
    assert 'title="no Python for it"' in text


def test_the_map_says_when_a_fault_came_and_went_and_what_may_be_chance() -> None:
    clean, broken = a_cell("1.0", *[a_run()] * 9), a_cell("2.0", *[a_run(FAILED)] * 9)
    rows = [" | ".join(row) for row in TablePage(render_html(a_matrix(clean, broken))).rows]
    said = "sync, h2o | failed-responses | 2.0 (2020-02-01) | introduced | 0 of 9 in 1.0, 9 of 9 in 2.0 | "
    assert any(row.startswith(said) for row in rows)
    undecided = render_html(MATRIX)
    assert "is beyond chance" in undecided
    assert any(
        "failed-responses | 2.0 (2020-02-01) | more often?" in " | ".join(row) for row in TablePage(undecided).rows
    )


def test_a_cell_says_its_rates_on_demand() -> None:
    flaky = TablePage(render_html(MATRIX)).row("2.0")[1]
    assert "Rates, with 95 % intervals: failed-responses 2 of 3 (9.4% to 99%)." in flaky


def test_the_word_leads_to_a_run_that_shows_it() -> None:
    good, bad = replace(a_run(), path="c/good"), replace(a_run(FAILED), path="c/bad run#1")
    page = TablePage(render_html(a_matrix(a_cell("1.0", good, bad))))
    assert page.links() == ["./c/bad%20run%231/report.html", "./c/good/report.html", "./c/bad%20run%231/report.html"]
    nowhere = render_html(a_matrix(a_cell("1.0", good)), lambda record: None)
    assert TablePage(nowhere).links() == []
    assert "no page of it here" in nowhere


def test_two_cells_in_one_place_are_both_shown() -> None:
    first, second = a_cell("1.0", a_run()), replace(a_cell("1.0", a_run(DELETED)), spec="checkout")
    shown = TablePage(render_html(a_matrix(first, second))).row("1.0")[1]
    assert "holds" in shown
    assert DELETED in shown


@pytest.mark.parametrize(
    "path", ["javascript:alert(1)", "//elsewhere/x", "/etc", "../x", "a/../../x", "", "https://elsewhere", "a\ud800b"]
)
def test_a_link_stays_below_the_folder(path: str) -> None:
    page = usual_page(path)
    link = "" if page is None else link_to(page)
    assert not re.match(r"[a-z]+:|/", link)
    assert ".." not in link
    assert ":" not in link


@given(st.text(min_size=1, max_size=80))
def test_no_text_becomes_markup(hostile: str) -> None:
    usual = TablePage(render_html(a_matrix(*_cells("x"))))
    page = TablePage(render_html(a_matrix(*_cells(hostile))))
    assert [tag for tag, _ in page.tags if tag != "a"] == [tag for tag, _ in usual.tags if tag != "a"]


def test_a_hostile_matrix_brings_no_script_and_no_element_into_the_page() -> None:
    text = render_html(
        replace(a_matrix(*_cells(HOSTILE)), profile=HOSTILE, made_utc=HOSTILE, versions={HOSTILE: (HOSTILE,)})
    )
    page = TablePage(text)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag in ("img", "iframe", "object") for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attrs in page.tags for name in attrs)
    assert not any(link.startswith(("javascript", "//")) for link in page.links())


def _cells(text: str) -> list[CellResult]:
    expected = Expected(outcome=Outcome.HOLDS, sometimes=(text,), reason=f"because {text}")
    run = replace(a_run(text, outcome=Outcome.ERROR, detail=text), path=f"cell/{text}")
    cells = [a_cell("1.0", run, expected=expected, worker=f"w{text}", proxy=f"p{text}")]
    cells.append(replace(a_cell("2.0", a_run(f"f{text}")), released=text, spec=f"s{text}", cell={"python": f"3{text}"}))
    return cells


def test_the_policy_allows_the_one_script_and_no_network() -> None:
    page = TablePage(render_html(MATRIX))
    policy = next(attrs["content"] or "" for _, attrs in page.tags if attrs.get("http-equiv"))
    assert [f"'sha256-{checksum(script)}'" in policy for script in page.scripts] == [True]
    assert "default-src 'none'" in policy
    assert not any(name in attrs for _, attrs in page.tags for name in ("src", "action"))


def test_an_interrupted_matrix_says_so() -> None:
    assert "interrupted" in render_html(a_matrix(interrupted=True))
    assert "interrupted" not in render_html(MATRIX)
