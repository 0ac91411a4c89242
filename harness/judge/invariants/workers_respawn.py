"""As many workers live as were configured: not fewer after settling, and not more for longer than a handover takes."""

from __future__ import annotations

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State
from harness.core.observations import Observations
from harness.disturb.course import Loss
from harness.judge.fleet import find_surplus, has_given_up
from harness.judge.lives import LATE_NS
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.windows import is_left_down


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``workers-not-respawned`` or ``workers-surplus``; None where the harness left no arbiter."""
    if is_left_down(observations, among=lambda row: row.MAY_LOSE is Loss.UNTIL_START):
        return None
    if "settle" not in observations.phases or observations.live_at_end is None:
        return Judgement(state=State.UNKNOWN, reason="nobody counted the workers after the load")
    blind = find_blind(observations, "workers", "logs")  # it takes the log to know that a child is a worker
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    surplus = _find_surplus(observations)
    if surplus is not None:
        return Judgement(state=State.VIOLATED, reason=surplus.detail, findings=(surplus,))
    if observations.arbiter_exit_ns is not None:
        return _judge_orphans(observations)
    return _judge_number(observations, observations.live_at_end)


def _judge_number(observations: Observations, live: int) -> Judgement:
    wanted = observations.cell.workers
    if live >= wanted:
        return Judgement(state=State.HOLDS, reason=f"{live} of {wanted} workers lived after settling")
    if observations.interrupted is not None:
        return Judgement(state=State.UNKNOWN, reason="the workers were given no time to boot: the run was interrupted")
    late = _count_late(observations)
    if live + late >= wanted and not has_given_up(observations):
        return Judgement(state=State.UNKNOWN, reason=f"{late} workers still restarted as the settle phase ended")
    return _judge_missing(observations, f"{live} of {wanted} workers lived when the settle phase was over", live)


def _judge_orphans(observations: Observations) -> Judgement:
    """A worker that outlives the arbiter is not replaced any more, however long it goes on."""
    status, wanted = observations.arbiter_status, observations.cell.workers
    how = "" if status is None else f" with status {status}"
    return _judge_missing(observations, f"the arbiter ended{how}: nobody keeps {wanted} workers alive any more", 0)


def _judge_missing(observations: Observations, detail: str, live: int) -> Judgement:
    finding = Finding(
        id=FindingId.WORKERS_NOT_RESPAWNED,
        at_s=since_load_s(observations, observations.phases["settle"]),
        detail=detail,
        evidence={"live": live, "configured": observations.cell.workers},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))


def _find_surplus(observations: Observations) -> Finding | None:
    surplus, wanted = find_surplus(observations), observations.cell.workers
    if surplus is None:
        return None
    took_s = surplus.took_ns / 1e9
    return Finding(
        id=FindingId.WORKERS_SURPLUS,
        at_s=since_load_s(observations, surplus.since_ns),
        detail=f"up to {surplus.most} workers lived at a time for {took_s:.1f} s; {wanted} are configured",
        evidence={"most": surplus.most, "configured": wanted, "took_s": took_s},
    )


def _count_late(observations: Observations) -> int:
    """The workers that restarted so late that gunicorn need not have replaced them: lives of a request or two.

    While the harness got no time, others may have got none either.
    """
    closed_ns = observations.phases.get("closed")
    if closed_ns is None:
        return 0
    lost_ns = sum(stall.gap_ns for stall in observations.short_stalls if stall.at_ns >= closed_ns - 2 * LATE_NS)
    restarts = [life.restart_ns for life in observations.lives if life.restart_ns is not None]
    return sum(closed_ns - LATE_NS - lost_ns <= restart_ns <= closed_ns for restart_ns in restarts)
