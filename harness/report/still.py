"""The page's chart as a still picture, for readers without script: the panels of a specification as shapes of SVG.

Only what our own charts are made of is drawn: bars, rules, points, lines, areas and words over a linear or logarithmic
scale. ``still.html.j2`` writes the shapes down.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

from harness.core.frozen import dataclass
from harness.report.chart_parts import GREY, Spec
from harness.report.still_marks import LEFT, RIGHT, WIDTH, Marks, Row, Shape, is_number

_TITLE, _GAP, _LEGEND, _TICKS = 18.0, 8.0, 16.0, 5
_LETTER = 6.2
"""About the width of a letter of a legend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """All shapes of the picture, and how high it is."""

    height: float
    shapes: Sequence[Shape] = field(default_factory=tuple)
    width: float = WIDTH


def draw_still(spec: Spec) -> Still:
    """The whole range of a chart, panel below panel."""
    shown = tuple(float(one["value"]) for one in spec["params"])
    shapes: list[Shape] = []
    top = 0.0
    for panel in spec["vconcat"]:
        drawn = _Panel(spec=panel, top=top + _TITLE, shown=(shown[0], shown[1]))
        shapes += drawn.render()
        top = drawn.bottom + _GAP
    return Still(height=round(top, 1), shapes=shapes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    spec: Spec
    top: float
    shown: tuple[float, float]

    @property
    def height(self) -> float:
        return float(self.spec["height"])

    @property
    def layers(self) -> list[tuple[Spec, list[Row]]]:
        """Each layer with its rows."""
        own = self.spec.get("data", {}).get("values", [])
        return [(one, list(_transform(one, one.get("data", {}).get("values", own)))) for one in self.spec["layer"]]

    @property
    def axis(self) -> Spec | None:
        """The axis that is written out below, if it is this panel's."""
        found = (layer["encoding"].get("x", {}).get("axis") for layer in self.spec["layer"])
        return next((one for one in found if one and one.get("title") and one.get("labels", True)), None)

    @property
    def bottom(self) -> float:
        below = (2 * _LEGEND if self.axis else 0.0) + _LEGEND * math.ceil(len(self._legend()) / 3)
        return self.top + self.height + below

    def render(self) -> Iterator[Shape]:
        x, y, ticks = self._x(), *self._y()
        yield Shape(kind="words", x=LEFT, y=self.top - 5, text=str(self.spec["title"]), bold=True)
        frame: dict[str, Any] = {"x": LEFT, "y": self.top, "width": WIDTH - LEFT - RIGHT, "height": self.height}
        yield Shape(kind="rect", fill="none", stroke=GREY, opacity=0.5, **frame)
        for at, said in ticks:
            yield Shape(kind="words", x=LEFT - 5, y=round(y(at) + 4, 1), text=said, anchor="end")
        for layer, rows in self.layers:
            yield from Marks(layer=layer, rows=rows, x=x, y=y, top=self.top, height=self.height).render()
        if self.axis is not None:
            yield from self._time(x, str(self.axis["title"]))
        yield from self._render_legend()

    def _domain(self, name: str) -> tuple[float, float]:
        """The least and the greatest of a channel, or what its scale says."""
        values = [0.0] if name == "y" else []
        for layer, rows in self.layers:
            channels = [layer["encoding"].get(name, {}), layer["encoding"].get(f"{name}2", {})]
            domain = channels[0].get("scale", {}).get("domain") if isinstance(channels[0].get("scale"), dict) else None
            if domain:
                return float(domain[0]), float(domain[1])
            values += [
                float(row[one["field"]])
                for one in channels
                if "field" in one
                for row in rows
                if is_number(row.get(one["field"]))
            ]
        return (min(values), max(values)) if values and max(values) > min(values) else (0.0, 1.0)

    def _x(self) -> Callable[[float], float]:
        scaled = any("domainMin" in layer["encoding"].get("x", {}).get("scale", {}) for layer in self.spec["layer"])
        low, high = self.shown if scaled else self._domain("x")
        width = WIDTH - LEFT - RIGHT
        return lambda value: round(LEFT + width * (value - low) / (high - low), 1)

    def _y(self) -> tuple[Callable[[float], float], list[tuple[float, str]]]:
        encodings = [layer["encoding"].get("y", {}) for layer in self.spec["layer"]]
        scale: Spec = next((one["scale"] for one in encodings if one.get("scale")), {})
        axis = next((one["axis"] for one in encodings if one.get("axis")), None)
        low, high = self._domain("y")
        turned = bool(scale.get("reverse"))
        logs = scale.get("type") == "log"
        if logs:
            positive = [
                float(row["ms"])
                for _, rows in self.layers
                for row in rows
                if is_number(row.get("ms")) and row["ms"] > 0
            ]
            low = 10 ** math.floor(math.log10(min(positive, default=1.0)))
            high = 10 ** math.ceil(math.log10(max(positive, default=10.0)) + 1e-9)
            low, high = math.log10(low), math.log10(max(high, low * 10))

        def place(value: float) -> float:
            value = math.log10(max(value, 1e-9)) if logs else value
            part = min(max((value - low) / (high - low), 0.0), 1.0)
            return round(self.top + self.height * (part if turned else 1 - part), 1)

        if axis is None or axis.get("labels") is False:
            return place, []
        if turned:
            return place, self._lanes(int(high + 0.5))
        if logs:
            return place, [(10.0**power, f"{10.0**power:g}") for power in range(int(low), int(high) + 1)]
        return place, [(value, _short(value)) for value in (low, (low + high) / 2, high)]

    def _lanes(self, lanes: int) -> list[tuple[float, str]]:
        """The pid of each lane, where there is room for it and only one worker is in it."""
        pids: dict[int, set[int]] = {}
        for _, rows in self.layers:
            for row in rows:
                if "pid" in row and "lane" in row:
                    pids.setdefault(int(row["lane"]), set()).add(int(row["pid"]))
        room = self.height / max(lanes, 1) >= 11  # noqa: PLR2004 - the height of a line of words
        return [(float(lane), str(*pid)) for lane, pid in pids.items() if room and len(pid) == 1]

    def _time(self, x: Callable[[float], float], title: str) -> Iterator[Shape]:
        scaled = any("domainMin" in layer["encoding"].get("x", {}).get("scale", {}) for layer in self.spec["layer"])
        low, high = self.shown if scaled else self._domain("x")
        foot = self.top + self.height
        for value in _round_steps(low, high):
            yield Shape(kind="words", x=x(value), y=foot + 13, text=f"{value:g}", anchor="middle")
        yield Shape(kind="words", x=(LEFT + WIDTH - RIGHT) / 2, y=foot + 27, text=title, anchor="middle")

    def _legend(self) -> list[tuple[str, str]]:
        """(value, colour) of what is there, once each."""
        found: dict[str, str] = {}
        for layer, _ in self.layers:
            colour = layer["encoding"].get("color", {})
            if "scale" not in colour or ("legend" in colour and colour["legend"] is None):
                continue
            present = {str(row.get(colour["field"])) for _, rows in self.layers for row in rows}
            pairs = zip(colour["scale"]["domain"], colour["scale"]["range"], strict=True)
            found |= {name: shade for name, shade in pairs if name in present}
        return list(found.items())

    def _render_legend(self) -> Iterator[Shape]:
        left, row = LEFT, 0
        base = self.top + self.height + (2 * _LEGEND if self.axis else 0.0)
        for at, (name, colour) in enumerate(self._legend()):
            if at % 3 == 0:
                left, row = LEFT, at // 3
            y = base + _LEGEND * row + 4
            yield Shape(kind="rect", x=round(left, 1), y=y, width=9, height=9, fill=colour)
            yield Shape(kind="words", x=round(left + 13, 1), y=y + 9, text=name)
            left += max(13 + _LETTER * len(name) + 14, 150)


def _transform(layer: Spec, rows: Sequence[Row]) -> Iterator[Row]:
    """The rows of a layer, without those that have no restart where it is about these, and with its constants."""
    steps = layer.get("transform", ())
    constants = {one["as"]: one["calculate"].strip("'") for one in steps if one.get("calculate", "").startswith("'")}
    restarts = any(one.get("filter") == "datum.restart != null" for one in steps)
    for row in rows:
        if not restarts or row.get("restart") is not None:
            yield {**row, **constants}


def _short(value: float) -> str:
    if value >= 10_000:  # noqa: PLR2004 - 9,999 is as long
        return f"{value / 1000:.3g}k"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"  # noqa: PLR2004 - three digits


def _round_steps(low: float, high: float) -> Iterator[float]:
    """Round numbers between the two, some five."""
    raw = (high - low) / _TICKS
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * part for part in (1, 2, 5, 10) if power * part >= raw)
    value = math.ceil(low / step) * step
    while value <= high:
        yield round(value, 6) + 0.0
        value += step
