"""What all charts are made of: colours, fonts, panels over one scale of time, axes and hints, as Vega-Lite.

Colours are chosen for a light and a dark background alike, and never say anything alone. What a chart shows is the
business of ``chart`` (a run's timeline) and of the scenarios' own charts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

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
TEAL = "#1b9e9e"
PINK = "#d6409f"


def chart_config() -> Spec:
    """Fonts, axes and legends."""
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


def panel_of(title: str, height_px: int, layers: list[Spec]) -> Spec:
    """A panel of the chart; its width is the page's business."""
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
    axis = {"minExtent": LEFT_PX, "maxExtent": LEFT_PX, "title": None, "tickCount": 4, **more.pop("axis", {})}
    return {"field": field, "type": "quantitative", "axis": axis, **more}


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
