"""Every request of a client is answered, recycle or not. What counts is what the client saw, not one status code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.model import Finding, Judgement, State, is_success
from harness.core.observations import Observations
from harness.disturb.course import Loss
from harness.judge.outage import (
    client_way,
    count_late,
    covered_from_ns,
    describe_overload,
    find_outage,
    is_overloaded,
    probe_failures,
    proxy_in_doubt,
)
from harness.judge.proxy_doubt import describe_silent_proxy
from harness.judge.restarts import BY_CHANCE, chance_of, is_near_restart, restart_share, restart_spans
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.vanishing import find_vanishing, vanished_ns
from harness.judge.windows import LOSSES_THAT_LAST, SAME_MOMENT_NS, allows_loss, find_window, rules_of

BURST_GAP_NS = 100_000_000
"""Failures less than this apart belong to one burst."""

BUSY_SHARE = 0.15
"""Where others use more of all cores, a late answer may be their doing: the run itself fills a small machine."""


NO_DISTURBANCE = "no disturbance"
"""In the place of a disturbance's label, for what failed outside of all of them."""

LOAD_WAITS_NS = 2_000_000_000
"""For so long the clients wait for an answer."""

OF_A_FULL_QUEUE = {"502", "503", "refused", "timeout"}
"""How a request may end that finds no place in the kernel's queue of connections."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """What failed: seen at ``at_ns``, over at ``end_ns`` (a time-out takes a while), on the way ``via``."""

    at_ns: int
    end_ns: int
    via: str
    outcomes: Counter[str]


def judge(observations: Observations) -> Judgement:
    """Violated by any failure; ``failed-responses`` only for those that no outage explains."""
    covered_ns = covered_from_ns(observations)
    everything = _timed_failures(observations)
    failures = [one for one in everything if not allows_loss(observations, _begin_of(one), one.end_ns, one.outcomes)]
    rows = [failure for failure in failures if not _is_explained(observations, failure, covered_ns)]
    loose = sum((failure.outcomes for failure in rows), Counter[str]())
    untimed = _untimed_errors(observations)
    if covered_ns is None:
        loose.update(untimed)
    if proxy_in_doubt(observations) and not any(failure.via == "direct" for failure in rows):
        return Judgement(state=State.UNKNOWN, reason="requests failed, but the proxy may be the one at fault")
    silent = describe_silent_proxy(observations, loose)
    if silent is not None and not any(failure.via == "direct" for failure in rows):
        return Judgement(state=State.UNKNOWN, reason=silent)
    excuse = _excuse(observations, loose)
    if excuse is not None:
        return Judgement(state=State.UNKNOWN, reason=excuse)
    if loose:
        finding = _finding(observations, loose, rows)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    if failures or untimed:
        what = "the deleted socket file" if find_outage(observations) is None else "the permanent outage"
        return Judgement(state=State.VIOLATED, reason=f"requests failed; all of them belong to {what}")
    is_lost = len(everything) > len(failures) or _count_waits(observations) > 0
    return _lost_as_allowed(observations, everything) if is_lost else _nothing_failed(observations)


def _lost_as_allowed(observations: Observations, lost: list[_Failure]) -> Judgement:
    """No other request failed; but what gunicorn had begun to run is to be answered where it is stopped in order."""
    by_window = _count_by_window(observations, lost)
    rules = {rules_of(one).MAY_LOSE for one in observations.disturbances}
    begun = count_begun(observations)
    if begun and rules <= {Loss.NOTHING, Loss.NOT_YET_ACCEPTED}:
        detail = f"{begun:,} requests that gunicorn had begun to run when it was told to end were not answered"
        finding = Finding(id=FindingId.FAILED_RESPONSES, at_s=None, detail=detail, evidence={"begun": begun})
        return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
    blind = find_blind(observations, "prober")
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    what = describe_windows(by_window) or f"{_count_waits(observations):,} answers that came late"
    reason = f"what clients lost, they lost to disturbances that may do so: {what}"
    return Judgement(state=State.HOLDS, reason=reason)


def _count_waits(observations: Observations) -> int:
    """The late answers of the load where connections may wait for a start: the load does not tell when they came."""
    may_wait = any(rules_of(one).MAY_LOSE is Loss.TIME for one in observations.disturbances)
    return observations.load.errors.get("timeout", 0) if may_wait and observations.load is not None else 0


def count_begun(observations: Observations) -> int:
    """The requests that failed although the app had begun to run them, by the ledger."""
    counts = (observations.ledger or {}).get("counts")
    begun = counts.get("failed_after_gunicorn") if isinstance(counts, Mapping) else None
    return begun if isinstance(begun, int) else 0


def _is_explained(observations: Observations, failure: _Failure, covered_ns: int | None) -> bool:
    """By the outage, or, where no client but our direct prober comes to the socket file, by its removal."""
    if covered_ns is not None and failure.end_ns >= covered_ns:
        return True
    vanishing = find_vanishing(observations)
    return (
        vanishing is not None
        and failure.via == "direct" != client_way(observations)
        and failure.end_ns >= vanished_ns(observations, vanishing) - SAME_MOMENT_NS
    )


def _begin_of(failure: _Failure) -> int:
    """When it was asked, as far as that is known: a time-out of the load is told when it is over."""
    return failure.at_ns - (LOAD_WAITS_NS if "timeout" in failure.outcomes else 0)


def _excuse(observations: Observations, loose: Counter[str]) -> str | None:
    """What else than gunicorn may have failed these requests, and what to do; None where nothing has."""
    share, queue, clients = observations.foreign_share or 0.0, observations.queue, observations.cell.connections
    late = f"{loose['timeout']} answers came too late, but"
    if set(loose) == {"timeout"} and share > BUSY_SHARE:
        return f"{late} other programs used {share:.0%} of the machine: repeat it when it is idle"
    if set(loose) == {"timeout"} and is_overloaded(observations):
        return f"{late} {describe_overload(observations)}"
    if loose and queue is not None and queue < clients and set(loose) <= OF_A_FULL_QUEUE:
        return (
            f"{loose.total():,} requests failed, but only {queue} connections can wait for a worker here, restart or "
            f"not, and {clients} clients came: lower --connections, or raise net.core.somaxconn"
        )
    return None


def _nothing_failed(observations: Observations) -> Judgement:
    load = observations.load
    if load is None or load.failed is not None or load.requests == 0:
        return Judgement(state=State.UNKNOWN, reason=(load and load.failed) or "there was no load")
    if not any(is_success(status) or status == str(observations.cell.expect_status) for status in load.statuses):
        return Judgement(state=State.UNKNOWN, reason="no request of the load was answered with success")
    slow = load.errors.get("timeout", 0)
    if slow:
        return Judgement(
            state=State.UNKNOWN, reason=f"{slow} answers came too late, but the machine itself stood still"
        )
    blind = find_blind(observations, "prober")
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    again = observations.proxy_errors.get("retried", 0)
    hidden = f"; the proxy asked gunicorn again {again} times to bring that about" if again else ""
    return Judgement(
        state=State.HOLDS, reason=f"all {load.requests:,} requests of the load and all probes were answered{hidden}"
    )


def _timed_failures(observations: Observations) -> list[_Failure]:
    """Everything that failed and has a time."""
    rows = []
    stalled = _has_stalled(observations)
    for row in observations.answers:
        failed = row.failures()
        if stalled:
            del failed["timeout"]
        if failed:
            rows.append(_Failure(at_ns=row.at_ns, end_ns=row.at_ns, via=client_way(observations), outcomes=failed))
    rows.extend(
        _Failure(at_ns=p.at_ns, end_ns=p.at_ns + p.took_ns, via=p.via, outcomes=Counter({p.outcome: 1}))
        for p in probe_failures(observations)
    )
    return sorted(rows, key=lambda failure: failure.at_ns)


def _untimed_errors(observations: Observations) -> Counter[str]:
    """The load's own error counts that have no time.

    Its time-outs say nothing where the machine stood still, or where connections may wait for a start. Where some may
    have been lost to a disturbance, it can't be known of one without a time whether it was.
    """
    if any(rules_of(one).MAY_LOSE in LOSSES_THAT_LAST for one in observations.disturbances):
        return Counter()
    errors = Counter(observations.load.errors if observations.load else {})
    for row in observations.answers:
        errors.subtract({outcome: count for outcome, count in row.outcomes.items() if not outcome.isdigit()})
    if _has_stalled(observations) or _count_waits(observations):
        del errors["timeout"]
    return Counter({name: count for name, count in errors.items() if count > 0})


def _has_stalled(observations: Observations) -> bool:
    load_ns = observations.phases.get("load", 0)
    return any(stall.at_ns + stall.gap_ns > load_ns for stall in observations.stalls)


def _finding(observations: Observations, outcomes: Counter[str], rows: list[_Failure]) -> Finding:
    times = [failure.at_ns for failure in rows]
    total = sum(outcomes.values())
    sent = max(total, _requests(observations))  # wrk counts a request that hangs as a time-out, but not as a request
    named = ", ".join(f"{outcome} x {count}" for outcome, count in outcomes.most_common())
    bursts, spans = _bursts(times), restart_spans(observations)
    near, share = sum(is_near_restart(spans, at_ns) for at_ns in bursts), restart_share(observations, spans)
    chance = None if share is None else chance_of(near, len(bursts), share)
    where = _where(len(bursts), near, share, chance) if bursts else ""
    by_window = _count_by_window(observations, rows)
    if by_window:
        where = " in " + describe_windows(by_window)
    return Finding(
        id=FindingId.FAILED_RESPONSES,
        at_s=since_load_s(observations, min(times)) if times else None,
        detail=f"{total:,} of {sent:,} requests failed ({total / sent:.2%}): {named}{where}",
        evidence={
            "failed": total,
            "requests": sent,
            "bursts": len(bursts),
            "bursts_near_a_recycle": near,
            "restarts_cover": None if share is None else round(share, 4),
            "near_by_chance": None if chance is None else round(chance, 6),
            **({"by_disturbance": dict(by_window)} if by_window else {}),
        },
    )


def _count_by_window(observations: Observations, rows: list[_Failure]) -> Counter[str]:
    """How many failures belong to which disturbance; none where the run has no disturbances."""
    if not observations.disturbances:
        return Counter()
    found = Counter[str]()
    for failure in rows:
        window = find_window(observations, _begin_of(failure), failure.end_ns)
        found[NO_DISTURBANCE if window is None else window.label] += failure.outcomes.total()
    return found


def describe_windows(counts: Counter[str]) -> str:
    """In words: ``reload (1 of 3): 4; no disturbance: 1``."""
    return "; ".join(f"{label}: {count:,}" for label, count in counts.items())


def _where(bursts: int, near: int, share: float | None, chance: float | None) -> str:
    """When the failures came; that they came at restarts says something only where restarts are rarer than failures."""
    noun = "burst" if bursts == 1 else "bursts"
    where = f" in {bursts} {noun}, {near} of them while a worker restarted"
    if share is None or chance is None or not near:
        return where
    covered = f"restarts cover {share:.0%} of the load"
    return f"{where}, which says little: {covered}" if chance > BY_CHANCE else f"{where}, though {covered} only"


def _requests(observations: Observations) -> int:
    load = observations.load
    errors = sum(load.errors.values()) - count_late(load) if load else 0
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
