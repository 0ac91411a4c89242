"""gunicorn does in time what a disturbance asks of it: new workers come, old ones go, signals are heeded."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Mapping

from harness.core.disturbed import Disturbed
from harness.core.findings import FindingId
from harness.core.model import Finding, Json, Judgement, State, is_success
from harness.core.observations import Observations
from harness.disturb.course import Awaited, Loss, PathRule
from harness.judge.moves import find_bad_moves
from harness.judge.timeline import since_load_s
from harness.judge.windows import find_window, list_done, rules_of

MOST_NAMED = 6

MAY_LOSE_IN_HAND = frozenset({Loss.IN_HAND, Loss.UNTIL_START, Loss.FROM_THEN_ON, Loss.ITS_OWN_REQUEST})
"""Where a request that a worker had in hand may be lost, too."""

MEANINGS: Mapping[str, FindingId] = {
    Awaited.NEW_WORKERS.value: FindingId.WORKERS_NOT_RESPAWNED,
    Awaited.OLD_WORKERS_GONE.value: FindingId.STOP_OVERDUE,
    Awaited.NEW_MASTER.value: FindingId.SIGNAL_IGNORED,
    Awaited.MASTER_GONE.value: FindingId.STOP_OVERDUE,
    Awaited.REPLACEMENT.value: FindingId.WORKERS_NOT_RESPAWNED,
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
    left = (*_find_left(observations), *find_bad_moves(observations), *_find_lost_in_hand(observations))
    if left:
        return Judgement(state=State.VIOLATED, reason=left[0].detail, findings=left)
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


def _find_left(observations: Observations) -> Iterator[Finding]:
    """What an arbiter that was told to end did wrong, and what it left."""
    killed = {sent.pid for sent in observations.doings.ours if sent.signal == signal.SIGKILL}
    for end in observations.told_ends:
        window = find_window(observations, end.at_ns)
        label, at_s = "" if window is None else f"{window.label}: ", since_load_s(observations, end.at_ns)
        if end.status and end.pid not in killed:
            detail = f"{label}the arbiter {end.pid} was told to end, and ended with status {end.status}"
            evidence: dict[str, Json] = {"pid": end.pid, "status": end.status}
            yield Finding(id=FindingId.ARBITER_CRASHED, at_s=at_s, detail=detail, evidence=evidence)
        by_stop = window is not None and rules_of(window).PATH is PathRule.LEFT_BY_STOP
        if end.path is not None and by_stop and end.path in {change.inode for change in observations.socket}:
            detail = f"{label}the socket file (inode {end.path}) is still there after the arbiter's ordered end"
            yield Finding(id=FindingId.SOCKET_LEFT_BEHIND, at_s=at_s, detail=detail, evidence={"inode": end.path})
    for look in observations.left:
        if look.live:
            at_s, after_s = since_load_s(observations, look.at_ns), look.after_ns / 1e9
            named = ", ".join(map(str, look.live[:MOST_NAMED]))
            detail = f"{len(look.live)} processes outlive arbiter {look.arbiter} by {after_s:.1f} s: {named}"
            processes: Json = list(look.live)
            yield Finding(
                id=FindingId.PROCESSES_LEFT_BEHIND, at_s=at_s, detail=detail, evidence={"processes": processes}
            )


def _find_lost_in_hand(observations: Observations) -> Iterator[Finding]:
    """A request of the harness's own that a worker had in hand, and that was not answered."""
    for asked in observations.harness_asked:
        window = find_window(observations, asked.at_ns, asked.at_ns + asked.took_ns)
        success = is_success(asked.outcome) or asked.outcome == str(observations.cell.expect_status)
        if window is None or success or asked.worker is None or rules_of(window).MAY_LOSE in MAY_LOSE_IN_HAND:
            continue
        detail = f"{window.label}: a request that worker {asked.worker} had in hand was not answered ({asked.outcome})"
        evidence: dict[str, Json] = {"outcome": asked.outcome, "worker": asked.worker}
        at_s = since_load_s(observations, asked.at_ns)
        yield Finding(id=FindingId.FAILED_RESPONSES, at_s=at_s, detail=detail, evidence=evidence)


def _describe(disturbed: Disturbed) -> str:
    seen = f": {disturbed.detail}" if disturbed.detail else ""
    return f"{disturbed.label}: {disturbed.missing} did not come within {disturbed.within_s or 0:.1f} s{seen}"


def _is_starved(observations: Observations, disturbed: Disturbed) -> bool:
    began_ns, end_ns = disturbed.began_ns, disturbed.gave_up_ns or disturbed.began_ns
    return any(stall.at_ns < end_ns and stall.at_ns + stall.gap_ns > began_ns for stall in observations.stalls)
