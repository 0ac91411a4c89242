"""A run as one page, ``report.html``: it needs no network, opens from a zip, and shows at a glance what happened.

The page is put together from escaped text (``page_sections``), the timeline as data (``chart``), and the files in
``assets``, of which the charting library is the large one. No record can bring a script into it: see ``frame``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.errors import UsageError
from harness.core.events.base import Event, strip_arm
from harness.core.events.servers import TracedRemoval
from harness.core.model import Json
from harness.records.stored import StoredRun
from harness.report import page_sections as parts
from harness.report import summary
from harness.report.assets import LIBRARY
from harness.report.drawing import Chart, draw
from harness.report.excerpts import Excerpt, excerpts
from harness.report.fields import items, text
from harness.report.frame import render_frame
from harness.report.markup import data_block, esc, section

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
    ("measured", "What was measured"),
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
    scripts = (LIBRARY, "page.js") if 'id="chart"' in body else ()
    return render_frame(title, body, styles=("page.css",), scripts=scripts)


def _events(stored: StoredRun) -> tuple[Sequence[Event], str]:
    """The events, or none and why: a page about a broken record is better than no page."""
    try:
        return list(stored.events()), ""
    except UsageError as problem:
        return (), problem.what


def _body(stored: StoredRun, verdict: Mapping[str, Json], logs: Sequence[Excerpt]) -> str:
    events, problem = _events(stored)
    removals = [event for event in map(strip_arm, events) if isinstance(event, TracedRemoval)]
    sections = [
        parts.heading(stored, verdict),
        parts.measured(verdict),
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
        drawn = [] if problem else _drawn(draw(stored.cell, events, items(verdict, "story")))
    except UsageError as broken:
        drawn, problem = [], broken.what
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as broken:  # a record from somebody else
        drawn, problem = [], f"an event holds what no event of its kind does ({type(broken).__name__}: {broken})"
    told = [f"<p>It can't be drawn: {esc(problem)}</p>"] if problem else drawn
    return section("timeline-part", "Timeline", [*told, parts.moments(verdict)])


def _drawn(chart: Chart | None) -> list[str]:
    """The place where the script draws, how to handle it, and the data that it draws from."""
    if chart is None:
        return []
    zoom = {"from": chart.from_s, "to": chart.to_s, "focus": chart.focus_s, "near": chart.near_s}
    about = "Drag over a stretch of time to zoom in; a double click shows the whole run. Hover for details."
    return [
        f'<div class="tools">{"".join(_buttons(chart))}<span id="shown" class="soft" role="status"></span></div>',
        f'<div id="timeline" tabindex="0" role="group" aria-label="{_KEYS}"></div>',
        f'<p class="soft">{about}</p>',
        "<noscript><p>The timeline needs a script of this page to be drawn; all else needs none.</p></noscript>",
        data_block("chart", chart.spec),
        data_block("range", zoom),
    ]


def _buttons(chart: Chart) -> list[str]:
    return [
        f'<button type="button" data-do="{name}" title="Key: {esc(key)}">{esc(title)}</button>'
        for name, title, key in _BUTTONS
        if name != "focus" or chart.focus_s is not None
    ]
