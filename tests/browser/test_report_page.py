"""The report's page as a reader meets it: opened from a file, with a mouse, with the keyboard, on a narrow screen."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.report.as_html import render_html
from harness.report.attachment import bundle
from tests.browser.conftest import OpenWindow
from tests.unit.events import Record, healthy
from tests.unit.runs import bursts, deleted, disturbed, write_run

pytestmark = pytest.mark.browser

WORKERS = '#timeline [aria-label^="worker "]'
PageOf = Callable[..., Path]
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"


@pytest.fixture
def page_of(tmp_path: Path) -> PageOf:
    """``page_of(record)`` writes the record as a run and its page beside it."""

    def write(record: Record, **more: Any) -> Path:
        run = write_run(record, tmp_path / "run", **more)
        page = tmp_path / "a folder" / "report.html"
        page.parent.mkdir()
        page.write_text(render_html(run), encoding="utf-8")
        return page

    return write


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_opens_from_a_file_with_all_lanes(open_window: OpenWindow, page_of: PageOf, width: int, scheme: str) -> None:
    with open_window(width=width, scheme=scheme) as window:
        window.open(page_of(deleted()))
        assert window.page.locator(WORKERS).count() == 4
        assert window.page.locator('#timeline [aria-label="deleted by worker 101 with os.unlink"]').count() == 1
        assert window.page.locator("h1").inner_text().endswith("socket file deleted 3.00 s after the load began")
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
        drawn = window.page.evaluate("document.querySelector('#timeline svg').getBoundingClientRect().width")
        assert drawn <= window.page.evaluate("document.getElementById('timeline').clientWidth")


def test_the_text_can_be_read_in_light_and_dark(open_window: OpenWindow, page_of: PageOf) -> None:
    page = page_of(deleted())
    inks = set()
    for scheme in ("light", "dark"):
        with open_window(scheme=scheme) as window:
            window.open(page)
            contrast = window.page.evaluate(CONTRAST)
            assert min(contrast.values()) >= 4.5, contrast
            inks.add(
                window.page.evaluate("getComputedStyle(document.querySelector('#timeline .role-axis-label text')).fill")
            )
    assert len(inks) == 2


def test_zooming_with_buttons_and_keys(open_window: OpenWindow, page_of: PageOf) -> None:
    with open_window() as window:
        window.open(page_of(deleted()))
        whole = window.shown()
        window.page.get_by_role("button", name="First failure").click()
        first, last = window.shown()
        assert first < 3.0 < last
        assert last - first < 1.0
        window.page.focus("#timeline")
        window.page.keyboard.press("ArrowRight")
        assert window.shown()[0] > first
        window.page.keyboard.press("+")
        assert window.shown()[1] - window.shown()[0] < last - first
        window.page.keyboard.press("0")
        assert window.shown() == whole


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_a_disturbance_is_a_band_with_its_name(
    open_window: OpenWindow, page_of: PageOf, width: int, scheme: str
) -> None:
    with open_window(width=width, scheme=scheme) as window:
        window.open(page_of(disturbed(bursts())))
        told = window.page.locator('#timeline [aria-label="reload (2 of 2), from 2.000 to 4.000 s"]')
        assert told.count() == 1
        shown = set(window.page.locator("#timeline text").all_text_contents())
        assert {"Disturbances, shaded below", "disturbance"} <= shown
        assert width == 400 or "reload 2/2" in shown


def test_all_controls_are_reached_with_the_tab_key(open_window: OpenWindow, page_of: PageOf) -> None:
    with open_window() as window:
        window.open(page_of(deleted()))
        reached = []
        for _ in range(40):
            window.page.keyboard.press("Tab")
            reached.append(window.page.evaluate("document.activeElement.textContent || document.activeElement.id"))
        assert {"First failure", "Whole run", "Zoom in", "Zoom out", "Earlier", "Later"} <= set(reached)
        assert window.page.evaluate("document.querySelector('button').matches(':not([tabindex])')")


def test_dragging_chooses_a_stretch_of_time(open_window: OpenWindow, page_of: PageOf) -> None:
    with open_window() as window:
        window.open(page_of(deleted()))
        before = window.shown()
        frame = window.page.locator("#timeline").bounding_box()
        window.page.mouse.move(frame["x"] + 400, frame["y"] + 60)
        window.page.mouse.down()
        window.page.mouse.move(frame["x"] + 600, frame["y"] + 60, steps=4)
        window.page.mouse.up()
        after = window.shown()
        assert before[0] < after[0] < after[1] < before[1]
        window.page.mouse.dblclick(frame["x"] + 500, frame["y"] + 60)
        assert window.shown() == before


def test_hovering_tells_pid_and_requests(open_window: OpenWindow, page_of: PageOf) -> None:
    with open_window() as window:
        window.open(page_of(healthy()))
        window.page.locator(WORKERS).nth(1).hover(position={"x": 12, "y": 4})
        hint = window.page.locator("#vg-tooltip-element.visible")
        hint.wait_for()
        assert "102" in hint.inner_text()
        assert "104" in hint.inner_text()


def test_a_calm_run_looks_calm_and_bursts_do_not(open_window: OpenWindow, tmp_path: Path) -> None:
    told = {}
    for name, record in (("calm", healthy()), ("bursts", bursts())):
        path = tmp_path / f"{name}.html"
        path.write_text(render_html(write_run(record, tmp_path / name)), encoding="utf-8")
        with open_window() as window:
            window.open(path)
            told[name] = window.page.inner_text("#timeline")
            assert window.page.locator('#timeline [aria-label="present"]').count() == 1
    assert "no request of the load failed" in told["calm"]
    assert "502" not in told["calm"]
    assert "502" in told["bursts"]


def test_hostile_records_run_nothing(open_window: OpenWindow, page_of: PageOf) -> None:
    record = deleted().probe(4.1, "proxy", HOSTILE).answers(4.2, **{HOSTILE: 3})
    story = [{"at_s": 1.0, "what": HOSTILE}]
    page = page_of(record, log=f"[1] [ERROR] {HOSTILE}\n", edit={"story": story, "reasons": [HOSTILE]})
    with open_window() as window:
        window.open(page)
        window.page.locator('#timeline [aria-label^="moment 1"]').hover(force=True)  # its number lies upon it
        window.page.locator("#vg-tooltip-element.visible").wait_for()
        assert "document.title" in window.page.inner_text("#vg-tooltip-element")
        assert window.page.title() == "gunicorn 1.0, gthread worker: violated"
        assert window.page.locator("img").count() == 0


def test_the_policy_stops_a_script_that_would_get_in(open_window: OpenWindow, page_of: PageOf) -> None:
    page = page_of(healthy())
    page.write_text(page.read_text().replace("</main>", "<script>document.title='taken'</script></main>"))
    with open_window() as window:
        window.open(page)
        assert window.page.title() != "taken"
        assert len(window.complaints) == 1
        assert "Content Security Policy" in window.complaints.pop()


def test_it_opens_out_of_the_attachment(open_window: OpenWindow, tmp_path: Path) -> None:
    packed = bundle(write_run(deleted(), tmp_path / "run"), tmp_path / "run.zip")
    with zipfile.ZipFile(packed) as archive:
        archive.extract("run/report.html", tmp_path / "elsewhere")
    with open_window() as window:
        window.open(tmp_path / "elsewhere" / "run" / "report.html")
        assert window.page.locator(WORKERS).count() == 4


@pytest.mark.timed
def test_half_a_million_requests_open_within_two_seconds(open_window: OpenWindow, page_of: PageOf) -> None:
    record = healthy()
    for step in range(17_000):
        record.answers(step / 100, s200=29, s502=step % 3)
    for step in range(6_800):
        record.probe(step / 40, "proxy" if step % 2 else "direct")
    for worker in range(900):
        at_s = worker * 0.18
        record.boots(at_s, 1000 + worker).restarts(at_s + 0.5, 1000 + worker, served=530)
    record.remove("phase", name="settle").remove("phase", name="closed").phases(settle=171.0, closed=172.0)
    page = page_of(record)
    assert page.stat().st_size < 2_000_000
    with open_window() as window:
        window.open(page)
        assert window.page.evaluate("Number(document.getElementById('timeline').dataset.afterMs)") < 2000
        assert window.page.locator(WORKERS).count() == 904
        assert sum(row["count"] for row in _answers(window.page)) > 490_000


def _answers(page: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - Playwright's page
    spec = json.loads(page.locator("#chart").text_content())
    panels = [
        panel["data"]["values"] for panel in spec["vconcat"] if panel["data"].get("name") in ("answered", "failed")
    ]
    return [row for rows in panels for row in rows]


CONTRAST = """() => {
  const light = (text) => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const one = Number(part) / 255;
      return one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (!colour.endsWith(", 0)") && colour !== "transparent") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = {};
  const kinds = ["h1", ".verdict", ".soft", ".findings li", "a", "button", "td", "pre mark", "pre .no", "tr.bad td"];
  for (const kind of kinds) {
    const element = document.querySelector(kind);
    const one = light(getComputedStyle(element).color), other = light(back(element));
    found[kind] = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  }
  return found;
}"""
"""The contrast of text and background, as the Web Content Accessibility Guidelines reckon it."""
