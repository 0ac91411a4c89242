"""Scenario `jitter`: does max_requests_jitter keep workers from restarting together? Judged by the arm that has it.

The arm without jitter is the comparison: what it loses is told, and no fault of the release.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Json, Judgement, State
from harness.judge.invariants.max_requests_honoured import most_served
from harness.judge.invariants.requests_answered import BUSY_SHARE
from harness.judge.scenarios.arms import ScenarioAnswer, Seen
from harness.judge.scenarios.away import Ask, Measured, describe_service, find_needed, measure, predict_curve, read_ask
from harness.judge.scenarios.draws import SIGNIFICANT_P
from harness.judge.scenarios.jitter_words import HEAD, arm_to_json, row, say_answer, say_kept, say_notes, say_p
from harness.judge.scenarios.record import Trial
from harness.judge.scenarios.simulation import forecast, span_s
from harness.judge.timeline import find_blind
from harness.stack.workers import find_worker

SEES = ("workers", "logs")
"""The watchers without which absence is not known."""

LIVES = 2
"""Of each worker, in what the model says of an idle machine."""


def judge(trial: Trial, seen: Mapping[str, Seen]) -> ScenarioAnswer:
    """The arm whose jitter was asked for is judged; the others are there to compare with."""
    name = find_judged(trial)
    problem = find_problem(name, seen)
    ask = read_ask(trial.settings)
    arms = {arm: found for arm, one in seen.items() if (found := measure(one.observations, ask)) is not None}
    if name is None or name not in arms or problem is not None:
        unknown = Judgement(state=State.UNKNOWN, reason=problem or "no worker said that it was ready")
        counted = () if name is None else (name,)
        judgements = {"capacity-kept": unknown}
        return ScenarioAnswer(sentence=f"not known: {unknown.reason}", judgements=judgements, arms={}, counted=counted)
    asked = arms[name]
    needed = find_needed(asked, ask)
    return ScenarioAnswer(
        sentence=say_answer(arms, name),
        judgements={
            "capacity-kept": judge_capacity(asked, ask),
            "limits-in-range": judge_limits(asked),
            "jitter-uniform": judge_uniform(asked),
        },
        arms={arm: arm_to_json(found, ask) for arm, found in arms.items()},
        tables=({"title": "Away at once", "head": list(HEAD), "rows": [row(a, f, ask) for a, f in arms.items()]},),
        notes=tuple(say_notes(arms, name, needed, ask)),
        counted=(name,),
        more={
            "most_away": ask.most_away,
            "jitter_needed": None if needed is None else needed.service.jitter,
            "curve": predict_curve(asked),
        },
    )


def find_judged(trial: Trial) -> str | None:
    """The arm that the verdict is about; None where it was not run, because an earlier one was the last."""
    jitter = trial.cell.max_requests_jitter
    return next((name for name, arm in trial.arms.items() if arm.cell.max_requests_jitter == jitter), None)


def find_problem(name: str | None, seen: Mapping[str, Seen]) -> str | None:
    """Why absence is not known whatever the record says, in words; None where it is."""
    if name is None:
        return "the run with the jitter that was asked for was not made"
    return find_blind(seen[name].observations, *SEES)


def judge_capacity(arm: Measured, ask: Ask) -> Judgement:
    """Violated by ``capacity-lost`` where more than the set share was away at once."""
    worst, workers = arm.absence.worst, arm.absence.workers
    most = ask.most_away * workers
    said = f"{worst.away} of {workers} workers were away at once ({worst.away / workers:.0%})"
    if worst.away <= most:
        return Judgement(state=State.HOLDS, reason=f"at most {said}; {ask.most_away:.0%} are allowed")
    held_up = find_held_up(arm, ask)
    if held_up is not None:
        return Judgement(state=State.UNKNOWN, reason=f"{said}, but {held_up}")
    over_s = arm.absence.seconds_above(most)
    detail = f"{said}, more than the {ask.most_away:.0%} that are allowed, for {over_s:.2f} s in all"
    evidence: dict[str, Json] = {
        "away": worst.away,
        "workers": workers,
        "most": most,
        "seconds_above": round(over_s, 3),
    }
    finding = Finding(id=FindingId.CAPACITY_LOST, at_s=worst.at_s, detail=detail, evidence=evidence)
    return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))


def find_held_up(arm: Measured, ask: Ask) -> str | None:
    """Why so many away may be the machine's doing, in words; None where it is not.

    Others use the machine, and by the model the same settings, at the pace of this run, would not lose so many where
    boots take what they are set to and exits take no time.
    """
    share = arm.observations.foreign_share or 0.0
    if share <= BUSY_SHARE:
        return None
    busy = f"other programs used {share:.0%} of the machine: repeat it when it is idle"
    if ask.boot_s is None:
        return busy
    idle = describe_service(arm.cell, boot_s=ask.boot_s, service_s=arm.predicted.service.service_s, exit_s=0.0)
    expected = forecast(idle, duration_s=span_s(idle, LIVES)).mean
    return busy if expected <= ask.most_away * arm.cell.workers else None


def judge_limits(arm: Measured) -> Judgement:
    """Each worker draws within max_requests to max_requests + jitter, and serves what it drew."""
    draws, cell = arm.draws, arm.cell
    span = f"{draws.least} to {draws.most}"
    if not draws.drawn:
        return Judgement(state=State.UNKNOWN, reason="no worker said what it drew")
    if draws.outside:
        early = min(draws.outside) < draws.least
        detail = f"{len(draws.outside)} of {len(draws.drawn)} workers drew a limit outside of {span}, " + (
            f"the lowest {min(draws.outside)}" if early else f"the highest {max(draws.outside)}"
        )
        finding_id = FindingId.RECYCLED_EARLY if early else FindingId.MAX_REQUESTS_IGNORED
        finding = Finding(id=finding_id, at_s=None, detail=detail, evidence={"limits": list(draws.outside)})
        return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
    kept = say_kept(draws)
    if draws.most_over > most_over(cell):
        detail = f"a worker served {draws.most_over} requests more than it drew; {kept}"
        finding = Finding(id=FindingId.MAX_REQUESTS_IGNORED, at_s=None, detail=detail)
        return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
    return Judgement(state=State.HOLDS, reason=f"all {len(draws.drawn)} drew {span}; {kept}")


def most_over(cell: Cell) -> int:
    """How many requests more than its limit a worker may serve: none, unless it has accepted connections that wait."""
    if not find_worker(cell.worker).has_threads:
        return 0
    return most_served(cell) - cell.max_requests - cell.max_requests_jitter


def judge_uniform(arm: Measured) -> Judgement:
    """Violated where the draws are not uniform, with SIGNIFICANT_P."""
    draws, jitter = arm.draws, arm.cell.max_requests_jitter
    if jitter == 0:
        return Judgement(state=State.HOLDS, reason="there is no jitter to draw")
    if draws.p is None:
        return Judgement(state=State.UNKNOWN, reason=f"{len(draws.drawn)} draws are too few for a test")
    said = f"{len(draws.drawn)} draws of 0 to {jitter}, chi-square test over {draws.bins} bins: p = {say_p(draws.p)}"
    if draws.p < SIGNIFICANT_P:
        return Judgement(state=State.VIOLATED, reason=f"the jitter is not drawn uniformly ({said})")
    return Judgement(state=State.HOLDS, reason=f"nothing speaks against a uniform jitter ({said})")
