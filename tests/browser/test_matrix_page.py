"""The matrix's page as a reader meets it: from a file, with mouse and keyboard, on a narrow screen, without scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.campaign.site import publish
from harness.studies.matrix.result import CellResult, Expected, RunResult
from tests.browser.conftest import OpenWindow, Window
from tests.browser.test_report_page import CONTRAST
from tests.unit.events import Record, healthy
from tests.unit.matrices import a_cell, a_matrix, a_run
from tests.unit.runs import bursts, deleted, write_run

pytestmark = pytest.mark.browser

READY = "#filters:not([hidden])"
DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"
SCROLLED = """new Promise((done) => {
  const look = (frames) => document.activeElement.scrollLeft > 0 || frames === 0
    ? done(document.activeElement.scrollLeft > 0) : requestAnimationFrame(() => look(frames - 1));
  look(300);
})"""
"""Whether what has the focus scrolls sideways within five seconds."""

KNOWN = Expected(outcome=Outcome.VIOLATED, findings=(DELETED,), reason="a worker unlinks it", upstream=(1298,))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The page of a matrix of six columns, in a folder of its own; three of its runs have real records."""
    source, target = tmp_path / "matrix", tmp_path / "a site"
    target.mkdir()
    cells = [
        _recorded(a_cell("1.0", a_run()), source, healthy()),
        _recorded(a_cell("1.0", a_run(DELETED), worker="gthread", expected=KNOWN), source, deleted()),
        _recorded(a_cell("2.0", a_run(FAILED)), source, bursts()),
        a_cell("2.0", *_lost(a_run(FAILED), a_run(FAILED), a_run()), worker="gthread"),
        a_cell("3.0", *_lost(a_run(outcome=Outcome.UNRUNNABLE, detail=f"no {HOSTILE}")), worker="gevent"),
    ]
    cells += [a_cell(f"{number}.0", *_lost(a_run()), worker="tornado", proxy="nginx") for number in range(4, 30)]
    return publish(a_matrix(*cells), [source], target, say=print)


def _recorded(cell: CellResult, source: Path, record: Record) -> CellResult:
    write_run(record, source / cell.name / f"run-{cell.name}")
    return replace(cell, runs=(replace(cell.runs[0], path=f"{cell.name}/run-{cell.name}"),))


def _lost(*runs: RunResult) -> tuple[RunResult, ...]:
    return tuple(replace(run, path=None) for run in runs)


def rows(window: Window) -> list[str]:
    shown = window.page.locator(".matrix tbody tr:visible > th").all_inner_texts()
    return [text.split()[0] for text in shown]


def columns(window: Window) -> list[str]:
    heads: list[str] = window.page.locator(".matrix thead th:visible").all_inner_texts()
    return heads[1:]


@pytest.mark.parametrize(
    ("cell", "heading"),
    [
        ("1.0 sync h2o", "socket file survived"),
        ("1.0 gthread h2o", "socket file deleted 3.00 s after the load began"),
        ("2.0 sync h2o", "socket file survived"),
    ],
)
def test_a_click_opens_the_right_report(open_window: OpenWindow, site: Path, cell: str, heading: str) -> None:
    release, worker, proxy = cell.split()
    with open_window() as window:
        window.open(site, until=READY)
        link = window.page.locator(f'.matrix td[data-worker="{worker}"][data-proxy="{proxy}"] a.verdict')
        link.filter(has_text=cell).click()
        window.page.wait_for_url(f"**/records/run-{release}-{worker}-{proxy}/report.html")
        window.page.wait_for_selector("#timeline[data-drawn=yes] svg")
        assert heading in window.page.locator("h1").inner_text()
        window.page.go_back()
        window.page.wait_for_selector(READY)
        assert len(rows(window)) == 29


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_from_a_file_and_fits(open_window: OpenWindow, site: Path, width: int, scheme: str) -> None:
    with open_window(width=width, scheme=scheme) as window:
        window.open(site, until=READY)
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        assert len(rows(window)) == 29
        last = window.page.locator(".matrix td").nth(3)
        last.scroll_into_view_if_needed()
        head = window.page.locator(".matrix tbody th").first.bounding_box()
        region = window.page.locator(".scroll").first.bounding_box()
        assert abs(head["x"] - region["x"]) < 3, "the release is out of sight"
        assert head["width"] < region["width"] / 2


def test_the_text_can_be_read_in_light_and_dark(open_window: OpenWindow, site: Path) -> None:
    kinds = [".verdict.good", ".verdict.bad", ".verdict.unsure", ".mark.different", ".mark.expected", ".mark.undecided"]
    kinds += [".flaky", ".matrix .soft", ".matrix summary", ".matrix thead th", "#map td", "select", "legend"]
    script = (
        CONTRAST[: CONTRAST.index("  const kinds")] + f"const kinds = {kinds};" + CONTRAST.partition('bad td"];')[2]
    )
    for scheme in ("light", "dark"):
        with open_window(scheme=scheme) as window:
            window.open(site, until=READY)
            contrast = window.page.evaluate(script)
            assert len(contrast) == len(kinds)
            assert min(contrast.values()) >= 4.5, contrast


