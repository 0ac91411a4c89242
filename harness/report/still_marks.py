"""The marks of one layer of a chart as shapes of a still picture: bars, rules, points, lines, areas and words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.core.frozen import dataclass
from harness.report.chart_parts import GREY, INK, RED, Spec

WIDTH, LEFT, RIGHT = 520.0, 52.0, 8.0
"""Of the picture, and what of it lies beside the panels."""

_INSTEAD = {"seen": "from", "said": "state"}
"""Fields that only the page's script computes, and what stands for them here."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One element. ``kind``: rect, path, dot or words; ``points`` are those of a path."""

    kind: str
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0
    points: str = ""
    text: str = ""
    fill: str = INK
    stroke: str = "none"
    dash: str = ""
    opacity: float = 1.0
    anchor: str = "start"
    bold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """One layer of a panel: its rows, and where a value lies in the picture."""

    layer: Spec
    rows: Sequence[Row]
    x: Callable[[float], float]
    y: Callable[[float], float]
    top: float
    height: float

    @property
    def mark(self) -> Spec:
        """How the layer's marks look."""
        mark = self.layer["mark"]
        return mark if isinstance(mark, dict) else {"type": mark}

    def render(self) -> Iterator[Shape]:
        """The shapes, row by row."""
        kind = self.mark["type"]
        draw = {"rect": self._bars, "bar": self._bars, "rule": self._rules, "text": self._words}.get(kind)
        if kind in ("line", "area"):
            draw = self._paths
        yield from (draw or self._dots)()

    def _value(self, row: Row, channel: str) -> float | None:
        name = self.layer["encoding"].get(channel, {}).get("field")
        value = row.get(name, row.get(_INSTEAD.get(str(name), ""))) if name is not None else None
        return None if value is None or not is_number(value) else float(value)

    def _at(self, row: Row, channel: str) -> float | None:
        fixed = self.layer["encoding"].get(channel, {}).get("value")
        if is_number(fixed):
            return self.top + float(fixed)
        value = self._value(row, channel)
        return None if value is None else (self.x if channel.startswith("x") else self.y)(value)

    def _colour(self, row: Row) -> str:
        colour = self.layer["encoding"].get("color", {})
        if "scale" in colour:
            pairs = dict(zip(colour["scale"]["domain"], colour["scale"]["range"], strict=True))
            return str(pairs.get(row.get(colour["field"]), GREY))
        said = self.mark.get("color", INK)
        if isinstance(said, str):
            return said
        return RED if row.get("bad") else GREY

    def _bars(self) -> Iterator[Shape]:
        opacity = float(self.mark.get("opacity", 1.0))
        for row in self.rows:
            left, right, y, y2 = (self._at(row, channel) for channel in ("x", "x2", "y", "y2"))
            if left is None or right is None or y is None:
                continue
            high = float(self.mark.get("height", 0)) if y2 is None else abs(y2 - y)
            top = y - high / 2 if y2 is None else min(y, y2)
            place: dict[str, Any] = {
                "x": left,
                "y": round(top, 1),
                "width": round(max(right - left, 0.7), 1),
                "height": round(high, 1),
            }
            yield Shape(kind="rect", fill=self._colour(row), opacity=opacity, **place)

    def _rules(self) -> Iterator[Shape]:
        foot = self.top + self.height
        for row in self.rows:
            x, y = self._at(row, "x"), self._at(row, "y")
            points = f"{LEFT},{y} {WIDTH - RIGHT},{y}" if x is None else f"{x},{self.top} {x},{foot}"
            yield Shape(kind="path", points=points, fill="none", stroke=str(self.mark.get("color", INK)), dash="4 3")

    def _words(self) -> Iterator[Shape]:
        name = str(self.layer["encoding"]["text"]["field"])
        for row in self.rows:
            x, y = self._at(row, "x"), self._at(row, "y")
            if x is not None and x > WIDTH - RIGHT:
                continue
            said = str(row.get(name, row.get(_INSTEAD.get(name, ""), "")))
            until = row.get("to")
            if x is not None and is_number(until) and self.x(float(until or 0)) - x < 7 * len(said):
                continue  # its bar is too short for it
            right = self.mark.get("align") == "right" or x is None
            centred = self.mark.get("align") is None and not right
            place = WIDTH - RIGHT - 4 if x is None else x + (0 if centred else float(self.mark.get("dx", 0)))
            anchor = "end" if right else "middle" if centred else "start"
            down = (y if y is not None else self.top + 12) + float(self.mark.get("dy", 4))
            colour = str(self.mark.get("color", INK))
            yield Shape(
                kind="words", x=place, y=round(down, 1), text=said, fill=colour, anchor=anchor, bold=colour == "white"
            )

    def _dots(self) -> Iterator[Shape]:
        size = round(math.sqrt(float(self.mark.get("size", 40))) / 2, 1)
        for row in self.rows:
            x, y = self._at(row, "x"), self._at(row, "y")
            if x is not None and y is not None and x <= WIDTH - RIGHT:  # later ones are in the table alone
                yield Shape(kind="dot", x=x, y=y, width=size, fill=self._colour(row))

    def _paths(self) -> Iterator[Shape]:
        series: dict[str, list[Row]] = {}
        colour = self.layer["encoding"].get("color", {}).get("field")
        for row in self.rows:
            series.setdefault(str(row.get(colour)), []).append(row)
        stepped = self.mark.get("interpolate") == "step-after"
        for rows in series.values():
            points = [
                (x, y)
                for row in rows
                if (x := self._at(row, "x")) is not None and (y := self._at(row, "y")) is not None
            ]
            if stepped:
                points = [
                    one
                    for at, (x, y) in enumerate(points)
                    for one in ([(x, points[at - 1][1])] if at else []) + [(x, y)]
                ]
            if self.mark["type"] == "area":
                points += [
                    (x, y)
                    for row in reversed(rows)
                    if (x := self._at(row, "x")) is not None and (y := self._at(row, "y2")) is not None
                ]
            said, shade = " ".join(f"{x},{y}" for x, y in points), self._colour(rows[0])
            if self.mark["type"] == "area":
                yield Shape(kind="path", points=said, fill=shade, opacity=float(self.mark.get("opacity", 1)))
            else:
                yield Shape(kind="path", points=said, fill="none", stroke=shade)


def is_number(value: object) -> bool:
    """Whether it can be placed on a scale."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
