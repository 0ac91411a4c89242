"""After the load the service answers again: whatever happened in between must not last."""

from __future__ import annotations

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State
from harness.core.observations import Observations
from harness.judge.outage import (
    ENOUGH_PROBES,
    client_way,
    describe_overload,
    find_outage,
    has_lasting_cause,
    is_overloaded,
    proxy_in_doubt,
    settle_probes,
)
from harness.judge.timeline import since_load_s
from harness.judge.windows import is_left_down


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``permanent-outage``; unknown where no client asked, or where the proxy itself is in doubt.

    None where the harness left it down, for the ladder back.
    """
    return None if is_left_down(observations) else _judge_end(observations)


def _judge_end(observations: Observations) -> Judgement:
    way = client_way(observations)
    last = settle_probes(observations, way)[-ENOUGH_PROBES:]
    if len(last) < ENOUGH_PROBES:
        return Judgement(state=State.UNKNOWN, reason=f"fewer than {ENOUGH_PROBES} probes came after the load")
    if all(probe.ok for probe in last):
        return Judgement(state=State.HOLDS, reason="the service answered again after the load")
    outage = find_outage(observations)
    if outage is None:
        why = f", but {describe_overload(observations)}" if is_overloaded(observations) else ""
        return Judgement(state=State.UNKNOWN, reason=f"some probes still failed when the settle phase was over{why}")
    if proxy_in_doubt(observations):
        return Judgement(
            state=State.UNKNOWN,
            reason="the proxy ended, or failed while gunicorn answered directly: it may be the one at fault",
        )
    if observations.interrupted is not None and not has_lasting_cause(observations):
        return Judgement(
            state=State.UNKNOWN, reason="the service was given no time to recover: the run was interrupted"
        )
    finding = Finding(
        id=FindingId.PERMANENT_OUTAGE,
        at_s=since_load_s(observations, outage.onset_ns),
        detail=_describe(observations, outage.failed_probes, outage.last_success_ns is not None),
        evidence={"failed_probes_after_the_load": outage.failed_probes},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))


def _describe(observations: Observations, failed_probes: int, ever_answered: bool) -> str:
    last = settle_probes(observations, client_way(observations))
    seen = ", ".join(sorted({probe.outcome for probe in last if probe.failed}))
    since = "from then on" if ever_answered else "from the first request on"
    arbiter = ""
    if observations.arbiter_exit_ns is not None:
        arbiter = f"; the arbiter had ended with status {observations.arbiter_status}"
    return f"{since} nothing was answered with success ({failed_probes} probes after the load: {seen}){arbiter}"
