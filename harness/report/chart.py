"""The timeline of a run as a Vega-Lite specification: the panels from above to below, and the numbered moments.

It makes a dict from tables. The page draws it in the browser with the library that it contains, ``picture`` without a
browser. ``chart_server`` and ``chart_answers`` have the other panels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.report.chart_answers import answers_panels, probes_panel
from harness.report.chart_bands import disturbances_panel, shade
from harness.report.chart_data import Tables
from harness.report.chart_lives import Row
from harness.report.chart_parts import RED, Spec, axis_below, hover, panel_of, whole_chart, x_time, y_rows
from harness.report.chart_server import socket_panel, workers_panel
from harness.report.fields import items, number, text

_CLOSE = 0.075
"""Moments nearer to each other than this part of the span get rows of their own."""


def draw_timeline(tables: Tables, story: Sequence[Any] = ()) -> Spec:
    """The specification, its data included. ``story``: the moments as stored, with ``at_s`` and ``what``.

    ``shown_from`` and ``shown_to`` are the parameters that zoom: seconds since the load began.
    """
    panels = [_moments(tables, story)] if story else []
    panels += [disturbances_panel(tables)] if tables.disturbances else []
    shown = [socket_panel(tables), workers_panel(tables), *answers_panels(tables), probes_panel(tables)]
    panels += [shown[0], *(shade(panel, tables.disturbances) for panel in shown[1:])]
    axis_below(panels[-1])
    disturbances = ", the disturbances" if tables.disturbances else ""
    return whole_chart(
        f"What happened when: the socket file, the workers, the answers and the probes{disturbances}.",
        panels,
        shown_range(tables),
        scales={"x": "shared", "color": "independent", "shape": "independent"},
    )


def shown_range(tables: Tables) -> tuple[float, float]:
    """The whole run in seconds, with a little air, so that marks at its ends are seen whole."""
    air_s = (tables.to_s - tables.from_s) * 0.03
    return round(tables.from_s - air_s, 4), round(tables.to_s + air_s, 4)


def _moments(tables: Tables, story: Sequence[Any]) -> Spec:
    rows = place_moments(story, tables.to_s - tables.from_s)
    depth = 1 + max((lane for row in rows if isinstance(lane := row["lane"], int)), default=0)
    hint = hover(("number", "moment"), ("at", "s", ".3f"), ("what", "what"))
    x, y = x_time("at"), y_rows(depth, {"labels": False, "ticks": False, "grid": False, "domain": False})
    circle = {"type": "circle", "size": 230, "color": {"expr": f"datum.bad ? '{RED}' : '#6e7781'"}, "opacity": 1}
    number_in = {"type": "text", "fontSize": 10, "fontWeight": "bold", "color": "white", "clip": True, "aria": False}
    layers: list[Spec] = [
        {
            "mark": circle | {"clip": True},
            "encoding": {"x": x, "y": y, "tooltip": hint, "description": {"field": "label"}},
        },
        {"mark": number_in, "encoding": {"x": x, "y": y, "tooltip": hint, "text": {"field": "number"}}},
    ]
    panel = panel_of("Moments, numbered as below", 18 * depth + 2, layers)
    return panel | {"data": {"name": "moments", "values": rows}}


def place_moments(story: Sequence[Any], span_s: float) -> list[Row]:
    """The moments with their numbers, in as many rows as keep them apart."""
    last_s: list[float] = []
    rows: list[Row] = []
    for index, moment in enumerate(items({"story": story}, "story"), start=1):
        at_s, what = number(moment, "at_s"), text(moment, "what")
        if at_s is None:
            continue
        lane = next((row for row, before_s in enumerate(last_s) if at_s - before_s > span_s * _CLOSE), len(last_s))
        last_s[lane : lane + 1] = [float(at_s)]
        label = f"moment {index}, {at_s:.3f} s: {what}"
        rows.append({"at": at_s, "what": what, "number": str(index), "lane": lane, "bad": _bad(what), "label": label})
    return rows


def _bad(what: str) -> bool:
    return any(word in what for word in ("gone", "fail", "calls os.", "ended with status", "another file"))
