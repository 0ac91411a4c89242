"""The chart of the scenario `jitter`: workers away over time in each arm, and jitter against the worst absence.

It makes a dict from the measurements; see ``chart`` for how it is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.model import Json
from harness.judge.scenarios.away import Measured, measure, predict_curve, read_ask
from harness.judge.scenarios.record import Trial
from harness.report.chart_parts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    PINK,
    PURPLE,
    RED,
    TEAL,
    WIDTH_PX,
    Spec,
    axis_below,
    colour_scale,
    hover,
    panel_of,
    whole_chart,
    x_time,
    y_axis,
)

COLOURS = (BLUE, GREEN, PURPLE, GREY, AMBER, TEAL, PINK, INK)
"""Of the arms; the one that is judged comes first."""

PREDICTED = "predicted (mean)"
MEASURED = "measured"


def draw_absence(trial: Trial) -> tuple[Spec, float, float] | None:
    """The specification, and the seconds that it shows; None where no worker ever said that it was ready."""
    ask = read_ask(trial.settings)
    found = {name: measure(trial.arms[name].observe(), ask) for name in list(trial.arms)[::-1]}
    arms = {name: arm for name, arm in found.items() if arm is not None}
    if not arms:
        return None
    judged = next(iter(arms.values()))
    most, to_s = ask.most_away * judged.absence.workers, max(arm.absence.end_s for arm in arms.values())
    over_time = panel_of("Workers away", 190, [_over_time(arms), *_bound(most)])
    axis_below(over_time)
    by_jitter = panel_of(
        "The most away at once, by jitter", 190, [*_by_jitter(arms, predict_curve(judged)), *_bound(most)]
    )
    spec = whole_chart(
        "Workers away at once: over time, and the most of them by jitter.",
        [over_time, by_jitter],
        (0, round(to_s, 3)),
        scales={"x": "independent", "color": "independent"},
        spacing_px=24,
    )
    return spec, 0.0, to_s


def _over_time(arms: Mapping[str, Measured]) -> Spec:
    rows = [
        {"arm": name, "at_s": round(at_s, 3), "away": away}
        for name, arm in arms.items()
        for at_s, away in [
            *((step.at_s, step.away) for step in arm.absence.steps),
            (arm.absence.end_s, arm.absence.steps[-1].away),
        ]
    ]
    workers = max(arm.absence.workers for arm in arms.values())
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(arms)}
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 1.5, "clip": True},
        "encoding": {
            "x": x_time("at_s"),
            "y": y_axis("away", scale={"domain": [0, workers]}),
            "color": _colour("arm", colours),
            "tooltip": hover(("arm", "arm"), ("at_s", "seconds", ".2f"), ("away", "workers away", "d")),
        },
    }


def _by_jitter(arms: Mapping[str, Measured], curve: Sequence[Mapping[str, Json]]) -> list[Spec]:
    x = {"field": "jitter", "type": "quantitative", "axis": {"title": "max_requests_jitter"}}
    colour = _colour("what", {PREDICTED: AMBER, MEASURED: INK})
    predicted = {"values": [{**row, "what": PREDICTED} for row in curve]}
    measured = [
        {"jitter": arm.cell.max_requests_jitter, "worst": arm.absence.worst.away, "what": MEASURED}
        for arm in arms.values()
    ]
    told = hover(("what", "what"), ("jitter", "jitter", "d"))
    return [
        {
            "data": predicted,
            "mark": {"type": "area", "color": AMBER, "opacity": 0.2},
            "encoding": {"x": x, "y": y_axis("worst_lowest"), "y2": {"field": "worst_highest"}},
        },
        {
            "data": predicted,
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": x,
                "y": y_axis("worst_mean"),
                "color": colour,
                "tooltip": [*told, *hover(("worst_mean", "most away", ".1f"))],
            },
        },
        {
            "data": {"values": measured},
            "mark": {"type": "point", "shape": "diamond", "size": 120, "filled": True, "opacity": 1},
            "encoding": {
                "x": x,
                "y": y_axis("worst"),
                "color": colour,
                "tooltip": [*told, *hover(("worst", "most away", "d"))],
            },
        },
    ]


def _colour(field: str, colours: Mapping[str, str]) -> Spec:
    return {"field": field, "type": "nominal", "scale": colour_scale(colours), "legend": {"title": None}}


def _bound(most: float) -> list[Spec]:
    """The line that must not be crossed, with its name."""
    data = {"values": [{"most": most, "name": "allowed"}]}
    name = {"type": "text", "align": "right", "baseline": "bottom", "dy": -2, "color": RED, "x": WIDTH_PX - 4}
    y, text = y_axis("most"), {"field": "name", "type": "nominal"}
    return [
        {"data": data, "mark": {"type": "rule", "color": RED, "strokeDash": [5, 4]}, "encoding": {"y": y}},
        {"data": data, "mark": name, "encoding": {"y": y, "text": text}},
    ]
