"""An arbiter that is told to end (SIGTERM, no load) has ended after graceful_timeout and a second."""

from __future__ import annotations

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State
from harness.core.observations import Observations
from harness.judge.ordered_stop import is_path_lost
from harness.judge.timeline import since_load_s

LATE_S = 1.0
"""The contract's second."""

LOOK_S = 0.1
"""By so much later than it happened an end may have been seen."""


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``stop-overdue``; None where it was not told to end, or its graceful_timeout is not known."""
    stop = observations.leftovers.stop
    if stop is None or stop.graceful_s is None or is_path_lost(observations):
        return None
    if stop.held:
        return Judgement(state=State.UNKNOWN, reason="somebody stopped the arbiter (SIGSTOP) while it was to end")
    limit_s = stop.graceful_s + LATE_S
    took_ns = stop.waited_ns if stop.took_ns is None else stop.took_ns
    if stop.took_ns is not None and took_ns / 1e9 <= limit_s:
        return Judgement(state=State.HOLDS, reason=f"the arbiter ended after {took_ns / 1e9:.2f} s")
    if (took_ns - stop.stalled_ns) / 1e9 <= limit_s + LOOK_S:
        reason = f"the harness itself got no time for {stop.stalled_ns / 1e9:.1f} s of the arbiter's stop"
        return Judgement(state=State.UNKNOWN, reason=reason)
    how = "had not ended" if stop.took_ns is None else "ended only"
    detail = (
        f"the arbiter {how} {took_ns / 1e9:.1f} s after it was told to (SIGTERM, no load); "
        f"graceful_timeout is {stop.graceful_s:g} s"
    )
    evidence = {"took_s": None if stop.took_ns is None else took_ns / 1e9, "waited_s": stop.waited_ns / 1e9}
    at_s = since_load_s(observations, stop.at_ns) + limit_s
    finding = Finding(id=FindingId.STOP_OVERDUE, at_s=at_s, detail=detail, evidence=evidence)
    return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
