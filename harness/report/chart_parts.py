"""What all charts are made of: colours, fonts, panels over one scale of time, axes and hints, as Vega-Lite.

Colours are chosen for a light and a dark background alike, and never say anything alone. What a chart shows is the
business of ``chart`` (a run's timeline) and of the scenarios' own charts, ``memory_chart`` and ``absence_chart``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Spec: TypeAlias = dict[str, Any]

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
WIDTH_PX = 860
BAR_PX = 24
_LEFT_PX = 62
_FONT = "system-ui, 'Liberation Sans', 'DejaVu Sans', Arial, sans-serif"
INK = "currentColor"
GREY = "#8b949e"
RED = "#d1242f"
GREEN = "#2da44e"
BLUE = "#3b82d6"
AMBER = "#d4880f"
PURPLE = "#9461e8"
TEAL = "#1b9e9e"
PINK = "#d6409f"


def whole_chart(
    description: str,
    panels: Sequence[Spec],
    shown_s: tuple[float, float],
    *,
    scales: Mapping[str, str],
    spacing_px: int = 10,
) -> Spec:
    """The panels below each other; ``shown_s`` are the first and last second, which the page lets its reader change.

    ``scales``: which of them the panels share, and which are each panel's own.
    """
    from_s, to_s = shown_s
    return {
        "$schema": _SCHEMA,
        "description": description,
        "background": None,
        "padding": 4,
        "spacing": spacing_px,
        "params": [{"name": "shown_from", "value": from_s}, {"name": "shown_to", "value": to_s}],
        "vconcat": [panel | {"width": WIDTH_PX} for panel in panels],
        "resolve": {"scale": dict(scales)},
        "config": _config(),
    }


def _config() -> Spec:
    """Fonts, axes and legends."""
    quiet = {"labelColor": INK, "titleColor": INK, "domainColor": GREY, "tickColor": GREY, "gridColor": GREY}
    return {
        "font": _FONT,
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
            "layout": {"bottom": {"anchor": "start", "direction": "vertical"}},  # two legends below each other
        },
    }


def bar_of(what: tuple[str, str], *, said: str, color: Spec) -> Spec:
    """Bars from when to when. ``what``: the field of the tooltip, and its name; ``said``: what is read aloud."""
    return {
        "mark": {"type": "rect", "clip": True, "cornerRadius": 2},
        "encoding": {
            "x": x_time("from"),
            "x2": {"field": "to"},
            "y": {"value": 0},
            "y2": {"value": BAR_PX},
            "tooltip": hover(what, ("from", "from s", ".3f"), ("to", "to s", ".3f")),
            "description": {"field": said},
            "color": {"field": "state", "type": "nominal", **color},
        },
    }


BAR_ROOM_PX = "(min(datum.to, shown_to) - datum.seen) / (shown_to - shown_from) * width - 8"
"""How much of a bar is shown, for the words in it."""


def words_in_bar(field: str, choose: Spec) -> Spec:
    """Words in the bars of ``bar_of``: as much of them as fits. ``choose``: the last step, which words, or where."""
    return {
        "transform": [
            {"calculate": "max(datum.from, shown_from)", "as": "seen"},
            {"filter": "datum.to > shown_from && datum.from < shown_to"},
            choose,
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
            "limit": {"expr": f"max({BAR_ROOM_PX}, 1)"},
        },
        "encoding": {"x": x_time("seen"), "y": {"value": BAR_PX // 2}, "text": {"field": field}},
    }


def panel_of(title: str, height_px: int, layers: list[Spec]) -> Spec:
    """A panel of the chart; all are of one width."""
    return {"title": title, "height": height_px, "layer": layers}


def x_time(field: str) -> Spec:
    """The time: one scale for all panels, and only the last one writes it out."""
    scale = {"domainMin": {"expr": "shown_from"}, "domainMax": {"expr": "shown_to"}, "nice": False, "zero": False}
    axis = {"labels": False, "ticks": False, "domain": False, "title": None, "grid": True}
    return {"field": field, "type": "quantitative", "scale": scale, "axis": axis}


def axis_below(panel: Spec) -> None:
    """Write the time out below this panel, which is the last one."""
    said = {"labels": True, "ticks": True, "domain": True, "title": "seconds since the load began", "grid": True}
    for layer in panel["layer"]:
        if "axis" in layer["encoding"].get("x", {}):
            layer["encoding"]["x"]["axis"] = said | {"tickCount": {"expr": "width / 90"}, "labelOverlap": True}


def y_axis(field: str | None, **more: Any) -> Spec:
    """A quantity, its axis as wide as in every other panel."""
    axis = {"minExtent": _LEFT_PX, "maxExtent": _LEFT_PX, "title": None, "tickCount": 4, **more.pop("axis", {})}
    return {"field": field, "type": "quantitative", "axis": axis, **more}


def y_rows(rows: int, axis: Spec) -> Spec:
    """The field ``lane``, a row each, the first one on top."""
    return y_axis("lane", axis=axis, scale={"domain": [-0.5, max(rows, 1) - 0.5], "reverse": True, "nice": False})


def hover(*fields: tuple[str, str] | tuple[str, str, str]) -> list[Spec]:
    """What hovering shows: (field, title) or (field, title, number format)."""
    shown = []
    for name, title, *form in fields:
        spec: Spec = {"field": name, "title": title}
        shown.append(spec | ({"format": form[0], "type": "quantitative"} if form else {"type": "nominal"}))
    return shown


def colour_scale(colours: Mapping[str, str]) -> Spec:
    """Value -> colour."""
    return {"domain": list(colours), "range": list(colours.values())}


def colour_and_shape(field: str, looks: Mapping[str, tuple[str, str]]) -> Spec:
    """Encodings that tell the values of a field apart, by (colour, shape), with one legend for both."""
    named = {"field": field, "type": "nominal", "title": None}
    colours, shapes = ([look[part] for look in looks.values()] for part in (0, 1))
    return {
        "color": named | {"scale": {"domain": list(looks), "range": colours}},
        "shape": named | {"scale": {"domain": list(looks), "range": shapes}},
    }
