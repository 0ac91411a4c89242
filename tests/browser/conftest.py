"""Chromium, headless, for the tests of the pages; where it or Playwright is missing they skip and say so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

PLACES = ("chromium", "chromium-browser", "google-chrome")
DRAWN = "#timeline[data-drawn=yes] svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """An open page and what it complained of: console messages, errors of scripts, requests that left the file."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def open(self, path: Path, *, until: str = DRAWN) -> None:
        """Open a file as a reader does, by a double click, and wait until its timeline, or what is named, is there."""
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(until)

    def shown(self) -> tuple[float, float]:
        """The seconds that the timeline shows."""
        first, last = self.page.inner_text("#shown").replace(" s", "").split(" to ")
        return float(first), float(last)


OpenWindow = Callable[..., AbstractContextManager[Window]]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running browser, one for all tests."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: make pictures")
    path = next((found for name in PLACES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(PLACES)} is on PATH (Debian: apt-get install chromium)")
    started = subprocess.run(
        [sys.executable, "-m", "playwright", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    if started.returncode:
        pytest.skip(f"Playwright's driver does not start: {started.stderr.strip().splitlines()[-1]}")
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # as root Chromium does not start with it
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=sandbox)
        yield browser
        browser.close()


@pytest.fixture
def open_window(chromium: Any) -> OpenWindow:  # noqa: ANN401 - Playwright may be missing, and its types with it
    """``with open_window(width=400, scheme="dark") as window``: at its end nothing may have complained."""

    @contextmanager
    def window(*, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Iterator[Window]:
        size = {"width": width, "height": 900}
        page = chromium.new_page(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        opened = Window(page=page)
        page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda problem: opened.complaints.append(f"error: {problem}"))
        page.on("request", lambda asked: _note_network(asked.url, opened.complaints))
        try:
            yield opened
            assert opened.complaints == []
        finally:
            page.close()

    return window


def _note_network(url: str, complaints: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        complaints.append(f"request: {url}")
