"""Folds what the invariants say into one verdict. Pure: the same observations always give the same verdict.

Evidence of a fault outranks "unknown", which outranks "fine"; a failure of the harness itself outranks all three,
because its record can't be trusted, and so does a record that contradicts itself. A judge that crashes is "unknown".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from harness.core.events.base import Event
from harness.core.findings import ORDER
from harness.core.model import CLIENT_ERRORS, Cell, Json, Judgement, Outcome, State, Verdict
from harness.core.observations import Observations
from harness.judge.blind_spots import describe_unseen_findings
from harness.judge.invariants import INVARIANTS
from harness.judge.invariants.max_requests_honoured import is_recycle
from harness.judge.invariants.requests_answered import BUSY_SHARE
from harness.judge.meddling import Meddling, find_meddling
from harness.judge.notes import find_notes
from harness.judge.outage import count_late, count_outcomes
from harness.judge.recovery import find_recovery
from harness.judge.timeline import find_blind, observe, since_load_s
from harness.judge.windows import describe_undone, list_done

CONFIDENCE = 0.95
CUT_SHORT = "the record has no end: it was cut short, and what its last lines said is not known"
MEDDLING_S = 1.0
"""What began so shortly before such a signal was logged may already be its work (an outage begins with a success)."""

_NEXT_PHASE = {
    "prepare": "boot",
    "boot": "control",
    "control": "load",
    "load": "settle",
    "settle": "closed",
    "recover": "ended",
    "stop": "ended",
}


def judge_events(cell: Cell, events: Iterable[Event]) -> tuple[Verdict, Observations]:
    """The verdict on a record, and the observations that it rests on."""
    observations = observe(cell, events)
    return judge(observations), observations


def judge(observations: Observations) -> Verdict:
    """The verdict on observations."""
    asked = {name: _ask(judge_one, observations) for name, judge_one in INVARIANTS.items()}
    meddling = find_meddling(observations)
    judgements = {
        name: _disregard(observations, meddling, judgement)
        for name, judgement in asked.items()
        if judgement is not None
    }
    if observations.fault is not None:
        judgements = {}
    elif observations.defects:
        judgements = disbelieve(judgements, observations.defects)
    outcome, reasons = _fold(observations, judgements, meddling)
    findings = sorted(
        (finding for judgement in judgements.values() for finding in judgement.findings),
        key=lambda finding: ORDER[finding.id],
    )
    return Verdict(
        cell=observations.cell,
        outcome=outcome,
        reasons=tuple(reasons),
        findings=tuple(findings),
        notes=find_notes(observations) if observations.fault is None else (),
        invariants={name: judgement.state for name, judgement in judgements.items()},
        invariant_reasons={name: judgement.reason for name, judgement in judgements.items()},
        counts=_count(observations),
        strength=_strength(observations, outcome),
        timing_s=_time(observations),
        error=_error(observations.fault),
        recovery=find_recovery(observations),
    )


def disbelieve(judgements: Mapping[str, Judgement], defects: Sequence[str]) -> dict[str, Judgement]:
    """What the same invariants say of a record that can't be believed: nothing."""
    return dict.fromkeys(judgements, Judgement(state=State.UNKNOWN, reason=defects[0]))


def count_recycles(observations: Observations) -> int:
    """Worker lives that ended because max_requests was reached."""
    return sum(is_recycle(observations.cell, life) for life in observations.lives)


def failure_rate_upper_95(trials: int) -> float | None:
    """The upper 95 % bound of the failure rate after so many recycles, or requests, without one (exact binomial).

    None without a trial. Source: solve (1 - p)^n = 0.05 for p (Clopper and Pearson's interval at zero failures).
    """
    return None if trials == 0 else float(1 - (1 - CONFIDENCE) ** (1 / trials))


def _ask(judge_one: Callable[[Observations], Judgement | None], observations: Observations) -> Judgement | None:
    try:
        return judge_one(observations)
    except Exception as problem:  # noqa: BLE001 - a crashing judge must not turn into any verdict on the release
        return Judgement(state=State.UNKNOWN, reason=f"the judge itself failed: {type(problem).__name__}: {problem}")