def test_filters_narrow_down_table_and_map(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site, until=READY)
        assert columns(window) == ["sync, h2o", "gthread, h2o", "gevent, h2o", "tornado, nginx"]
        assert window.page.inner_text("#shown") == "29 of 29 releases, 4 of 4 columns"
        window.page.get_by_label("nginx", exact=True).uncheck()
        window.page.get_by_label("gevent", exact=True).uncheck()
        assert columns(window) == ["sync, h2o", "gthread, h2o"]
        assert rows(window) == ["2.0", "1.0"]
        assert window.page.inner_text("#shown") == "2 of 29 releases, 2 of 4 columns"
        assert window.page.get_by_text("not tried").count() > 0
        window.page.get_by_text("differences that may be chance").click()  # so few runs decide none
        assert set(window.page.locator("#map tbody tr:visible td:first-child").all_inner_texts()) == {
            "sync, h2o",
            "gthread, h2o",
        }
        window.page.get_by_label("gthread", exact=True).uncheck()
        assert set(window.page.locator("#map tbody tr:visible td:first-child").all_inner_texts()) == {"sync, h2o"}
        window.page.get_by_role("button", name="Show all").click()
        assert len(rows(window)) == 29


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("where something broke", ["2.0", "1.0"]),
        ("not as expected", ["3.0", "2.0"]),
        ("without a verdict", ["3.0"]),
        ("flaky", ["2.0"]),
    ],
)
def test_rows_can_be_chosen_by_kind(open_window: OpenWindow, site: Path, kind: str, expected: list[str]) -> None:
    with open_window() as window:
        window.open(site, until=READY)
        window.page.get_by_label("Rows").select_option(label=kind)
        assert rows(window) == expected
        window.page.get_by_label("h2o", exact=True).uncheck()
        assert rows(window) == []
        assert window.page.locator("#none").is_visible()


def test_a_choice_can_be_passed_on_and_outlives_a_visit(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site, until=READY)
        for label in ("gevent", "tornado", "gthread"):
            window.page.get_by_label(label, exact=True).uncheck()
        address = window.page.url
        window.page.locator("a.verdict:visible").first.click()
        window.page.wait_for_url("**/report.html")
        window.page.go_back()
        window.page.wait_for_selector(READY)
        assert columns(window) == ["sync, h2o"]
    with open_window() as window:
        window.page.goto(address)
        window.page.wait_for_selector(READY)
        assert columns(window) == ["sync, h2o"]
        window.page.get_by_role("button", name="Show all").click()
        assert "#" not in window.page.url


def test_the_keyboard_reaches_and_works_everything(open_window: OpenWindow, site: Path) -> None:
    with open_window(width=400) as window:
        window.open(site, until=READY)
        keys = window.page.keyboard
        keys.press("Tab")
        assert window.page.evaluate("document.activeElement.value") == "sync"
        keys.press("Space")
        assert columns(window)[0] == "gthread, h2o"
        _tab_to(window, "document.activeElement.name === 'kind'")
        keys.press("w")
        assert rows(window) == ["2.0", "1.0"]
        _tab_to(window, "document.activeElement.matches('.scroll:has(.matrix)')")
        keys.press("ArrowRight")
        assert window.page.evaluate(SCROLLED)
        _tab_to(window, "document.activeElement.matches('a.verdict[href*=\"run-1.0\"]')")
        outline = window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", "nobody sees where the focus is"
        _tab_to(window, "document.activeElement.tagName === 'SUMMARY'")
        keys.press("Enter")
        assert "a worker unlinks it" in window.page.locator("details[open]").inner_text()
        keys.press("Shift+Tab")
        keys.press("Enter")
        window.page.wait_for_url("**/records/run-1.0-gthread-h2o/report.html")


def _tab_to(window: Window, there: str) -> None:
    for _ in range(30):
        window.page.keyboard.press("Tab")
        if window.page.evaluate(there):
            return
    raise AssertionError(f"the tab key does not lead there: {there}")


def test_without_scripts_the_whole_table_is_there(open_window: OpenWindow, site: Path) -> None:
    with open_window(scripts=False) as window:
        window.open(site, until=".matrix")
        assert len(rows(window)) == 29
        assert window.page.locator("#filters").is_hidden()
        window.page.locator("details:visible summary").first.click()
        assert "Expected: holds." in window.page.locator("details[open]").inner_text()


def test_hostile_texts_run_nothing(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site, until=READY)
        cell = window.page.locator('td[data-worker="gevent"]').filter(has_text="unrunnable")
        assert "document.title" in cell.locator(".verdict").get_attribute("title")
        cell.locator("summary").click()
        assert "no </script><script>" in cell.locator("details").inner_text()
        assert window.page.locator("img").count() == 0
        assert window.page.title() == "Which gunicorn release is safe for which worker class"
