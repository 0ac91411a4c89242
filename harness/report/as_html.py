"""A run as one page, ``report.html``: it needs no network, opens from a zip, and shows at a glance what happened.

The page is the template ``run.html.j2`` over a view of the run, the timeline as data (``chart``), and the files in
``assets``, of which the charting library is the large one. No record can bring a script into it: ``frame.html.j2``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from harness.core.errors import UsageError
from harness.core.events.base import Event, strip_arm
from harness.core.events.servers import TracedRemoval
from harness.core.frozen import dataclass
from harness.records.stored import StoredRun
from harness.report.drawing import draw
from harness.report.excerpts import Excerpt, excerpts
from harness.report.fields import items
from harness.report.still import Still, draw_still
from harness.report.templates import render
from harness.report.view import view_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the page's script draws from, as JSON: the chart, and which part of it is shown; ``problem`` is why not."""

    chart: str = ""
    shown: str = ""
    has_focus: bool = False
    still: Still | None = None  # the same for readers without script
    problem: str = ""


def render_html(stored: StoredRun, logs: Sequence[Excerpt] | None = None) -> str:
    """The page.

    Where the events can't be read, the page says why it has no timeline. ``logs`` are the run's excerpts, where the
    caller has them already. Home folders and names of user and host are removed, as from the attachment.

    Raises:
        UsageError: the run has no verdict.
    """
    stored.judged()
    passing = _Removals(stored.events())
    drawing = _draw(stored, passing)
    run = view_run(stored, logs=excerpts(stored) if logs is None else logs, removals=passing.found)
    return render("run.html.j2", run=run, drawing=drawing)


class UnreadableError(Exception):
    """The events of the record can't be read; its text says why."""


class _Removals:
    """The events on their way to the chart, and the traced removals among them: a record is read once."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self.found: list[TracedRemoval] = []

    def __iter__(self) -> Iterator[Event]:
        while True:
            try:
                event = next(self._events, None)
            except UsageError as problem:
                raise UnreadableError(problem.what) from problem
            if event is None:
                return
            bare = strip_arm(event)
            if isinstance(bare, TracedRemoval):
                self.found.append(bare)
            yield event


def _draw(stored: StoredRun, events: _Removals) -> Drawing:
    """The drawing; where the events can't be read, why not: a page about a broken record is better than no page."""
    try:
        drawing = _draw_readable(stored, events)
        for _ in events:  # what the chart did not ask for
            pass
    except UnreadableError as broken:
        events.found.clear()
        return Drawing(problem=str(broken))
    return drawing


def _draw_readable(stored: StoredRun, events: Iterable[Event]) -> Drawing:
    try:
        drawn = draw(stored.cell, events, items(stored.judged(), "story"))
        if drawn is None:
            return Drawing()
        shown = {"from": drawn.from_s, "to": drawn.to_s, "focus": drawn.focus_s, "near": drawn.near_s}
        has_focus, still = drawn.focus_s is not None, draw_still(drawn.spec)
        return Drawing(chart=_to_json(drawn.spec), shown=_to_json(shown), has_focus=has_focus, still=still)
    except UsageError as broken:
        return Drawing(problem=broken.what)
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as broken:  # a record from another machine
        said = f"{type(broken).__name__}: {broken}"
        return Drawing(problem=f"an event holds what no event of its kind does ({said})")


def _to_json(data: object) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
