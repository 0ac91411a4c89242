"""The memory over time of the scenario ``leak``: both arms in one panel, then the processes of each arm in theirs.

It makes a dict from samples. The arms ran one after the other and are drawn over each other, each from the start of its
own load, so that the difference is easy to see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.judge.scenarios.leak import find_bound
from harness.judge.scenarios.leak_words import WITH, WITHOUT
from harness.judge.scenarios.memory import Sample, group_by_process, read_samples
from harness.judge.scenarios.record import Arm, Trial
from harness.judge.timeline import since_load_s
from harness.report.chart_lives import Row
from harness.report.chart_parts import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    RED,
    Spec,
    axis_below,
    colour_scale,
    hover,
    panel_of,
    whole_chart,
    x_time,
    y_axis,
)

MOST_POINTS = 400
"""A line of more says no more."""

_ARMS = {WITHOUT: RED, WITH: BLUE}
_PROCESSES = {"arbiter": GREY, "worker": BLUE, "next worker": GREEN, "the one after": AMBER}
"""Workers take turns, so that those who follow each other are told apart."""


def draw_memory(trial: Trial) -> tuple[Spec, float, float] | None:
    """The specification, and the seconds that it shows; None where no arm has samples."""
    found = {name: _read(arm) for name, arm in trial.arms.items()}
    samples = {name: rows for name, (rows, _) in found.items() if rows}
    if not samples:
        return None
    totals = [row for name, rows in samples.items() for row in _totals(name, rows, found[name][1])]
    panels = [_lines("All processes together, MB (dashed: what the settings promise)", 150, totals, _ARMS)]
    panels[0]["layer"] += _bound(trial)
    for name, rows in samples.items():
        processes = list(_by_process(trial.arms[name], rows, found[name][1]))
        panels.append(_lines(f"Each process {name} max_requests, MB", 110, processes, _PROCESSES))
    axis_below(panels[-1])
    to_s = max(float(str(row["at"])) for row in totals)
    spec = whole_chart(
        "Memory over time, with and without max_requests.",
        panels,
        (0.0, to_s),
        scales={"x": "shared", "color": "independent"},
    )
    return spec, 0.0, to_s


def _bound(trial: Trial) -> list[Spec]:
    """A line where the settings promise that it ends."""
    bound = find_bound(trial)
    if bound is None:
        return []
    what = f"promised with max_requests {trial.cell.max_requests}"
    values = [{"mb": round(bound.promised_bytes / 1e6, 2), "what": what}]
    hint = hover(("what", "the bound"), ("mb", "MB", ".1f"))
    mark = {"type": "rule", "color": INK, "strokeDash": [4, 3], "strokeWidth": 1.5, "clip": True}
    return [{"data": {"values": values}, "mark": mark, "encoding": {"y": y_axis("mb"), "tooltip": hint}}]


def _read(arm: Arm) -> tuple[Sequence[Sample], Mapping[int, float]]:
    """The samples, and the seconds since the load began of each of their times."""
    observations = arm.observe()
    samples = read_samples(arm, observations)
    thinned = samples[:: len(samples) // MOST_POINTS + 1]
    return thinned, {one.at_ns: round(since_load_s(observations, one.at_ns), 3) for one in thinned}


def _totals(name: str, samples: Sequence[Sample], at_s: Mapping[int, float]) -> Iterator[Row]:
    for one in samples:
        yield {
            "at": at_s[one.at_ns],
            "mb": round(one.total_bytes / 1e6, 2),
            "series": name,
            "line": name,
            "requests": round(one.requests),
        }


def _by_process(arm: Arm, samples: Sequence[Sample], at_s: Mapping[int, float]) -> Iterator[Row]:
    arbiter = arm.observe().arbiter_pid or 0
    turns = list(_PROCESSES)[1:]
    for number, (pid, series) in enumerate(group_by_process(samples, arbiter).items()):
        kind = "arbiter" if pid == arbiter else turns[(number - 1) % len(turns)]
        for at_ns, size_bytes in series:
            yield {"at": at_s[at_ns], "mb": round(size_bytes / 1e6, 2), "series": kind, "line": str(pid)}


def _lines(title: str, height_px: int, rows: list[Row], colours: Mapping[str, str]) -> Spec:
    """One line for each value of ``line``, coloured by ``series``."""
    layer: Spec = {
        "mark": {"type": "line", "clip": True, "strokeWidth": 1.6, "point": {"size": 12, "clip": True}, "aria": False},
        "encoding": {
            "x": x_time("at"),
            "y": y_axis("mb", scale={"zero": True, "nice": True}),
            "detail": {"field": "line", "type": "nominal"},
            "color": {"field": "series", "type": "nominal", "title": None, "scale": colour_scale(colours)},
            "tooltip": hover(("line", "of"), ("mb", "MB", ".1f"), ("at", "s", ".3f")),
        },
    }
    return panel_of(title, height_px, [layer]) | {"data": {"values": rows}}
