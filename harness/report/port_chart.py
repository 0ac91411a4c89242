"""The chart of the scenario `tcp`: what clients were answered over the Unix socket, and over a port, side by side.

It makes a dict from the observations of both runs; see ``chart`` for how it is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.judge.scenarios.record import Trial
from harness.judge.scenarios.tcp import TCP, UNIX
from harness.report.chart_answers import answers_panels
from harness.report.chart_data import Tables, tabulate
from harness.report.chart_parts import Spec, axis_below, whole_chart
from harness.report.chart_server import socket_panel

_NAMES: Mapping[str, str] = {UNIX: "Over the Unix socket", TCP: "Over a port"}


def draw_port(trial: Trial) -> tuple[Spec, float, float] | None:
    """The specification, and the seconds that it shows; None where neither run has begun."""
    tables = {name: tabulate(trial.arms[name].observe()) for name in _NAMES if name in trial.arms}
    if not tables:
        return None
    panels = [panel for name, one in tables.items() for panel in _panels(name, one)]
    axis_below(panels[-1])
    to_s = max(one.to_s for one in tables.values())
    spec = whole_chart(
        "What clients were answered, over the Unix socket and over a port.",
        panels,
        (0.0, round(to_s, 3)),
        scales={"x": "shared", "color": "independent"},
    )
    return spec, 0.0, to_s


def _panels(name: str, tables: Tables) -> Iterator[Spec]:
    """One run's panels, with data of names of their own."""
    own = [socket_panel(tables)] if name == UNIX else []
    for panel in [*own, *answers_panels(tables)]:
        title = str(panel["title"])
        data = dict(panel["data"])
        if "name" in data:
            data["name"] = f"{data['name']}_{name}"
        yield panel | {"title": f"{_NAMES[name]}: {title[0].lower()}{title[1:]}", "data": data}
