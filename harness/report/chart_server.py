"""What became of the server, as panels of the timeline: the socket file and the workers' lives."""

from __future__ import annotations

from collections.abc import Iterator

from harness.report.chart_data import Tables
from harness.report.chart_parts import (
    AMBER,
    BAR_PX,
    BAR_ROOM_PX,
    BLUE,
    GREEN,
    GREY,
    RED,
    Spec,
    bar_of,
    colour_and_shape,
    colour_scale,
    hover,
    panel_of,
    words_in_bar,
    x_time,
    y_rows,
)

_LANE_PX = {"few": 16, "many": 9}
_FEW_LANES = 16


def socket_panel(tables: Tables) -> Spec:
    """What the bound path named, from when to when."""
    rows = list(tables.socket) or [
        {"from": tables.from_s, "to": tables.to_s, "state": "none", "what": "no socket file"}
    ]
    return panel_of("Socket file", BAR_PX, [_socket_bar(), _socket_words()]) | {
        "data": {"name": "socket", "values": rows}
    }


def _socket_bar() -> Spec:
    colours = {"present": GREEN, "gone": RED, "another file": AMBER, "none": GREY}
    return bar_of(("what", "socket file"), said="what", color={"legend": None, "scale": colour_scale(colours)})


def _socket_words() -> Spec:
    """What the bar says of itself: all of it, or its state alone where there is no room."""
    said = f"{BAR_ROOM_PX} < 7 * length(datum.what) ? datum.state : datum.what"
    return words_in_bar("said", {"calculate": said, "as": "said"})


def workers_panel(tables: Tables) -> Spec:
    """The workers' lives as bars, and what happened in them as marks."""
    lane_px = _LANE_PX["few" if tables.lanes <= _FEW_LANES else "many"]
    labels = "datum.value + 1" if tables.workers_share else f"{_pids(tables)}[datum.value]"
    axis = {
        "values": list(range(tables.lanes)),
        "labelExpr": labels,
        "grid": False,
        "labelFontSize": min(11, lane_px - 1),
        "tickCount": tables.lanes,  # a smaller number would thin out the values
        "labelOverlap": False,
    }
    y = y_rows(tables.lanes, axis)
    title = "Workers, sharing lanes" if tables.workers_share else "Workers, a lane each"
    title += "; most bars are of many of them" if tables.workers_joined else ""
    panel = panel_of(title, max(tables.lanes, 1) * lane_px, list(_worker_layers(tables, y, lane_px)))
    marks = {"name": "marks", "values": list(tables.marks)}
    panel["layer"].append(_worker_marks(y, lane_px) | {"data": marks})
    panel["resolve"] = {"scale": {"color": "independent", "shape": "independent"}}
    return panel | {"data": {"name": "workers", "values": list(tables.workers)}}


def _pids(tables: Tables) -> str:
    """The pids by lane, in Vega's expression language: nothing but numbers may come in, whatever a record holds."""
    pids = [pid if isinstance(pid := row["pid"], int) else 0 for row in tables.workers]
    return f"[{','.join(map(str, pids))}]"


def _worker_layers(tables: Tables, y: Spec, lane_px: int) -> Iterator[Spec]:
    hint = hover(
        ("pid", "pid"),
        ("served", "requests served"),
        ("fate", "fate"),
        ("from", "from s", ".3f"),
        ("to", "to s", ".3f"),
        ("crash", "failure"),
    )
    thick = max(lane_px - 5, 5)
    seen = {row["fate"] for row in tables.workers} | {LEAVING for row in tables.workers if row["restart"] is not None}
    fates = {fate: colour for fate, colour in _FATES.items() if fate in seen}
    colour = {"field": "fate", "type": "nominal", "title": None, "scale": colour_scale(fates)}
    bar = {"type": "bar", "height": thick, "clip": True, "cornerRadius": 1, "opacity": 0.75}
    ends = {"x": x_time("from"), "x2": {"field": "to"}, "y": y}
    yield {"mark": bar, "encoding": ends | {"color": colour, "tooltip": hint, "description": {"field": "label"}}}
    yield {
        "transform": [{"filter": "datum.restart != null"}, {"calculate": f"'{LEAVING}'", "as": "fate"}],
        "mark": bar | {"opacity": 1, "aria": False},
        "encoding": {
            "x": x_time("restart"),
            "x2": {"field": "to"},
            "y": y,
            "tooltip": hint,
            "color": colour | {"legend": None},
        },
    }


LEAVING = "leaving"
_FATES = {
    "alive at the end": GREEN,
    "recycled (max_requests)": BLUE,
    LEAVING: AMBER,
    "ended": GREY,
    "failed": RED,
}
"""The colours of a worker's bar; ``leaving`` is its part from the announced restart on."""


def _worker_marks(y: Spec, lane_px: int) -> Spec:
    events = {
        "boot": (GREEN, "triangle-right"),
        "recycle": (AMBER, "diamond"),
        "exit": (GREY, "square"),
        "failure": (RED, "cross"),
    }
    return {
        "mark": {
            "type": "point",
            "filled": True,
            "size": lane_px * 4,
            "opacity": 1,
            "clip": True,
            "aria": False,
        },
        "encoding": {
            "x": x_time("at"),
            "y": y,
            **colour_and_shape("event", events),
            "tooltip": hover(("event", "event"), ("pid", "pid"), ("at", "s", ".3f"), ("served", "requests served")),
        },
    }
