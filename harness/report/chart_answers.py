"""What the clients got, as panels of the timeline: the load's answers by outcome, and the probes."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.model import is_failure
from harness.report.chart_data import Tables
from harness.report.chart_lives import Row
from harness.report.chart_parts import (
    AMBER,
    BLUE,
    GREEN,
    INK,
    PURPLE,
    RED,
    Spec,
    colour_and_shape,
    colour_scale,
    hover,
    panel_of,
    x_time,
    y_axis,
)

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


def answers_panels(tables: Tables) -> Iterator[Spec]:
    """What the load was answered, successes and failures apart: in the same panel the rarer would be hidden."""
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
        near_end = tables.gone_s > (tables.from_s + 2 * tables.to_s) / 3
        yield {
            "data": {"values": [{"at": tables.gone_s, "what": "socket file gone"}]},
            "mark": {
                "type": "text",
                "align": "right" if near_end else "left",
                "dx": -4 if near_end else 4,
                "fontSize": 11,
                "color": INK,
                "clip": True,
                "aria": False,
            },
            "encoding": {"x": x_time("at"), "y": {"value": 8}, "text": {"field": "what"}},
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


def probes_panel(tables: Tables) -> Spec:
    """How long each probe took, on either way, and whether it failed."""
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
            **colour_and_shape("series", {name: looks[name] for name in names}),
            "tooltip": hover(
                ("series", "probe"), ("outcome", "answer"), ("ms", "ms", ".2f"), ("at", "s", ".3f"), ("count", "probes")
            ),
        },
    }
    panel = panel_of("Probes through the proxy and direct, ms", 110, [layer, *_rule(tables)])
    return panel | {"data": {"name": "probes", "values": list(tables.probes)}}
