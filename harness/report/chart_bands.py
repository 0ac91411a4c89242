"""The disturbances of the timeline: a panel with a bar each, and the same stretch of time shaded in the others."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.chart_data import DONE, IN_VAIN, Tables
from harness.report.chart_lives import Row
from harness.report.chart_parts import RED, TEAL, Spec, colour_scale, hover, panel_of, x_time

_PX = 24
_SHADE = 0.2
"""How much of a band is seen behind the marks of a panel: on a light and on a dark page, and below any of them."""

_COLOURS = {DONE: TEAL, IN_VAIN: RED}


def disturbances_panel(tables: Tables) -> Spec:
    """From when to when each lasted, with its name."""
    panel = panel_of("Disturbances, shaded below", _PX, [_bar(tables.disturbances), _words()])
    return panel | {"data": {"name": "disturbances", "values": list(tables.disturbances)}}


def _bar(rows: Sequence[Row]) -> Spec:
    seen = {row["state"] for row in rows}
    colours = {state: colour for state, colour in _COLOURS.items() if state in seen}
    return {
        "mark": {"type": "rect", "clip": True, "cornerRadius": 2},
        "encoding": {
            "x": x_time("from"),
            "x2": {"field": "to"},
            "y": {"value": 0},
            "y2": {"value": _PX},
            "tooltip": hover(("label", "disturbance"), ("from", "from s", ".3f"), ("to", "to s", ".3f")),
            "description": {"field": "said"},
            "color": {"field": "state", "type": "nominal", "title": None, "scale": colour_scale(colours)},
        },
    }


def _words() -> Spec:
    """The name of a disturbance, as much of it as the part of its bar that is shown has room for."""
    room_px = "(min(datum.to, shown_to) - datum.seen) / (shown_to - shown_from) * width - 8"
    return {
        "transform": [
            {"calculate": "max(datum.from, shown_from)", "as": "seen"},
            {"filter": "datum.to > shown_from && datum.from < shown_to"},
            {"filter": f"{room_px} > 7"},
        ],
        "mark": {
            "type": "text",
            "align": "left",
            "dx": 6,
            "fontSize": 12,
            "fontWeight": "bold",
            "color": "white",
            "clip": True,
            "aria": False,
            "limit": {"expr": f"max({room_px}, 1)"},
        },
        "encoding": {"x": x_time("seen"), "y": {"value": _PX / 2}, "text": {"field": "name"}},
    }


def shade(panel: Spec, rows: Sequence[Row]) -> Spec:
    """The panel with a band behind all its marks for each disturbance: nothing of theirs is hidden."""
    if not rows:
        return panel
    values = [{name: row[name] for name in ("from", "to", "label")} for row in rows]
    band: Spec = {
        "data": {"values": values},
        "mark": {"type": "rect", "clip": True, "aria": False, "color": TEAL, "opacity": _SHADE},
        "encoding": {
            "x": x_time("from"),
            "x2": {"field": "to"},
            "y": {"value": 0},
            "y2": {"value": panel["height"]},
            "tooltip": hover(("label", "disturbance"), ("from", "from s", ".3f"), ("to", "to s", ".3f")),
        },
    }
    return panel | {"layer": [band, *panel["layer"]]}