def _disregard(observations: Observations, meddling: Sequence[Meddling], judgement: Judgement) -> Judgement:
    """Once another process, or the app itself, has done it, what may follow from that is not the release's doing."""
    if judgement.state is not State.VIOLATED:
        return judgement
    left, doing = judgement.findings, None
    for entry in meddling:
        latest_s = since_load_s(observations, entry.at_ns) - MEDDLING_S
        kept = tuple(
            one for one in left if one.id not in entry.covers or (one.at_s is not None and one.at_s < latest_s)
        )
        if len(kept) < len(left) or not judgement.findings:
            left, doing = kept, doing or entry
    if doing is None:
        return judgement
    if left:
        return replace(judgement, reason=left[0].detail, findings=left)
    return Judgement(state=State.UNKNOWN, reason=f"{doing.what}; what came after that says nothing: {judgement.reason}")


def _fold(
    observations: Observations, judgements: Mapping[str, Judgement], meddling: Sequence[Meddling]
) -> tuple[Outcome, list[str]]:
    if observations.fault is not None:
        return Outcome(str(observations.fault["outcome"])), [str(observations.fault["what"])]
    if observations.defects:
        return Outcome.INCONCLUSIVE, list(observations.defects)
    violated = [f"{name}: {j.reason}" for name, j in judgements.items() if j.state is State.VIOLATED]
    if violated:
        return Outcome.VIOLATED, violated
    doubts = [f"{name}: {j.reason}" for name, j in judgements.items() if j.state is State.UNKNOWN]
    doubts = _doubts(observations, meddling) + doubts
    if doubts:
        return Outcome.INCONCLUSIVE, doubts
    return Outcome.HOLDS, [f"{name}: {judgement.reason}" for name, judgement in judgements.items()]


def _doubts(observations: Observations, meddling: Sequence[Meddling]) -> list[str]:
    """What forbids to say "holds" although nothing wrong was seen."""
    cell, load = observations.cell, observations.load
    doubts = _doubts_of_fleet(observations)
    if observations.interrupted is not None:
        doubts.append(f"the run was interrupted in its {observations.interrupted} phase")
    if load is None or load.failed is not None:
        doubts.append(f"the load failed: {load.failed if load else 'it never ran'}")
    recycles = count_recycles(observations)
    if cell.max_requests > 0:
        doubts.extend(describe_unseen_findings(cell))
    if cell.max_requests > 0 and recycles < cell.recycles:
        doubts.append(
            f"only {recycles} of {cell.recycles} wanted recycles were seen{_busy(observations)}: "
            "raise --duration, or lower --max-requests"
        )
    undone = describe_undone(observations)
    doubts.extend([] if undone is None else [undone])
    doubts.extend(dict.fromkeys(entry.what for entry in meddling if entry.is_total))
    blind = [find_blind(observations, name) for name in _needed_watchers(observations)]
    doubts.extend(doubt for doubt in blind if doubt is not None)
    if "closed" not in observations.phases:
        doubts.append("the record ends before its window was closed")
    if observations.cut_short:
        doubts.append(CUT_SHORT)
    return doubts + _doubts_of_ledger(observations.ledger)


def _doubts_of_fleet(observations: Observations) -> list[str]:
    """A fleet that was not complete when the load began can't tell what the load did to it. Older records don't say."""
    fleet = observations.fleet
    if fleet is None or fleet.complete:
        return []
    waited_s = fleet.waited_ns / 1e9
    few = f"only {fleet.ready} of {fleet.configured} workers were ready {waited_s:.1f} s after the first answer"
    return [f"{few} ({fleet.live} were alive): ask for fewer --workers, or repeat it when the machine is idle"]


def _doubts_of_ledger(ledger: Mapping[str, Json] | None) -> list[str]:
    """A request without a known outcome may be any failure; one that hung is one. Older records have no ledger."""
    if ledger is None:
        return []
    if ledger.get("state") != "closed":
        return [f"the ledger could not be closed: {ledger.get('detail')}"]
    unexplained = _count_below(ledger, "counts", "unexplained")
    hung = _count_below(ledger, "by_client", "load", "never_answered")
    doubts = [f"the ledgers don't add up: {unexplained:,} requests are unexplained"] if unexplained else []
    return doubts + ([f"{hung:,} requests of the load were never answered"] if hung else [])


