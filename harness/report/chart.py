"""The timeline as a Vega-Lite specification: which panels there are, how they are laid out, and what a colour means.

A dict out of tables, nothing else: the page draws it in the browser with the library that travels with it, ``picture``
without a browser. Colours are chosen for a light and a dark background alike, and never say anything alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from harness.model import is_failure
from harness.report.chart_data import Row, Tables
from harness.report.fields import items, number, text

Spec: TypeAlias = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
LEFT_PX = 62
FONT = "system-ui, 'Liberation Sans', 'DejaVu Sans', Arial, sans-serif"
INK = "currentColor"
GREY = "#8b949e"
RED = "#d1242f"
GREEN = "#2da44e"
BLUE = "#3b82d6"
AMBER = "#d4880f"
PURPLE = "#9461e8"

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
    _axis_below(panels[-1])
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
        "config": _config(),
    }


def shown_range(tables: Tables) -> tuple[float, float]:
    """The whole run in seconds, with a little air, so that marks at its ends are seen whole."""
    air_s = (tables.to_s - tables.from_s) * 0.015
    return round(tables.from_s - air_s, 4), round(tables.to_s + air_s, 4)


def _config() -> Spec:
    quiet = {"labelColor": INK, "titleColor": INK, "domainColor": GREY, "tickColor": GREY, "gridColor": GREY}
    return {
        "font": FONT,
        "view": {"stroke": GREY, "strokeOpacity": 0.35},
        "axis": quiet | {"gridOpacity": 0.22, "labelFontSize": 11, "titleFontSize": 11, "titleFontWeight": "normal"},
        "title": {"color": INK, "anchor": "start", "fontSize": 12, "offset": 6, "frame": "group"},
        "legend": {
            "labelColor": INK,
            "titleColor": INK,
            "orient": "bottom",
            "direction": "horizontal",
            "labelFontSize": 11,
            "symbolSize": 70,
            "columns": 4,
            "labelLimit": 300,
            "offset": 4,
        },
    }


def _panel(title: str, height_px: int, layers: list[Spec]) -> Spec:
    return {"title": title, "height": height_px, "layer": layers}


def _x(field: str) -> Spec:
    """The time: one scale for all panels, and only the last one writes it out."""
    scale = {"domainMin": {"expr": "shown_from"}, "domainMax": {"expr": "shown_to"}, "nice": False, "zero": False}
    axis = {"labels": False, "ticks": False, "domain": False, "title": None, "grid": True}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def _axis_below(panel: Spec) -> None:
    said = {"labels": True, "ticks": True, "domain": True, "title": "seconds since the load began", "grid": True}
    for layer in panel["layer"]:
        if "axis" in layer["encoding"].get("x", {}):
            layer["encoding"]["x"]["axis"] = said | {"tickCount": {"expr": "width / 90"}, "labelOverlap": True}


def _y(field: str | None, **more: Any) -> Spec:
    axis = {"minExtent": LEFT_PX, "maxExtent": LEFT_PX, "title": None, "tickCount": 4, **more.pop("axis", {})}
    return {"field": field, "type": "quantitative", "axis": axis, **more}


def _rows_y(rows: int, axis: Spec) -> Spec:
    return _y("lane", axis=axis, scale={"domain": [-0.5, max(rows, 1) - 0.5], "reverse": True, "nice": False})


def _hint(*fields: tuple[str, str] | tuple[str, str, str]) -> list[Spec]:
    """What hovering shows: (field, title) or (field, title, number format)."""
    shown = []
    for name, title, *form in fields:
        spec: Spec = {"field": name, "title": title}
        shown.append(spec | ({"format": form[0], "type": "quantitative"} if form else {"type": "nominal"}))
    return shown


def _scale(colours: Mapping[str, str]) -> Spec:
    return {"domain": list(colours), "range": list(colours.values())}


# --- panels, from above to below --------------------------------------------------------------------------------


def _moments(tables: Tables, story: Sequence[Any]) -> Spec:
    rows = place_moments(story, tables.to_s - tables.from_s)
    depth = 1 + max((lane for row in rows if isinstance(lane := row["lane"], int)), default=0)
    hint = _hint(("number", "moment"), ("at", "s", ".3f"), ("what", "what"))
    x, y = _x("at"), _rows_y(depth, {"labels": False, "ticks": False, "grid": False, "domain": False})
    circle = {"type": "circle", "size": 230, "color": {"expr": f"datum.bad ? '{RED}' : '#6e7781'"}, "opacity": 1}
    number_in = {"type": "text", "fontSize": 10, "fontWeight": "bold", "color": "white", "clip": True, "aria": False}
    layers: list[Spec] = [
        {
            "mark": circle | {"clip": True},
            "encoding": {"x": x, "y": y, "tooltip": hint, "description": {"field": "label"}},
        },
        {"mark": number_in, "encoding": {"x": x, "y": y, "tooltip": hint, "text": {"field": "number"}}},
    ]
    panel = _panel("Moments, numbered as below", 18 * depth + 2, layers)
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
    encoding = {"x": _x("from"), "y": {"value": 0}, "y2": {"value": 24}}
    shown = _hint(("what", "socket file"), ("from", "from s", ".3f"), ("to", "to s", ".3f"))
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
                "scale": _scale(colours | {"none": GREY}),
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
        "encoding": {"x": _x("seen"), "y": {"value": 12}, "text": {"field": "what"}},
    }
    seen_px = "(min(datum.to, shown_to) - datum.seen) / (shown_to - shown_from) * width - 8"
    words["mark"]["limit"] = {"expr": f"max({seen_px}, 1)"}
    words["transform"].append(
        {"calculate": f"{seen_px} < 7 * length(datum.what) ? datum.state : datum.what", "as": "said"}
    )
    words["encoding"]["text"] = {"field": "said"}
    return _panel("Socket file", 24, [bar, words]) | {"data": {"name": "socket", "values": rows}}


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
    panel = _panel(title, max(tables.lanes, 1) * lane_px, list(_worker_layers(y, lane_px)))
    marks = {"name": "marks", "values": list(tables.marks)}
    panel["layer"].append(_worker_marks(y, lane_px) | {"data": marks})
    panel["resolve"] = {"scale": {"color": "independent", "shape": "independent"}}
    return panel | {"data": {"name": "workers", "values": list(tables.workers)}}


def _pids(tables: Tables) -> str:
    """The pids by lane, in Vega's expression language: nothing but numbers may come in, whatever a record holds."""
    pids = [pid if isinstance(pid := row["pid"], int) else 0 for row in tables.workers]
    return f"[{','.join(map(str, pids))}]"


