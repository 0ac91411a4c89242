"""The timeline as a Vega-Lite specification: which panels there are, how they are laid out, and what a colour means.

A dict out of tables, nothing else: the page draws it in the browser with the library that travels with it, ``picture``
without a browser. Colours are chosen for a light and a dark background alike, and never say anything alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.model import is_failure
from harness.report.chart_data import Row, Tables
from harness.report.chart_parts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    RED,
    SCHEMA,
    Spec,
    axis_below,
    chart_config,
    colour_scale,
    hover,
    panel_of,
    x_time,
    y_axis,
)
from harness.report.fields import items, number, text

_OUTCOMES = {
    "200": BLUE,
    "500": "#a0526b",
    "502": RED,
    "503": "#e8663c",
    "504": "#c2830a",
    "closed": PURPLE,
    "timeout": "#d14f9b",
    "refused": "#7a5af5",
    "missing": "#8f6b2f",
}
_DECADES = [0.01, 0.1, 1, 10, 100, 1000, 10_000]
_LANE_PX = {"few": 16, "many": 9}
_FEW_LANES = 16
_CLOSE = 0.05
"""Moments nearer to each other than this part of the span get rows of their own."""


def draw_timeline(tables: Tables, story: Sequence[Any] = (), *, width_px: int = 860) -> Spec:
    """The specification, its data included. ``story``: the moments as stored, with ``at_s`` and ``what``.

    ``shown_from`` and ``shown_to`` are the parameters that zoom: seconds since the load began.
    """
    panels = [_moments(tables, story)] if story else []
    panels += [_socket(tables), _workers(tables), *_answers(tables), _latency(tables)]
    for panel in panels:
        panel["width"] = width_px
    axis_below(panels[-1])
    from_s, to_s = shown_range(tables)
    return {
        "$schema": SCHEMA,
        "description": "What happened when: the socket file, the workers, the answers and the probes.",
        "background": None,
        "padding": 4,
        "spacing": 10,
        "params": [{"name": "shown_from", "value": from_s}, {"name": "shown_to", "value": to_s}],
        "vconcat": panels,
        "resolve": {"scale": {"x": "shared", "color": "independent", "shape": "independent"}},
        "config": chart_config(),
    }


def shown_range(tables: Tables) -> tuple[float, float]:
    """The whole run in seconds, with a little air, so that marks at its ends are seen whole."""
    air_s = (tables.to_s - tables.from_s) * 0.015
    return round(tables.from_s - air_s, 4), round(tables.to_s + air_s, 4)


def _rows_y(rows: int, axis: Spec) -> Spec:
    return y_axis("lane", axis=axis, scale={"domain": [-0.5, max(rows, 1) - 0.5], "reverse": True, "nice": False})


# --- panels, from above to below --------------------------------------------------------------------------------


def _moments(tables: Tables, story: Sequence[Any]) -> Spec:
    rows = place_moments(story, tables.to_s - tables.from_s)
    depth = 1 + max((lane for row in rows if isinstance(lane := row["lane"], int)), default=0)
    hint = hover(("number", "moment"), ("at", "s", ".3f"), ("what", "what"))
    x, y = x_time("at"), _rows_y(depth, {"labels": False, "ticks": False, "grid": False, "domain": False})
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


def _socket(tables: Tables) -> Spec:
    colours = {"present": GREEN, "gone": RED, "another file": AMBER}
    rows = list(tables.socket) or [
        {"from": tables.from_s, "to": tables.to_s, "state": "none", "what": "no socket file"}
    ]
    encoding = {"x": x_time("from"), "y": {"value": 0}, "y2": {"value": 24}}
    shown = hover(("what", "socket file"), ("from", "from s", ".3f"), ("to", "to s", ".3f"))
    bar: Spec = {
        "mark": {"type": "rect", "clip": True, "cornerRadius": 2},
        "encoding": encoding
        | {
            "x2": {"field": "to"},
            "tooltip": shown,
            "description": {"field": "what"},
            "color": {
                "field": "state",
                "type": "nominal",
                "legend": None,
                "scale": colour_scale(colours | {"none": GREY}),
            },
        },
    }
    words: Spec = {
        "transform": [
            {"calculate": "max(datum.from, shown_from)", "as": "seen"},
            {"filter": "datum.to > shown_from && datum.from < shown_to"},
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
        },
        "encoding": {"x": x_time("seen"), "y": {"value": 12}, "text": {"field": "what"}},
    }
    seen_px = "(min(datum.to, shown_to) - datum.seen) / (shown_to - shown_from) * width - 8"
    words["mark"]["limit"] = {"expr": f"max({seen_px}, 1)"}
    words["transform"].append(
        {"calculate": f"{seen_px} < 7 * length(datum.what) ? datum.state : datum.what", "as": "said"}
    )
    words["encoding"]["text"] = {"field": "said"}
    return panel_of("Socket file", 24, [bar, words]) | {"data": {"name": "socket", "values": rows}}


def _workers(tables: Tables) -> Spec:
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
    y = _rows_y(tables.lanes, axis)
    title = "Workers, sharing lanes" if tables.workers_share else "Workers, a lane each"
    title += " (orange: leaving)"
    panel = panel_of(title, max(tables.lanes, 1) * lane_px, list(_worker_layers(y, lane_px)))
    marks = {"name": "marks", "values": list(tables.marks)}
    panel["layer"].append(_worker_marks(y, lane_px) | {"data": marks})
    panel["resolve"] = {"scale": {"color": "independent", "shape": "independent"}}
    return panel | {"data": {"name": "workers", "values": list(tables.workers)}}


def _pids(tables: Tables) -> str:
    """The pids by lane, in Vega's expression language: nothing but numbers may come in, whatever a record holds."""
    pids = [pid if isinstance(pid := row["pid"], int) else 0 for row in tables.workers]
    return f"[{','.join(map(str, pids))}]"


