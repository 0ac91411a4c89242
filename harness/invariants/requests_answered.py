"""Every request of a client is answered, recycle or not. What counts is what the client saw, not one status code."""

from __future__ import annotations

from collections import Counter

from harness.model import Finding, FindingId, Judgement, LoadResult, Observations, State, is_failure
from harness.outage import covered_from_ns, probe_failures, proxy_in_doubt
from harness.timeline import SAME_MOMENT_NS, since_load_s

BURST_GAP_NS = 100_000_000
"""Failures less than this apart belong to one burst."""


def judge(observations: Observations) -> Judgement:
    """Violated by any failure; ``failed-responses`` only for those that no outage explains."""
    covered_ns = covered_from_ns(observations)
    failures = _timed_failures(observations)
    loose = Counter[str]()
    times = []
    for at_ns, outcomes in failures:
        if covered_ns is None or at_ns < covered_ns:
            loose.update(outcomes)
            times.append(at_ns)
    untimed = _untimed_errors(observations.load)
    if covered_ns is None:
        loose.update(untimed)
    if loose:
        finding = _finding(observations, loose, times)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    if covered_ns is not None and proxy_in_doubt(observations):
        return Judgement(state=State.UNKNOWN, reason="requests failed, but the proxy may be the one at fault")
    if failures or untimed:
        return Judgement(state=State.VIOLATED, reason="requests failed; all of them belong to the permanent outage")
    return _nothing_failed(observations)


def _nothing_failed(observations: Observations) -> Judgement:
    load = observations.load
    if load is None or load.failed is not None or load.requests == 0:
        return Judgement(state=State.UNKNOWN, reason=(load and load.failed) or "there was no load")
    slow = load.errors.get("timeout", 0)
    if slow and observations.stalls:
        return Judgement(
            state=State.UNKNOWN, reason=f"{slow} answers came too late, but the machine itself stood still"
        )
    prober = observations.watchers.get("prober", "never started")
    if prober != "stopped":
        return Judgement(state=State.UNKNOWN, reason=f"the prober did not see the whole run: {prober}")
    return Judgement(
        state=State.HOLDS, reason=f"all {load.requests:,} requests of the load and all probes were answered"
    )


def _timed_failures(observations: Observations) -> list[tuple[int, Counter[str]]]:
    """(when, outcome -> count) of everything that failed and has a time."""
    rows = []
    for row in observations.answers:
        failed = Counter({outcome: count for outcome, count in row.outcomes.items() if is_failure(outcome)})
        if failed:
            rows.append((row.at_ns, failed))
    rows.extend((probe.at_ns, Counter({probe.outcome: 1})) for probe in probe_failures(observations))
    return sorted(rows, key=lambda item: item[0])


def _untimed_errors(load: LoadResult | None) -> Counter[str]:
    """The load's own error counts, which have no time."""
    return Counter({error: count for error, count in (load.errors if load else {}).items() if count})


def _finding(observations: Observations, outcomes: Counter[str], times: list[int]) -> Finding:
    total = sum(outcomes.values())
    sent = _requests(observations)
    named = ", ".join(f"{outcome} x {count}" for outcome, count in outcomes.most_common())
    bursts = _bursts(times)
    near = sum(_near_recycle(observations, at_ns) for at_ns in bursts)
    where = f" in {len(bursts)} bursts, {near} of them while a worker restarted" if bursts else ""
    return Finding(
        id=FindingId.FAILED_RESPONSES,
        at_s=since_load_s(observations, min(times)) if times else None,
        detail=f"{total:,} of {sent:,} requests failed ({total / sent:.2%}): {named}{where}",
        evidence={"failed": total, "requests": sent, "bursts": len(bursts), "bursts_near_a_recycle": near},
    )


def _requests(observations: Observations) -> int:
    load = observations.load
    errors = sum(load.errors.get(name, 0) for name in ("closed", "refused")) if load else 0
    return (load.requests if load else 0) + errors + len(observations.probes)


def _bursts(times: list[int]) -> list[int]:
    """The start of each burst."""
    starts: list[int] = []
    last_ns: int | None = None
    for at_ns in sorted(times):
        if last_ns is None or at_ns - last_ns > BURST_GAP_NS:
            starts.append(at_ns)
        last_ns = at_ns
    return starts


def _near_recycle(observations: Observations, at_ns: int) -> bool:
    """Whether some worker was between reaching its limit and its end, give or take what the watchers may lag."""
    return any(
        (life.restart_ns or life.ended_ns) - SAME_MOMENT_NS <= at_ns <= life.ended_ns + SAME_MOMENT_NS
        for life in observations.lives
        if life.ended_ns is not None
    )
