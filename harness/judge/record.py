"""Judges whatever was recorded: a single run, or a scenario."""

from __future__ import annotations

from collections.abc import Iterable

from harness.core.events.base import Event
from harness.core.model import Cell, Moment, Verdict
from harness.judge.story import tell
from harness.judge.verdict import judge_events


def judge_record(cell: Cell, events: Iterable[Event]) -> tuple[Verdict, tuple[Moment, ...]]:
    """The verdict on a stored run or scenario, and the story that goes with it.

    Raises:
        UsageError: the record is broken, or one of a scenario that this version doesn't know.
    """
    if cell.scenario is not None:
        from harness.judge.scenarios import judge_scenario  # fifteen modules that a single run has no use for

        return judge_scenario(cell, events)
    verdict, observations = judge_events(cell, events)
    return verdict, tell(observations)
