"""gunicorn does in time what a disturbance asks of it: new workers come, old ones go, signals are heeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.core.disturbed import Disturbed
from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, Observations, State
from harness.disturb.course import Awaited
from harness.judge.timeline import since_load_s
from harness.judge.windows import list_done, rules_of

MEANINGS: Mapping[str, FindingId] = {
    Awaited.NEW_WORKERS.value: FindingId.WORKERS_NOT_RESPAWNED,
    Awaited.OLD_WORKERS_GONE.value: FindingId.STOP_OVERDUE,
    Awaited.MORE_WORKERS.value: FindingId.SIGNAL_IGNORED,
    Awaited.FEWER_WORKERS.value: FindingId.WORKERS_SURPLUS,
}
"""What it means where something was awaited in vain. What is not named here has a judge of its own: that nothing is
answered any more, for instance."""


def judge(observations: Observations) -> Judgement | None:
    """Violated by what was awaited in vain; None where the run has no disturbances."""
    if not observations.disturbances:
        return None
    failed = [one for one in observations.disturbances if one.missing is not None]
    if not failed:
        counts = Counter(one.name for one in list_done(observations))
        said = ", ".join(f"{name} x {count}" for name, count in counts.items()) or "none was carried out"
        return Judgement(state=State.HOLDS if counts else State.UNKNOWN, reason=f"gunicorn did what was asked: {said}")
    first = failed[0]
    reason = _describe(first)
    if _is_starved(observations, first):
        return Judgement(state=State.UNKNOWN, reason=f"{reason}; but the machine itself stood still meanwhile")
    meaning = MEANINGS.get(first.missing or "")
    if meaning is None:
        return Judgement(state=State.UNKNOWN, reason=reason)
    promise = rules_of(first).PROMISE
    finding = Finding(
        id=meaning,
        at_s=since_load_s(observations, first.began_ns),
        detail=f"{reason} ({promise or 'not promised by gunicorn'})",
        evidence={"disturbance": first.name, "number": first.number, "awaited": first.missing, "promised": promise},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))


def _describe(disturbed: Disturbed) -> str:
    seen = f": {disturbed.detail}" if disturbed.detail else ""
    return f"{disturbed.label}: {disturbed.missing} did not come within {disturbed.within_s or 0:.1f} s{seen}"


def _is_starved(observations: Observations, disturbed: Disturbed) -> bool:
    began_ns, end_ns = disturbed.began_ns, disturbed.gave_up_ns or disturbed.began_ns
    return any(stall.at_ns < end_ns and stall.at_ns + stall.gap_ns > began_ns for stall in observations.stalls)