def _count_below(data: Json, *keys: str) -> int:
    """The number below ``keys``, 0 where there is none."""
    for key in keys:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data if isinstance(data, int) else 0


def _needed_watchers(observations: Observations) -> list[str]:
    """All that this cell needs, and all others that ran; only the tracer may be off."""
    socket = ["socket"] if observations.cell.bind == "unix" else []
    there = [name for name, state in observations.watchers.items() if (name, state) != ("tracer", "off")]
    return list(dict.fromkeys([*socket, "logs", "tallies", "workers", "prober", *there]))


def _busy(observations: Observations) -> str:
    share = observations.foreign_share or 0.0
    return f", while other programs used {share:.0%} of the machine" if share > BUSY_SHARE else ""


def _count(observations: Observations) -> dict[str, Json]:
    by_client = count_outcomes(observations)
    everything: Counter[str] = sum(by_client.values(), Counter())
    statuses = {outcome: count for outcome, count in sorted(everything.items()) if outcome.isdigit()}
    errors = {name: everything.get(name, 0) for name in CLIENT_ERRORS}
    load = observations.load
    measured: dict[str, Json] = {"latency_ms": dict(load.latency_ms)} if load and load.latency_ms else {}
    return {
        "requests": sum(statuses.values()) + sum(errors.values()) - count_late(load),  # a late answer has a status
        "statuses": statuses,
        "client_errors": errors,
        "recycles": count_recycles(observations),
        "workers_seen": len(observations.lives),
        "workers_crashed": sum(life.crash is not None for life in observations.lives),
        "fewest_workers": observations.fewest_live,
        "foreign_cpu_share": observations.foreign_share,
        "by_client": {client: dict(sorted(outcomes.items())) for client, outcomes in by_client.items()},
        "proxy_errors": dict(observations.proxy_errors),
        **_ledger(observations.ledger),
        **measured,
        **({"open_loop": dict(load.pace)} if load and load.pace else {}),
    }


def _ledger(ledger: Mapping[str, Json] | None) -> dict[str, Json]:
    """``counts.ledger``: the counts first, then by client, then who they are; left out where none was closed."""
    if ledger is None or not isinstance(counts := ledger.get("counts"), Mapping):
        return {}
    rest = {name: value for name, value in ledger.items() if name not in {"counts", "state", "took_s"}}
    return {"ledger": {**counts, **rest}}


def _strength(observations: Observations, outcome: Outcome) -> dict[str, Json]:
    recycles = count_recycles(observations)
    requests = observations.load.requests if observations.load else 0
    holds = outcome is Outcome.HOLDS
    per_recycle = failure_rate_upper_95(recycles) if holds else None
    per_request = failure_rate_upper_95(requests) if holds else None
    done = sum(1 for _ in list_done(observations))
    per_disturbance = failure_rate_upper_95(done) if holds else None
    disturbed: dict[str, Json] = {
        "disturbances": done,
        "failure_rate_per_disturbance_upper_95": None if per_disturbance is None else round(per_disturbance, 6),
    }
    return {
        "recycles": recycles,
        **(disturbed if observations.disturbances else {}),
        "requests": requests,
        "failure_rate_upper_95": None if per_recycle is None else round(per_recycle, 6),
        "failure_rate_per_request_upper_95": None if per_request is None else round(per_request, 9),
    }


def _time(observations: Observations) -> dict[str, float]:
    phases = observations.phases
    times = {
        name: round((phases[after] - phases[name]) / 1e9, 3)
        for name, after in _NEXT_PHASE.items()
        if name in phases and after in phases
    }
    if phases:
        times["total"] = round((max(phases.values()) - min(phases.values())) / 1e9, 3)
    return times


def _error(fault: Mapping[str, Json] | None) -> dict[str, Json] | None:
    return None if fault is None else {name: fault.get(name) for name in ("type", "what", "remedy", "log")}
