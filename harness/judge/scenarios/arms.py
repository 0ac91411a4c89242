"""From the arms of a scenario to one verdict: what each arm's run is judged by, and what the scenario itself asks.

The rules are those of a single run: a failure of the harness outranks all, evidence of a fault outranks "unknown", and
"unknown" outranks "fine". What broke in an arm beside the scenario's own question is told, never lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from harness.core.findings import ORDER
from harness.core.frozen import dataclass
from harness.core.model import Finding, Json, Judgement, Moment, Outcome, State, Verdict
from harness.core.observations import Observations
from harness.judge.scenarios.record import Trial
from harness.judge.story import tell
from harness.judge.verdict import CUT_SHORT, disbelieve, failure_rate_upper_95, judge

_WORST = (State.VIOLATED, State.UNKNOWN, State.HOLDS)
_FAILED = (Outcome.ERROR, Outcome.UNRUNNABLE)
_SUMMED = ("requests", "recycles", "workers_seen", "workers_crashed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One arm: what was observed, and what a single run's judge says of it."""

    observations: Observations
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioAnswer:
    """What a scenario's own judge says. ``arms``: what it measured, by arm; ``tables``: for the reader.

    ``counted``: the arms whose own verdicts count; None is all. An arm that is there to show how bad it gets does not.
    """

    sentence: str
    judgements: Mapping[str, Judgement]
    arms: Mapping[str, Mapping[str, Json]]
    tables: tuple[Mapping[str, Json], ...] = ()  # {"title", "head": [...], "rows": [[...]]}, all of them texts
    notes: tuple[str, ...] = ()
    counted: tuple[str, ...] | None = None
    more: Mapping[str, Json] | None = None  # further keys of the verdict's ``scenario`` object


def see_arms(trial: Trial) -> dict[str, Seen]:
    """Each arm, observed and judged as the run that it is."""
    observed = {name: arm.observe() for name, arm in trial.arms.items()}
    return {name: Seen(observations=found, verdict=judge(found)) for name, found in observed.items()}


def fold(trial: Trial, seen: Mapping[str, Seen], answer: ScenarioAnswer) -> Verdict:
    """The scenario's verdict; a failed arm fails the whole, whether it counts or not."""
    counted = {name: arm for name, arm in seen.items() if answer.counted is None or name in answer.counted}
    judgements = dict(answer.judgements) | _merge(counted)
    failed = next((arm.verdict for arm in seen.values() if arm.verdict.outcome in _FAILED), None)
    defects = _find_defects(trial, seen)
    if failed is not None:
        outcome, reasons, judgements = failed.outcome, list(failed.reasons), {}
    elif defects:
        outcome, reasons, judgements = Outcome.INCONCLUSIVE, defects, disbelieve(judgements, defects)
    else:
        outcome, reasons = _decide(trial, counted, judgements)
    told = failed is None and not defects
    return Verdict(
        cell=trial.cell,
        outcome=outcome,
        reasons=tuple(reasons),
        findings=tuple(_sorted_findings(answer.judgements, judgements)),
        invariants={name: judgement.state for name, judgement in judgements.items()},
        invariant_reasons={name: judgement.reason for name, judgement in judgements.items()},
        counts=_count(seen),
        strength=_strength(seen, outcome),
        timing_s=_time(seen),
        error=None if failed is None else failed.error,
        scenario={
            "name": trial.name,
            "answer": answer.sentence if told else f"no answer: {reasons[0]}",
            "settings": trial.settings,
            "arms": {
                name: {"run": arm.run, "verdict": seen[name].verdict.outcome.value, **answer.arms.get(name, {})}
                for name, arm in trial.arms.items()
            },
            "tables": list(answer.tables) if told else [],
            "notes": list(answer.notes) if told else [],
            **(answer.more or {}),
        },
    )


def _find_defects(trial: Trial, seen: Mapping[str, Seen]) -> list[str]:
    """Why the scenario's record can't be believed, or that of an arm."""
    return [*trial.defects, *(f"{name}: {defect}" for name, arm in seen.items() for defect in arm.observations.defects)]


def tell_arms(seen: Mapping[str, Seen]) -> tuple[Moment, ...]:
    """What happened when in each arm, in seconds since the load of the first one began."""
    starts = {name: _origin_ns(arm.observations) for name, arm in seen.items()}
    origin_ns = min(starts.values(), default=0)
    return tuple(
        Moment(at_s=round(moment.at_s + (starts[name] - origin_ns) / 1e9, 3), what=f"{name}: {moment.what}")
        for name, arm in seen.items()
        for moment in tell(arm.observations)
    )


