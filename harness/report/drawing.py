"""What the page and the picture draw of a record: the timeline of a single run, or a scenario's own chart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harness.core.events.base import Event
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.judge.timeline import observe
from harness.report.chart import draw_timeline, shown_range
from harness.report.chart_data import tabulate
from harness.report.chart_parts import Spec

LEAST_NEAR_S = 0.3
"""Around the first failure at least so much is shown: bursts last some ten milliseconds, worker boots a hundred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A Vega-Lite specification of panels (``vconcat``) with the parameters ``shown_from`` and ``shown_to``.

    Times are on the chart's own axis; ``focus_s`` is what a reader wants to see first, ``near_s`` how much around it.
    """

    spec: Spec
    from_s: float
    to_s: float
    focus_s: float | None = None
    near_s: float = LEAST_NEAR_S


def draw(cell: Cell, events: Iterable[Event], story: Sequence[Any] = ()) -> Chart | None:
    """The chart of a record, its data included; None where there is nothing to draw.

    ``story``: the moments as stored, with ``at_s`` and ``what``; only a single run's timeline numbers them.

    Raises:
        UsageError: the record is broken.
    """
    if cell.scenario is not None:
        from harness.report.scenario_charts import draw_scenario  # and what judges scenarios, only where there is one

        drawn = draw_scenario(cell, events)
        return None if drawn is None else Chart(spec=drawn[0], from_s=drawn[1], to_s=drawn[2])
    tables = tabulate(observe(cell, events))
    from_s, to_s = shown_range(tables)
    near_s = max(LEAST_NEAR_S, 10 * tables.bin_s)
    spec = draw_timeline(tables, story)
    return Chart(spec=spec, from_s=from_s, to_s=to_s, focus_s=tables.focus_s, near_s=near_s)
