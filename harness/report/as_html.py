"""A run as one page, ``report.html``: it needs no network, opens from a zip, and shows at a glance what happened.

The page is put together from escaped text (``page_sections``), the timeline as data (``chart``), and the files in
``assets``, of which the charting library is the large one. No record can bring a script into it: its policy allows
the page's own two scripts, by their checksums, and nothing from anywhere else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.errors import UsageError
from harness.model import Event, Json
from harness.privacy import current_identity, make_scrubber
from harness.report import page_sections as parts
from harness.report import summary
from harness.report.chart import draw_timeline, shown_range
from harness.report.chart_data import Tables, tabulate
from harness.report.fields import items, text
from harness.report.markup import data_block, esc
from harness.stored import StoredRun
from harness.timeline import observe

LEAST_NEAR_S = 0.3
"""Around the first failure at least so much is shown: bursts last some ten milliseconds, worker boots a hundred."""

_BUTTONS = (
    ("focus", "First failure", "f"),
    ("whole", "Whole run", "0"),
    ("nearer", "Zoom in", "+"),
    ("farther", "Zoom out", "-"),
    ("earlier", "Earlier", "left arrow"),
    ("later", "Later", "right arrow"),
)
_CONTENTS = (
    ("timeline-part", "Timeline"),
    ("culprit", "Who did it"),
    ("counts", "Counts"),
    ("logs", "Logs"),
    ("configuration", "Configuration"),
    ("environment", "Environment"),
    ("repeat", "How to repeat this"),
)


def render_html(stored: StoredRun) -> str:
    """The page; UsageError where the run has no verdict. A run without events gets a page without a timeline.

    Home folders and names of user and host are taken out, as from the attachment.
    """
    verdict = stored.judged()
    events = _events(stored)
    body = _body(stored, verdict, events)
    return _page(summary.subject(verdict), text(verdict, "verdict"), _without_private_names(body))


def _events(stored: StoredRun) -> Sequence[Event]:
    """The events, none where the run ended before the first one or its file was taken out."""
    try:
        return list(stored.events())
    except UsageError:
        if (stored.path / "events.jsonl").exists():
            raise
        return ()


def _body(stored: StoredRun, verdict: Mapping[str, Json], events: Sequence[Event]) -> str:
    removals = [event for event in events if event.kind == "removal"]
    sections = [
        parts.heading(stored, verdict),
        _timeline(stored, verdict, events),
        parts.culprits(verdict, removals),
        parts.counts(verdict),
        parts.logs(stored),
        parts.configuration(stored),
        parts.environment(stored, verdict),
        parts.repeating(stored),
    ]
    links = [f'<a href="#{name}">{title}</a>' for name, title in _CONTENTS if f' id="{name}"' in "".join(sections)]
    return "\n".join([sections[0], f'<nav aria-label="Contents">{"".join(links)}</nav>', *sections[1:]])


def _timeline(stored: StoredRun, verdict: Mapping[str, Json], events: Sequence[Event]) -> str:
    if not events:
        return ""
    tables = tabulate(observe(stored.cell, events))
    from_s, to_s = shown_range(tables)
    near_s = max(LEAST_NEAR_S, 10 * tables.bin_s)
    zoom = {"from": from_s, "to": to_s, "focus": tables.focus_s, "near": near_s}
    about = (
        "Drag over a stretch of time to zoom in; a double click shows the whole run. Hover over anything for details."
    )
    return "\n".join(
        [
            '<section id="timeline-part" aria-labelledby="timeline-title"><h2 id="timeline-title">Timeline</h2>',
            f'<div class="tools">{"".join(_buttons(tables))}<span id="shown" class="soft" role="status"></span></div>',
            '<div id="timeline" tabindex="0" role="group" aria-label="Timeline. Keys: f first failure, 0 whole run, '
            'plus and minus zoom, arrows move."></div>',
            f'<p class="soft">{about}</p>',
            "<noscript><p>The timeline is drawn by a script of this page; everything else is here without it.</p></noscript>",
            parts.moments(verdict),
            "</section>",
            data_block("chart", draw_timeline(tables, items(verdict, "story"))),
            data_block("range", zoom),
        ]
    )


def _buttons(tables: Tables) -> list[str]:
    return [
        f'<button type="button" data-do="{name}" title="Key: {esc(key)}">{esc(title)}</button>'
        for name, title, key in _BUTTONS
        if name != "focus" or tables.focus_s is not None
    ]


def _without_private_names(body: str) -> str:
    scrub = make_scrubber(current_identity())
    return "".join(scrub(one.encode("utf-8", "replace")).decode() for one in body.splitlines(keepends=True))


def _page(title: str, outcome: str, body: str) -> str:
    drawn = 'id="chart"' in body
    scripts = [_asset("vega.min.js"), _asset("page.js")] if drawn else []
    allowed = " ".join(f"'sha256-{_checksum(script)}'" for script in scripts) or "'none'"
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{esc(title)}: {esc(outcome)}</title>",
            f"<style>{_asset('page.css')}</style></head><body><main>",
            body,
            "</main>",
            *(f"<script>{script}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / "assets" / name).read_text(encoding="utf-8")


@cache
def _checksum(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