def _worker_layers(y: Spec, lane_px: int) -> Iterator[Spec]:
    hint = _hint(
        ("pid", "pid"),
        ("served", "requests served"),
        ("fate", "fate"),
        ("from", "from s", ".3f"),
        ("to", "to s", ".3f"),
        ("crash", "failure"),
    )
    thick = max(lane_px - 5, 5)
    colour = {
        "field": "fate",
        "type": "nominal",
        "legend": None,
        "scale": _scale({"alive at the end": GREEN, "recycled (max_requests)": BLUE, "ended": GREY, "failed": RED}),
    }
    bar = {"type": "bar", "height": thick, "clip": True, "cornerRadius": 1, "opacity": 0.75}
    ends = {"x": _x("from"), "x2": {"field": "to"}, "y": y}
    yield {"mark": bar, "encoding": ends | {"color": colour, "tooltip": hint, "description": {"field": "label"}}}
    yield {
        "transform": [{"filter": "datum.restart != null"}],
        "mark": bar | {"opacity": 1, "color": AMBER, "aria": False},
        "encoding": {"x": _x("restart"), "x2": {"field": "to"}, "y": y, "tooltip": hint},
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
            "x": _x("at"),
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
            "tooltip": _hint(("event", "event"), ("pid", "pid"), ("at", "s", ".3f"), ("served", "requests served")),
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
            "x": _x("from"),
            "x2": {"field": "to"},
            "y": _y("low", axis={"format": "~s"}, scale={"zero": True, "nice": True}),
            "y2": {"field": "high"},
            "color": {"field": "outcome", "type": "nominal", "title": None, "scale": _scale(colours)},
            "tooltip": _hint(
                ("outcome", "answer"), ("count", f"requests in {tables.bin_s:g} s", ",d"), ("from", "from s", ".3f")
            ),
        },
    }
    panel = _panel(title, 80, [layer, *_rule(tables)])
    return panel | {"data": {"name": title.partition(",")[0].lower(), "values": rows}}


def _rule(tables: Tables) -> Iterator[Spec]:
    """A line where the socket file went, so that cause and effect are seen to belong together."""
    if tables.gone_s is not None:
        yield {
            "data": {"values": [{"at": tables.gone_s, "what": "the socket file is gone"}]},
            "mark": {"type": "rule", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True},
            "encoding": {"x": _x("at"), "tooltip": _hint(("what", "moment"), ("at", "s", ".3f"))},
        }


def _calm(title: str, said: str, tables: Tables) -> Spec:
    """An empty panel says that it is empty because nothing happened."""
    words = {"type": "text", "color": INK, "fontSize": 12, "opacity": 0.8, "align": "left", "dx": 6, "clip": True}
    layer: Spec = {
        "mark": words,
        "encoding": {"x": _x("at"), "y": {"value": 16}, "text": {"field": "what"}},
    }
    data = {"values": [{"at": tables.from_s, "what": said}]}
    return _panel(title, 32, [layer]) | {"data": data}


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
            "x": _x("at"),
            "y": _y("ms", scale={"type": "log", "nice": True}, axis={"format": "~g", "values": _DECADES}),
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
            "tooltip": _hint(
                ("series", "probe"), ("outcome", "answer"), ("ms", "ms", ".2f"), ("at", "s", ".3f"), ("count", "probes")
            ),
        },
    }
    panel = _panel("Probes through the proxy and direct, ms", 110, [layer, *_rule(tables)])
    return panel | {"data": {"name": "probes", "values": list(tables.probes)}}
