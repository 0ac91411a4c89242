"""The bound Unix socket stays where it is, as the same file, for as long as the arbiter lives."""

from __future__ import annotations

from harness.core.events.servers import SocketChange
from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, Observations, Removal, State
from harness.judge.outage import arbiter_end_ns, find_removal, find_vanishing, since_bind
from harness.judge.timeline import find_blind, since_load_s


def judge(observations: Observations) -> Judgement:
    """Violated by ``socket-deleted`` or ``socket-replaced``; needs the socket watcher for anything better."""
    if observations.cell.bind != "unix":
        return Judgement(state=State.HOLDS, reason="does not apply: gunicorn listens on TCP, there is no socket file")
    findings = tuple(
        finding for finding in (_find_deleted(observations), _find_replaced(observations)) if finding is not None
    )
    if findings:
        return Judgement(state=State.VIOLATED, reason=findings[0].detail, findings=findings)
    blind = find_blind(observations, "socket")
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    if not since_bind(observations):
        return Judgement(state=State.UNKNOWN, reason="gunicorn never bound the socket")
    end = "the end" if arbiter_end_ns(observations) is None else "the arbiter's own end"
    return Judgement(state=State.HOLDS, reason=f"the socket file was there, and the same, from bind to {end}")


def find_replacement(observations: Observations) -> SocketChange | None:
    """The first time that the path named another inode than the one bound, while the arbiter lived."""
    end_ns = arbiter_end_ns(observations)
    changes = since_bind(observations)
    for change in changes[1:]:
        if end_ns is not None and change.at_ns > end_ns:
            return None
        if None not in (change.inode, changes[0].inode) and change.inode != changes[0].inode:
            return change
    return None


def _find_deleted(observations: Observations) -> Finding | None:
    vanishing = find_vanishing(observations)
    if vanishing is None:
        return None
    removal = find_removal(observations, vanishing)
    came_back = any(c.inode is not None and c.at_ns > vanishing.at_ns for c in observations.socket)
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
    tracer = observations.watchers.get("tracer", "off")
    if tracer == "stopped":
        return "removed from outside gunicorn: no Python code of its processes did it"
    return f"by an unknown process: the unlink tracer was {tracer}"


def _find_replaced(observations: Observations) -> Finding | None:
    """Whoever has the old inode open serves nobody new."""
    again = find_replacement(observations)
    if again is None:
        return None
    first, *later = since_bind(observations)
    return Finding(
        id=FindingId.SOCKET_REPLACED,
        at_s=since_load_s(observations, again.at_ns),
        detail=f"the path was bound as inode {first.inode} and now names inode {again.inode}",
        evidence={"inodes": [first.inode, *(change.inode for change in later if change.inode is not None)]},
    )
