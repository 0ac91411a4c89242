"""After settling, as many workers live as were configured."""

from __future__ import annotations

from harness.model import Finding, FindingId, Judgement, Observations, State
from harness.timeline import find_blind, since_load_s


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
    finding = Finding(
        id=FindingId.WORKERS_NOT_RESPAWNED,
        at_s=since_load_s(observations, observations.phases["settle"]),
        detail=f"{live} of {wanted} workers lived when the settle phase was over",
        evidence={"live": live, "configured": wanted},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
