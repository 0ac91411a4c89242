"""The formats of ``harness report``: a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.records.stored import StoredRun
from harness.report.as_html import render_html
from harness.report.as_json import render_json
from harness.report.as_junit import render_junit
from harness.report.as_markdown import render_markdown
from harness.report.picture import render_png, render_svg

FORMATS: Mapping[str, Callable[[StoredRun], str | bytes]] = {
    "md": render_markdown,
    "html": render_html,
    "json": render_json,
    "junit": render_junit,
    "svg": render_svg,
    "png": render_png,
}
"""By the name of ``--format``. The terminal's rendering takes a width and is called by its own name."""

PICTURES = frozenset({"svg", "png"})
"""The formats that need the extra of that name."""

FILES: Mapping[str, str] = {
    "md": "report.md",
    "html": "report.html",
    "json": "report.json",
    "junit": "report.xml",
    "svg": "timeline.svg",
    "png": "timeline.png",
}
"""What a rendering is called where it is written as a file."""
