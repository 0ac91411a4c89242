"""The site as a reader meets it: from the disk, narrow and wide, light and dark, sorted and narrowed down, offline."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.core import locks
from tests.browser.conftest import OpenWindow, Window
from tests.browser.test_report_page import CONTRAST

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("index.html", "edges.html", "recorded.html", "docs/safe.html", "docs/verdict.html")
READY = "#filters:not([hidden])"
SIDEWAYS = "document.documentElement.scrollWidth > innerWidth"
KINDS = '["h1", ".verdict.bad", ".verdict.good", ".soft", "td", ".head"]'
SHOWN = "#cells tbody tr:not([hidden])"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole site, with the pages of two records; made once for all workers of pytest-xdist."""
    pytest.importorskip("sphinx", reason="Sphinx is not installed: make generator")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with closing(locks.take_exclusive(shared / "site.lock", on_wait=lambda: None)):
        out = shared / "site"
        if not out.exists():
            make_site(tmp_path_factory.mktemp("records"), tmp_path_factory.mktemp("pages") / "site").rename(out)
    return out


def make_site(records: Path, out: Path) -> Path:
    for name in ("gthread-19.6.0.zip", "scenario-tcp.zip"):
        shutil.copy(ROOT / "tests" / "records" / name, records)
    command = [sys.executable, "-m", "maintenance.site", "--out", str(out), "--records", str(records)]
    made = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=120, check=False)
    assert made.returncode == 0, made.stdout + made.stderr  # a link that leads nowhere is an error
    return out


def releases(window: Window) -> list[str]:
    found: list[str] = window.page.eval_on_selector_all(SHOWN, "rows => rows.map(row => row.dataset.release)")
    return found


def column(window: Window, at: int) -> list[str]:
    found: list[str] = window.page.eval_on_selector_all(SHOWN, f"rows => rows.map(row => row.cells[{at}].textContent)")
    return found


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (800, "light"), (1400, "dark")])
def test_every_page_fits_can_be_read_and_asks_no_network(
    open_window: OpenWindow, site: Path, width: int, scheme: str
) -> None:
    with open_window(width=width, scheme=scheme) as window:  # at its end it asserts that nothing was asked for
        for page in PAGES:
            window.open(site / page, until="h1")
            assert not window.page.evaluate(SIDEWAYS), page
        window.open(site / "cells.html", until=READY)
        assert not window.page.evaluate(SIDEWAYS)
        contrast = window.page.evaluate(CONTRAST.replace("kind of kinds", f"kind of {KINDS}"))
        assert len(contrast) == 6
        assert min(contrast.values()) >= 4.5, contrast


def test_every_link_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    pages = [path for path in site.rglob("*.html") if "records" not in path.relative_to(site).parts]
    assert len(pages) > 40
    for page in pages:
        text = page.read_text()
        loaded = re.findall(r'<(?:script|img|link)\b[^>]*?\b(?:src|href)="([^"]+)"', text)
        links = [unescape(link) for link in re.findall(r'\bhref="([^"#?]+)[^"]*"', text)]
        assert [link for link in loaded if "://" in link or link.startswith("//")] == []
        inside = {unquote(link) for link in links if not re.match(r"[a-z]+:", link)}
        assert [link for link in inside if not (page.parent / link).exists()] == [], page


def test_cells_are_narrowed_down_by_all_that_they_have(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site / "cells.html", until=READY)
        everything = len(releases(window))
        window.page.locator("[name=from]").select_option("19.5.0")
        window.page.locator("[name=to]").select_option("19.7.0")
        assert set(releases(window)) == {"19.5.0", "19.6.0", "19.7.0"}
        window.page.locator("[name=finding]").select_option("socket-deleted")
        assert set(releases(window)) == {"19.6.0"}
        window.page.get_by_label("nginx", exact=True).uncheck()
        window.page.get_by_label("gthread", exact=True).uncheck()
        assert "gthread" not in column(window, 2)
        assert "nginx" not in column(window, 3)
        window.page.locator("[data-only=disturb]").click()
        assert releases(window) == []
        assert window.page.locator("#none").is_visible()
        address = window.page.url
        window.page.get_by_role("button", name="Show all").click()
        assert len(releases(window)) == everything
    with open_window() as window:
        window.page.goto(f"{address}&outcome=violated".replace("disturb=&", "disturb=recycle&"))
        window.page.wait_for_selector(READY)
        assert set(releases(window)) == {"19.6.0"}


def test_a_head_sorts_by_its_column(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site / "cells.html", until=READY)
        newest = releases(window)[0]
        window.page.get_by_role("button", name="Release").click()
        assert releases(window)[0] == "19.0.0"
        assert releases(window)[-1] == newest
        window.page.get_by_role("button", name="Lost").focus()
        window.page.keyboard.press("Enter")
        window.page.keyboard.press("Enter")
        head = window.page.locator("th", has=window.page.get_by_role("button", name="Lost"))
        assert head.get_attribute("aria-sort") == "descending"
        shares = [float(said.partition("%")[0]) for said in column(window, 6) if "%" in said]
        assert shares == sorted(shares, reverse=True)


def test_a_cell_leads_to_its_runs_and_to_a_record(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site / "cells.html", until=READY)
        row = window.page.locator('tr[data-release="19.6.0"][data-worker="gthread"][data-proxy="h2o"]')
        reload = window.page.locator('tr[data-release="19.6.0"][data-disturb="reload"]').first
        assert "socket file gone at" in reload.locator("svg title").first.text_content()
        row.locator("summary").first.click()
        assert "1298" in row.locator("details[open]").inner_text()
        row.get_by_text("a recorded run").first.click()
        window.page.wait_for_url("**/records/gthread-19.6.0/report.html")
        assert "socket file deleted" in window.page.inner_text("main").lower()


def test_the_map_names_the_commits(open_window: OpenWindow, site: Path) -> None:
    with open_window() as window:
        window.open(site / "edges.html", until="#map")
        row = window.page.locator("#map tbody tr").filter(has_text="socket-deleted").first
        assert row.locator("td.all").get_attribute("title").startswith("19.6.0: ")
        assert window.page.get_by_text("418f1404").count() >= 1


def test_the_first_page_answers_whether_a_release_is_safe(open_window: OpenWindow, site: Path) -> None:
    with open_window(width=400) as window:
        window.open(site / "index.html", until="#safe:not([hidden])")
        window.page.locator("[name=release]").select_option("19.6.0")
        assert window.page.inner_text("#answer").startswith("outage")
        window.page.locator("[name=worker]").select_option("sync")
        window.page.locator("[name=proxy]").select_option("h2o")
        assert window.page.inner_text("#answer").startswith("safe")
        window.page.get_by_text("The runs behind it").click()
        window.page.wait_for_selector(READY)
        assert set(releases(window)) == {"19.6.0"}
        assert set(column(window, 2)) == {"sync"}


def test_without_scripts_everything_is_there(open_window: OpenWindow, site: Path) -> None:
    with open_window(scripts=False) as window:
        window.open(site / "cells.html", until="#cells")
        assert window.page.locator("#filters").is_hidden()
        assert window.page.locator("#cells tbody tr").count() > 200
