"""The chart of a scenario's record: a row each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from harness.core.events.base import Event
from harness.core.model import Cell
from harness.judge.scenarios.record import Trial, read_trial
from harness.report.absence_chart import draw_absence
from harness.report.chart_parts import Spec
from harness.report.memory_chart import draw_memory
from harness.report.port_chart import draw_port

CHARTS: Mapping[str, Callable[[Trial], tuple[Spec, float, float] | None]] = {
    "leak": draw_memory,
    "jitter": draw_absence,
    "tcp": draw_port,
}
"""By the name of the scenario: its record -> (specification, first and last second that it shows), None where there is
nothing to draw. One without a row here has no chart."""


def draw_scenario(cell: Cell, events: Iterable[Event]) -> tuple[Spec, float, float] | None:
    """Its specification and the first and last second that it shows; None where there is nothing to draw.

    Raises:
        UsageError: the record is broken.
    """
    draw_trial = CHARTS.get(cell.scenario or "")
    return None if draw_trial is None else draw_trial(read_trial(cell, events))
