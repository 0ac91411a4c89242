"""The bound Unix socket stays where it is, as the same file, for as long as the arbiter lives."""

from __future__ import annotations

from harness.model import Finding, FindingId, Judgement, Observations, Removal, SocketChange, State
from harness.outage import find_vanishing
from harness.timeline import SAME_MOMENT_NS, since_load_s

LOOK_BACK_NS = 1_000_000_000
"""A removal that the tracer saw at most so long before inotify saw the file go is the cause of it."""


def judge(observations: Observations) -> Judgement:
    """Violated by ``socket-deleted`` or ``socket-replaced``; needs the socket watcher for anything better."""
    if observations.cell.bind != "unix":
        return Judgement(state=State.HOLDS, reason="does not apply: gunicorn listens on TCP, there is no socket file")
    findings = tuple(
        finding for finding in (_find_deleted(observations), _find_replaced(observations)) if finding is not None
    )
    if findings:
        return Judgement(state=State.VIOLATED, reason=findings[0].detail, findings=findings)
    watcher = observations.watchers.get("socket", "never started")
    if watcher != "stopped":
        return Judgement(state=State.UNKNOWN, reason=f"the socket watcher did not see the whole run: {watcher}")
    if not any(change.action == "created" for change in observations.socket):
        return Judgement(state=State.UNKNOWN, reason="gunicorn never bound the socket")
    return Judgement(state=State.HOLDS, reason="the socket file was there, and the same, from bind to the end")


def find_removal(observations: Observations, vanishing: SocketChange) -> Removal | None:
    """The tracer's record of the call that made the file go: the last that succeeded just before."""
    earliest, latest = vanishing.at_ns - LOOK_BACK_NS, vanishing.at_ns + SAME_MOMENT_NS
    candidates = [
        removal for removal in observations.removals if removal.failed is None and earliest <= removal.at_ns <= latest
    ]
    return candidates[-1] if candidates else None


def _find_deleted(observations: Observations) -> Finding | None:
    vanishing = find_vanishing(observations)
    if vanishing is None:
        return None
    removal = find_removal(observations, vanishing)
    came_back = any(c.action == "created" and c.at_ns > vanishing.at_ns for c in observations.socket)
    failed_later = sum(r.failed is not None and r.at_ns > vanishing.at_ns for r in observations.removals)
    what = "was renamed away" if vanishing.action == "moved" else "was deleted"
    return Finding(
        id=FindingId.SOCKET_DELETED,
        at_s=since_load_s(observations, vanishing.at_ns),
        detail=f"the socket file {what} while the arbiter lived, {_by_whom(observations, removal)}",
        culprit=removal.culprit if removal else None,
        evidence={"came_back": came_back, "later_attempts_on_the_missing_file": failed_later},
    )


def _by_whom(observations: Observations, removal: Removal | None) -> str:
    if removal is not None:
        culprit = removal.culprit
        return f"by {culprit.role} {culprit.pid} with {culprit.call}"
    if observations.watchers.get("tracer") == "stopped":
        return "removed from outside gunicorn: no Python code of its processes did it"
    return "by an unknown process: the unlink tracer was off"


def _find_replaced(observations: Observations) -> Finding | None:
    """The path was bound, and later created once more: whoever has the old inode open serves nobody new."""
    created = [change for change in observations.socket if change.action == "created"]
    if not created[1:]:
        return None
    first, again = created[:2]
    return Finding(
        id=FindingId.SOCKET_REPLACED,
        at_s=since_load_s(observations, again.at_ns),
        detail=f"the path was bound as inode {first.inode} and now names inode {again.inode}",
        evidence={"inodes": [change.inode for change in created]},
    )
