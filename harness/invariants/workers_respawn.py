"""After settling, as many workers live as were configured."""

from __future__ import annotations

from harness.model import Finding, FindingId, Judgement, Observations, State
from harness.timeline import since_load_s


def judge(observations: Observations) -> Judgement:
    """Violated by ``workers-not-respawned``."""
    watcher = observations.watchers.get("workers", "never started")
    live, wanted = observations.live_at_end, observations.cell.workers
    if "settle" not in observations.phases or live is None:
        return Judgement(state=State.UNKNOWN, reason="nobody counted the workers after the load")
    if watcher != "stopped":
        return Judgement(state=State.UNKNOWN, reason=f"the worker sampler did not see the whole run: {watcher}")
    if live >= wanted:
        return Judgement(state=State.HOLDS, reason=f"{live} of {wanted} workers lived after settling")
    finding = Finding(
        id=FindingId.WORKERS_NOT_RESPAWNED,
        at_s=since_load_s(observations, observations.phases["settle"]),
        detail=f"{live} of {wanted} workers lived when the settle phase was over",
        evidence={"live": live, "configured": wanted},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