def _origin_ns(observations: Observations) -> int:
    phases = observations.phases
    return phases.get("load", min(phases.values(), default=0))


def _merge(seen: Mapping[str, Seen]) -> dict[str, Judgement]:
    """Each invariant of a single run, at its worst over the arms; findings say in which arm they were made."""
    names = dict.fromkeys(name for arm in seen.values() for name in arm.verdict.invariants)
    return {name: _worst(name, seen) for name in names}


def _worst(name: str, seen: Mapping[str, Seen]) -> Judgement:
    said = {arm: one.verdict for arm, one in seen.items() if name in one.verdict.invariants}
    state = min((verdict.invariants[name] for verdict in said.values()), key=_WORST.index)
    reasons = [
        f"{arm}: {verdict.invariant_reasons[name]}"
        for arm, verdict in said.items()
        if verdict.invariants[name] is state
    ]
    return Judgement(state=state, reason="; ".join(reasons), findings=tuple(_findings(name, said)))


def _findings(name: str, said: Mapping[str, Verdict]) -> Iterator[Finding]:
    """A verdict doesn't keep which invariant made a finding: all of them go with the first one that is violated."""
    for arm, verdict in said.items():
        first = next((one for one, state in verdict.invariants.items() if state is State.VIOLATED), None)
        if first == name:
            for finding in verdict.findings:
                evidence = {**finding.evidence, "arm": arm}
                yield replace(finding, detail=f"{arm}: {finding.detail}", evidence=evidence)


def _decide(trial: Trial, seen: Mapping[str, Seen], judgements: Mapping[str, Judgement]) -> tuple[Outcome, list[str]]:
    violated = [f"{name}: {one.reason}" for name, one in judgements.items() if one.state is State.VIOLATED]
    if violated:
        return Outcome.VIOLATED, violated
    doubts = [f"interrupted {trial.interrupted}"] if trial.interrupted is not None else []
    doubts += [CUT_SHORT] if trial.cut_short else []
    for name, arm in seen.items():
        if arm.verdict.outcome is Outcome.INCONCLUSIVE:
            doubts += [f"{name}: {reason}" for reason in arm.verdict.reasons]
    doubts += [
        f"{name}: {one.reason}"
        for name, one in judgements.items()
        if one.state is State.UNKNOWN and not any(name in doubt for doubt in doubts)
    ]
    if doubts:
        return Outcome.INCONCLUSIVE, doubts
    return Outcome.HOLDS, [f"{name}: {one.reason}" for name, one in judgements.items()]


def _sorted_findings(own: Mapping[str, Judgement], judgements: Mapping[str, Judgement]) -> list[Finding]:
    """Those of the scenario's own question first, then in the order of a single run."""
    rows = [(name not in own, ORDER[one.id], one) for name in judgements for one in judgements[name].findings]
    return [finding for *_, finding in sorted(rows, key=lambda row: row[:2])]


def _count(seen: Mapping[str, Seen]) -> dict[str, Json]:
    """The contract's counts over all arms."""
    statuses: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    for arm in seen.values():
        counts = arm.verdict.counts
        statuses.update(cast("Mapping[str, int]", counts["statuses"]))
        errors.update(cast("Mapping[str, int]", counts["client_errors"]))
        sums.update({name: cast(int, counts[name]) for name in _SUMMED})
    shares = [arm.observations.foreign_share for arm in seen.values() if arm.observations.foreign_share is not None]
    return {
        "requests": sums["requests"],
        "statuses": dict(sorted(statuses.items())),
        "client_errors": dict(errors),
        "recycles": sums["recycles"],
        "workers_seen": sums["workers_seen"],
        "workers_crashed": sums["workers_crashed"],
        "foreign_cpu_share": max(shares, default=None),
    }


def _strength(seen: Mapping[str, Seen], outcome: Outcome) -> dict[str, Json]:
    counts = _count(seen)
    recycles = counts["recycles"]
    bound = failure_rate_upper_95(recycles) if outcome is Outcome.HOLDS and isinstance(recycles, int) else None
    return {
        "recycles": recycles,
        "requests": counts["requests"],
        "failure_rate_upper_95": None if bound is None else round(bound, 6),
    }


def _time(seen: Mapping[str, Seen]) -> dict[str, float]:
    """Each phase, all arms together."""
    spent_s: dict[str, float] = {}
    for arm in seen.values():
        for name, arm_s in arm.verdict.timing_s.items():
            spent_s[name] = round(spent_s.get(name, 0.0) + arm_s, 3)
    return spent_s
