"""The disturbances of the timeline: a panel with a bar each, and the same stretch of time shaded in the others."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.chart_data import DONE, IN_VAIN, Tables
from harness.report.chart_lives import Row
from harness.report.chart_parts import (
    BAR_PX,
    BAR_ROOM_PX,
    RED,
    TEAL,
    Spec,
    bar_of,
    colour_scale,
    hover,
    panel_of,
    words_in_bar,
    x_time,
)

_SHADE = 0.2
"""How much of a band is seen behind the marks of a panel: on a light and on a dark page, and below any of them."""

_COLOURS = {DONE: TEAL, IN_VAIN: RED}


def disturbances_panel(tables: Tables) -> Spec:
    """From when to when each lasted, with its name."""
    panel = panel_of("Disturbances, shaded below", BAR_PX, [_bar(tables.disturbances), _words()])
    return panel | {"data": {"name": "disturbances", "values": list(tables.disturbances)}}


def _bar(rows: Sequence[Row]) -> Spec:
    seen = {row["state"] for row in rows}
    colours = {state: colour for state, colour in _COLOURS.items() if state in seen}
    return bar_of(("label", "disturbance"), said="said", color={"title": None, "scale": colour_scale(colours)})


def _words() -> Spec:
    """The name of a disturbance, where a part of its bar is shown."""
    return words_in_bar("name", {"filter": f"{BAR_ROOM_PX} > 7"})


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