def _worker_layers(y: Spec, lane_px: int) -> Iterator[Spec]:
    hint = hover(
        ("pid", "pid"),
        ("served", "requests served"),
        ("fate", "fate"),
        ("from", "from s", ".3f"),
        ("to", "to s", ".3f"),
        ("crash", "failure"),
    )
    thick = max(lane_px - 5, 5)
    fates = {"alive at the end": GREEN, "recycled (max_requests)": BLUE, "ended": GREY, "failed": RED}
    colour = {
        "field": "fate",
        "type": "nominal",
        "legend": None,
        "scale": colour_scale(fates),
    }
    bar = {"type": "bar", "height": thick, "clip": True, "cornerRadius": 1, "opacity": 0.75}
    ends = {"x": x_time("from"), "x2": {"field": "to"}, "y": y}
    yield {"mark": bar, "encoding": ends | {"color": colour, "tooltip": hint, "description": {"field": "label"}}}
    yield {
        "transform": [{"filter": "datum.restart != null"}],
        "mark": bar | {"opacity": 1, "color": AMBER, "aria": False},
        "encoding": {"x": x_time("restart"), "x2": {"field": "to"}, "y": y, "tooltip": hint},
    }


def _worker_marks(y: Spec, lane_px: int) -> Spec:
    events = {
        "boot": (GREEN, "triangle-right"),
        "recycle": (AMBER, "diamond"),
        "exit": (GREY, "square"),
        "failure": (RED, "cross"),
    }
    names = list(events)
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
            "color": {
                "field": "event",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [events[name][0] for name in names]},
            },
            "shape": {
                "field": "event",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [events[name][1] for name in names]},
            },
            "tooltip": hover(("event", "event"), ("pid", "pid"), ("at", "s", ".3f"), ("served", "requests served")),
        },
    }


def _answers(tables: Tables) -> Iterator[Spec]:
    for failed, title, calm in (
        (False, "Answered, requests a second", "nothing was answered"),
        (True, "Failed, requests a second", "no request of the load failed"),
    ):
        rows = [row for row in tables.answers if row["failed"] is failed]
        yield _rates(title, rows, tables) if rows else _calm(title, calm, tables)


def _rates(title: str, rows: list[Row], tables: Tables) -> Spec:
    outcomes = sorted({str(row["outcome"]) for row in rows})
    colours = {outcome: _OUTCOMES.get(outcome, "#a371f7" if is_failure(outcome) else "#5f9ea0") for outcome in outcomes}
    layer: Spec = {
        "mark": {"type": "rect", "clip": True, "aria": False, "strokeWidth": 0},
        "encoding": {
            "x": x_time("from"),
            "x2": {"field": "to"},
            "y": y_axis("low", axis={"format": "~s"}, scale={"zero": True, "nice": True}),
            "y2": {"field": "high"},
            "color": {"field": "outcome", "type": "nominal", "title": None, "scale": colour_scale(colours)},
            "tooltip": hover(
                ("outcome", "answer"), ("count", f"requests in {tables.bin_s:g} s", ",d"), ("from", "from s", ".3f")
            ),
        },
    }
    panel = panel_of(title, 80, [layer, *_rule(tables)])
    return panel | {"data": {"name": title.partition(",")[0].lower(), "values": rows}}


def _rule(tables: Tables) -> Iterator[Spec]:
    """A line where the socket file went, so that cause and effect are seen to belong together."""
    if tables.gone_s is not None:
        yield {
            "data": {"values": [{"at": tables.gone_s, "what": "the socket file is gone"}]},
            "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True},
            "encoding": {"x": x_time("at"), "tooltip": hover(("what", "moment"), ("at", "s", ".3f"))},
        }


def _calm(title: str, said: str, tables: Tables) -> Spec:
    """An empty panel says that it is empty because nothing happened."""
    words = {"type": "text", "color": INK, "fontSize": 12, "opacity": 0.8, "align": "left", "dx": 6, "clip": True}
    layer: Spec = {
        "mark": words,
        "encoding": {"x": x_time("at"), "y": {"value": 16}, "text": {"field": "what"}},
    }
    data = {"values": [{"at": tables.from_s, "what": said}]}
    return panel_of(title, 32, [layer]) | {"data": data}


def _latency(tables: Tables) -> Spec:
    looks = {
        "proxy": (BLUE, "circle"),
        "direct": (GREEN, "triangle-up"),
        "proxy, failed": (RED, "cross"),
        "direct, failed": (AMBER, "diamond"),
    }
    present = {str(row["series"]) for row in tables.probes}
    names = [name for name in looks if name in present]
    if not names:
        return _calm("Probes, milliseconds", "no probe was sent", tables)
    layer: Spec = {
        "mark": {"type": "point", "filled": True, "size": 34, "clip": True, "aria": False, "opacity": 0.85},
        "encoding": {
            "x": x_time("at"),
            "y": y_axis("ms", scale={"type": "log", "nice": True}, axis={"format": "~g", "values": _DECADES}),
            "color": {
                "field": "series",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [looks[name][0] for name in names]},
            },
            "shape": {
                "field": "series",
                "type": "nominal",
                "title": None,
                "scale": {"domain": names, "range": [looks[name][1] for name in names]},
            },
            "tooltip": hover(
                ("series", "probe"), ("outcome", "answer"), ("ms", "ms", ".2f"), ("at", "s", ".3f"), ("count", "probes")
            ),
        },
    }
    panel = panel_of("Probes through the proxy and direct, ms", 110, [layer, *_rule(tables)])
    return panel | {"data": {"name": "probes", "values": list(tables.probes)}}
