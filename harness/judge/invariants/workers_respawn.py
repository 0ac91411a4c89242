"""After settling, as many workers live as were configured."""

from __future__ import annotations

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, Observations, State
from harness.judge.lives import LATE_NS
from harness.judge.timeline import find_blind, since_load_s


def judge(observations: Observations) -> Judgement:
    """Violated by ``workers-not-respawned``."""
    live, wanted = observations.live_at_end, observations.cell.workers
    if "settle" not in observations.phases or live is None:
        return Judgement(state=State.UNKNOWN, reason="nobody counted the workers after the load")
    blind = find_blind(observations, "workers", "logs")  # it takes the log to know that a child is a worker
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    if live >= wanted:
        return Judgement(state=State.HOLDS, reason=f"{live} of {wanted} workers lived after settling")
    if observations.interrupted is not None:
        return Judgement(state=State.UNKNOWN, reason="the workers were given no time to boot: the run was interrupted")
    late = _count_late(observations)
    if live + late >= wanted:
        return Judgement(state=State.UNKNOWN, reason=f"{late} workers still restarted as the settle phase ended")
    finding = Finding(
        id=FindingId.WORKERS_NOT_RESPAWNED,
        at_s=since_load_s(observations, observations.phases["settle"]),
        detail=f"{live} of {wanted} workers lived when the settle phase was over",
        evidence={"live": live, "configured": wanted},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))


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
