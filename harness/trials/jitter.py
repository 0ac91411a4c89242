"""Scenario `jitter`: does max_requests_jitter keep workers from restarting together? Judged by the arm that has it.

The arm without jitter is the comparison: what it loses is told, and no fault of the release.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median, pstdev
from typing import cast

from harness.absence import Absence, Delays, find_absence, find_delays, measure_boots_s, measure_exits_s, measure_paces
from harness.draws import SIGNIFICANT_P, Draws, examine_draws
from harness.invariants.requests_answered import BUSY_SHARE
from harness.model import Cell, Finding, FindingId, Json, Judgement, Observations, State
from harness.simulation import QUANTILE, Forecast, Service, find_jitter, forecast, span_s
from harness.timeline import find_blind
from harness.trials.fold import Answer, Seen
from harness.trials.record import Trial

SEES = ("workers", "logs")
"""The watchers without which absence is not known."""

LEAST_SAID_P = 0.0001
CURVE_POINTS = 8
LIVES = 2
"""Of each worker, in what the model says of an idle machine."""
HEAD = ("", "worst away", "of", "predicted", "away on average", "slow probes", "failed probes", "requests a life")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the scenario was asked, from the record's settings."""

    boot_s: float | None  # None: the user's own app takes what it takes
    service_s: float
    slow_s: float
    most_away: float  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One arm: what was seen and what the model of the same settings predicts."""

    cell: Cell
    observations: Observations
    absence: Absence
    delays: Delays
    draws: Draws
    boots_s: Sequence[float]
    paces: Sequence[float]
    predicted: Forecast


def judge(trial: Trial, seen: Mapping[str, Seen]) -> Answer:
    """The last arm is the one that is judged."""
    ask = read_ask(trial.settings)
    arms = {name: found for name, arm in seen.items() if (found := measure(arm.observations, ask)) is not None}
    name = list(trial.arms)[-1]
    blind = find_blind(seen[name].observations, *SEES)
    if name not in arms or blind is not None:
        unknown = Judgement(state=State.UNKNOWN, reason=blind or "no worker said that it was ready")
        judgements = {"capacity-kept": unknown}
        return Answer(sentence=f"not known: {unknown.reason}", judgements=judgements, arms={}, counted=(name,))
    asked = arms[name]
    curve = predict_curve(asked, ask)
    needed = find_needed(asked, ask)
    return Answer(
        sentence=say_answer(arms, name, ask),
        judgements={
            "capacity-kept": judge_capacity(asked, ask),
            "limits-in-range": judge_limits(asked),
            "jitter-uniform": judge_uniform(asked),
        },
        arms={arm: arm_to_json(found, ask) for arm, found in arms.items()},
        tables=({"title": "Away at once", "head": list(HEAD), "rows": [row(a, f, ask) for a, f in arms.items()]},),
        notes=tuple(say_notes(arms, name, needed, ask)),
        more={
            "most_away": ask.most_away,
            "jitter_needed": None if needed is None else needed.service.jitter,
            "curve": curve,
        },
        counted=(name,),
    )


def read_ask(settings: Mapping[str, Json]) -> Ask:
    """The scenario's settings as recorded."""
    boot_s = settings["boot_s"]
    return Ask(
        boot_s=None if boot_s is None else float(cast(float, boot_s)),
        service_s=float(cast(float, settings["service_s"])),
        slow_s=float(cast(float, settings["slow_s"])),
        most_away=float(cast(float, settings["most_away"])),
    )


def measure(observations: Observations, ask: Ask) -> Measured | None:
    """What an arm shows; None where no worker ever said that it was ready."""
    absence = find_absence(observations)
    if absence is None:
        return None
    cell, boots_s = observations.cell, measure_boots_s(observations.lives)
    exits_s, paces = measure_exits_s(observations.lives), measure_paces(observations)
    service_s = cell.threads / median(paces) if paces else ask.service_s
    service = describe_service(
        cell,
        boot_s=median(boots_s) if boots_s else ask.boot_s or 0.0,
        service_s=service_s,
        exit_s=max(0.0, median(exits_s) - service_s) if exits_s else 0.0,
    )
    return Measured(
        cell=cell,
        observations=observations,
        absence=absence,
        delays=find_delays(observations),
        draws=examine_draws(observations.lives, max_requests=cell.max_requests, jitter=cell.max_requests_jitter),
        boots_s=boots_s,
        paces=paces,
        predicted=forecast(service, duration_s=absence.end_s),
    )


