"""A run as one page, ``report.html``: it needs no network, opens from a zip, and shows at a glance what happened.

The page is put together from escaped text (``page_sections``), the timeline as data (``chart``), and the files in
``assets``, of which the charting library is the large one. No record can bring a script into it: its policy allows
the page's own two scripts, by their checksums, and nothing from anywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import UsageError
from harness.model import Event, Json
from harness.privacy import current_identity, make_scrubber
from harness.report import page_sections as parts
from harness.report import summary
from harness.report.assets import LIBRARY, allowed_source, read_asset
from harness.report.chart import draw_timeline, shown_range
from harness.report.chart_data import Tables, tabulate
from harness.report.excerpts import Excerpt, excerpts
from harness.report.fields import items, text
from harness.report.markup import data_block, esc, section
from harness.stored import StoredRun
from harness.timeline import observe

LEAST_NEAR_S = 0.3
"""Around the first failure at least so much is shown: bursts last some ten milliseconds, worker boots a hundred."""

_NOTHING_ELSE = "img-src data:; base-uri 'none'; form-action 'none'"

_BUTTONS = (
    ("focus", "First failure", "f"),
    ("whole", "Whole run", "0"),
    ("nearer", "Zoom in", "+"),
    ("farther", "Zoom out", "-"),
    ("earlier", "Earlier", "left arrow"),
    ("later", "Later", "right arrow"),
)
_KEYS = "Timeline. Keys: f first failure, 0 whole run, plus and minus zoom, arrows move."
_CONTENTS = (
    ("timeline-part", "Timeline"),
    ("culprit", "Who did it"),
    ("counts", "Counts"),
    ("logs", "Logs"),
    ("configuration", "Configuration"),
    ("environment", "Environment"),
    ("repeat", "How to repeat this"),
)


def render_html(stored: StoredRun, logs: Sequence[Excerpt] | None = None) -> str:
    """The page; UsageError where the run has no verdict.

    Where the events can't be read, the page says why it has no timeline. ``logs`` are the run's excerpts, where the
    caller has them already. Home folders and names of user and host are taken out, as from the attachment.
    """
    verdict = stored.judged()
    body = _body(stored, verdict, excerpts(stored) if logs is None else logs)
    title = f"{summary.subject(verdict)}: {text(verdict, 'verdict')}"
    return _page(_without_private_names(title), _without_private_names(body))


def _events(stored: StoredRun) -> tuple[Sequence[Event], str]:
    """The events, or none and why: a page about a broken record is better than no page."""
    try:
        return list(stored.events()), ""
    except UsageError as problem:
        return (), problem.what


def _body(stored: StoredRun, verdict: Mapping[str, Json], logs: Sequence[Excerpt]) -> str:
    events, problem = _events(stored)
    removals = [event for event in events if event.kind == "removal"]
    sections = [
        parts.heading(stored, verdict),
        _timeline(stored, verdict, events, problem),
        parts.culprits(verdict, removals),
        parts.counts(verdict),
        parts.logs(logs),
        parts.configuration(stored),
        parts.environment(stored, verdict),
        parts.repeating(stored),
    ]
    links = [f'<a href="#{name}">{title}</a>' for name, title in _CONTENTS if f' id="{name}"' in "".join(sections)]
    return "\n".join([sections[0], f'<nav aria-label="Contents">{"".join(links)}</nav>', *sections[1:]])


def _timeline(stored: StoredRun, verdict: Mapping[str, Json], events: Sequence[Event], problem: str) -> str:
    try:
        drawn = [] if problem else _drawn(tabulate(observe(stored.cell, events)), verdict)
    except UsageError as broken:
        drawn, problem = [], broken.what
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as broken:  # a record from somebody else
        drawn, problem = [], f"an event holds what no event of its kind does ({type(broken).__name__}: {broken})"
    told = [f"<p>It can't be drawn: {esc(problem)}</p>"] if problem else drawn
    return section("timeline-part", "Timeline", [*told, parts.moments(verdict)])


def _drawn(tables: Tables, verdict: Mapping[str, Json]) -> list[str]:
    """The place where the script draws, how to handle it, and the data that it draws from."""
    from_s, to_s = shown_range(tables)
    near_s = max(LEAST_NEAR_S, 10 * tables.bin_s)
    zoom = {"from": from_s, "to": to_s, "focus": tables.focus_s, "near": near_s}
    about = "Drag over a stretch of time to zoom in; a double click shows the whole run. Hover for details."
    return [
        f'<div class="tools">{"".join(_buttons(tables))}<span id="shown" class="soft" role="status"></span></div>',
        f'<div id="timeline" tabindex="0" role="group" aria-label="{_KEYS}"></div>',
        f'<p class="soft">{about}</p>',
        "<noscript><p>The timeline needs a script of this page to be drawn; all else needs none.</p></noscript>",
        data_block("chart", draw_timeline(tables, items(verdict, "story"))),
        data_block("range", zoom),
    ]


def _buttons(tables: Tables) -> list[str]:
    return [
        f'<button type="button" data-do="{name}" title="Key: {esc(key)}">{esc(title)}</button>'
        for name, title, key in _BUTTONS
        if name != "focus" or tables.focus_s is not None
    ]


def _without_private_names(raw: str) -> str:
    scrub = make_scrubber(current_identity())
    return "".join(scrub(one.encode("utf-8", "replace")).decode() for one in raw.splitlines(keepends=True))


def _page(title: str, body: str) -> str:
    drawn = 'id="chart"' in body
    scripts = (LIBRARY, "page.js") if drawn else ()
    allowed = " ".join(map(allowed_source, scripts)) or "'none'"
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; {_NOTHING_ELSE}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">',
            f"<title>{esc(title)}</title>",
            f"<style>{read_asset('page.css')}</style></head><body><main>",
            body,
            "</main>",
            *(f"<script>{read_asset(script)}</script>" for script in scripts),
            "</body></html>\n",
        ]
    )
