"""Judges the record of a scenario: several runs side by side, one verdict. Pure, like the judging of a single run.

One small module a scenario, one row each in ``JUDGES``; ``scenarios`` makes the records. A newcomer adds a file and a
row here and there. No version number may come in: a judge knows only what was observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from harness.core.errors import HarnessError, UsageError
from harness.core.events.base import Event
from harness.core.model import Cell, Judgement, Moment, State, Verdict
from harness.judge.scenarios import jitter, leak, tcp
from harness.judge.scenarios.arms import ScenarioAnswer, Seen, fold, see_arms, tell_arms
from harness.judge.scenarios.record import Trial, read_trial

JUDGES: Mapping[str, Callable[[Trial, Mapping[str, Seen]], ScenarioAnswer]] = {
    "leak": leak.judge,
    "jitter": jitter.judge,
    "tcp": tcp.judge,
}
"""By the name of the scenario: (its record, its arms as they were seen) -> its answer."""


def judge_scenario(cell: Cell, events: Iterable[Event]) -> tuple[Verdict, tuple[Moment, ...]]:
    """The verdict on the record of a scenario, and the story that goes with it.

    Raises:
        UsageError: the record is broken, or one of a scenario that this version doesn't know.
    """
    if cell.scenario not in JUDGES:
        raise UsageError(
            what=f"The record is one of the scenario {cell.scenario!r}, which this version does not know.",
            remedy=f"It knows {', '.join(JUDGES)}; use the version of the harness that recorded it (see facts.json).",
        )
    trial = read_trial(cell, events)
    seen = see_arms(trial)
    return fold(trial, seen, _ask(trial, seen)), tell_arms(seen)


def _ask(trial: Trial, seen: Mapping[str, Seen]) -> ScenarioAnswer:
    """The scenario's own judge; one that crashes knows nothing, as that of an invariant."""
    try:
        return JUDGES[trial.name](trial, seen)
    except HarnessError:  # such as a package that is not installed
        raise
    except Exception as problem:  # noqa: BLE001 - a crashing judge must not turn into any verdict
        why = f"the judge itself failed: {type(problem).__name__}: {problem}"
        judgement = Judgement(state=State.UNKNOWN, reason=why)
        return ScenarioAnswer(
            sentence="no answer: the judge itself failed", judgements={trial.name: judgement}, arms={}
        )