def describe_service(cell: Cell, *, boot_s: float, service_s: float, exit_s: float) -> Service:
    """A cell's settings as the model wants them."""
    return Service(
        workers=cell.workers,
        max_requests=cell.max_requests,
        jitter=cell.max_requests_jitter,
        boot_s=boot_s,
        service_s=service_s,
        exit_s=exit_s,
        threads=cell.threads,
    )


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
    detail = f"{said}, more than the {ask.most_away:.0%} that are allowed, for {over_s:.1f} s in all"
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

    Others use the machine, and by the model the same settings would not lose so many on an idle one.
    """
    share = arm.observations.foreign_share or 0.0
    if share <= BUSY_SHARE:
        return None
    busy = f"other programs used {share:.0%} of the machine: repeat it when it is idle"
    if ask.boot_s is None:
        return busy
    idle = describe_service(arm.cell, boot_s=ask.boot_s, service_s=ask.service_s, exit_s=0.0)
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
    served = f"{draws.fewest_served} to {draws.most_served}" if draws.ended else "none"
    kept = f"{draws.exact} of {draws.ended} ended lives served exactly what they drew ({served})"
    late = cell.threads - 1  # what else it has in hand when it reaches its limit
    if draws.ended and draws.most_served is not None and draws.most_served > draws.most + late:
        detail = f"a worker served {draws.most_served} requests, {draws.most} is its limit; {kept}"
        finding = Finding(id=FindingId.MAX_REQUESTS_IGNORED, at_s=None, detail=detail)
        return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
    return Judgement(state=State.HOLDS, reason=f"all {len(draws.drawn)} drew {span}; {kept}")


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


def say_p(p: float) -> str:
    """A p-value for a reader."""
    return f"below {LEAST_SAID_P}" if p < LEAST_SAID_P else f"{p:.2g}"


def predict_curve(arm: Measured, ask: Ask) -> list[dict[str, Json]]:
    """What the model says of other jitters, up to max_requests, with all else as it was measured."""
    most = max(arm.cell.max_requests, arm.cell.max_requests_jitter)
    jitters = sorted({round(most * point / CURVE_POINTS) for point in range(CURVE_POINTS + 1)})
    found = (
        forecast(replace(arm.predicted.service, jitter=jitter), duration_s=arm.absence.end_s) for jitter in jitters
    )
    return [
        {
            "jitter": one.service.jitter,
            "worst_mean": round(one.mean, 2),
            "worst_q95": one.quantile(QUANTILE),
            "worst_lowest": one.worst[0],
            "worst_highest": one.worst[-1],
        }
        for one in found
    ]


def find_needed(arm: Measured, ask: Ask) -> Forecast | None:
    """The smallest jitter that the model thinks enough, for as many lives as the arm saw."""
    service = arm.predicted.service
    lives = arm.absence.end_s / (service.life_s + service.away_s)
    return find_jitter(service, most_away=ask.most_away, lives=lives)


def say_answer(arms: Mapping[str, Measured], name: str, ask: Ask) -> str:
    """One sentence: with jitter, and without it."""
    worst, workers = arms[name].absence.worst.away, arms[name].absence.workers
    words = f"{name}: at most {worst} of {workers} workers were away at once ({worst / workers:.0%})"
    others = [f"{arm}: {found.absence.worst.away}" for arm, found in arms.items() if arm != name]
    return "; ".join([words, *others])


def say_notes(arms: Mapping[str, Measured], name: str, needed: Forecast | None, ask: Ask) -> list[str]:
    """What else a reader should know: later rounds, how evenly the workers were driven, the jitter that is needed."""
    notes = []
    for arm, found in arms.items():
        again, worst = found.absence.worst_again, found.absence.worst.away
        if again is not None and again < worst and not found.cell.max_requests_jitter:
            notes.append(
                f"{arm}: {worst} away in the first round, never more than {again} later: gunicorn forks missing "
                "workers one by one, with a pause, so that later rounds are spread a little even without jitter"
            )
        if found.paces:
            spread = pstdev(found.paces) / fmean(found.paces)
            notes.append(
                f"{arm}: each worker served {found.paces[0]:.1f} to {found.paces[-1]:.1f} requests a second "
                f"(they differ by {spread:.0%}, one standard deviation)"
            )
    most = f"at most {ask.most_away:.0%} of the workers away at once"
    cell = arms[name].cell
    if needed is None:
        notes.append(
            f"{most}: by the model, no jitter up to max_requests {cell.max_requests} is enough; "
            "raise max_requests as well, or make the app boot faster"
        )
    else:
        notes.append(f"{most}: by the model, a jitter of {needed.service.jitter} is enough in {QUANTILE:.0%} of runs")
    return notes


def row(name: str, arm: Measured, ask: Ask) -> list[str]:
    """One line of the table."""
    draws, delays = arm.draws, arm.delays
    served = f"{draws.fewest_served} to {draws.most_served}" if draws.ended else "-"
    return [
        name,
        str(arm.absence.worst.away),
        str(arm.absence.workers),
        f"{arm.predicted.mean:.0f} ({arm.predicted.worst[0]} to {arm.predicted.worst[-1]})",
        f"{arm.absence.mean:.1f}",
        f"{delays.count_above(ask.slow_s)} of {delays.asked}",
        str(delays.failed),
        served,
    ]


def arm_to_json(arm: Measured, ask: Ask) -> dict[str, Json]:
    """An arm's figures; ``away`` holds [seconds since the load began, workers away] at each change."""
    draws, delays, worst = arm.draws, arm.delays, arm.absence.worst
    return {
        "jitter": arm.cell.max_requests_jitter,
        "worst_away": worst.away,
        "worst_at_s": round(worst.at_s, 3),
        "worst_again": arm.absence.worst_again,
        "mean_away": round(arm.absence.mean, 3),
        "seconds_above": round(arm.absence.seconds_above(ask.most_away * arm.absence.workers), 3),
        "predicted": {
            "mean": round(arm.predicted.mean, 2),
            "lowest": arm.predicted.worst[0],
            "highest": arm.predicted.worst[-1],
        },
        "boot_s": round(arm.predicted.service.boot_s, 3),
        "exit_s": round(arm.predicted.service.exit_s, 3),
        "service_s": round(arm.predicted.service.service_s, 4),
        "paces": [round(pace, 2) for pace in arm.paces],
        "probes": {
            "asked": delays.asked,
            "failed": delays.failed,
            "slow": delays.count_above(ask.slow_s),
            "median_s": round(median(delays.took_s), 4) if delays.took_s else None,
            "worst_s": round(delays.took_s[-1], 4) if delays.took_s else None,
        },
        "draws": {"limits": list(draws.drawn), "p": draws.p, "bins": draws.bins, "ended": draws.ended}
        | {"exact": draws.exact, "fewest_served": draws.fewest_served, "most_served": draws.most_served},
        "away": [[round(step.at_s, 3), step.away] for step in arm.absence.steps],
    }
