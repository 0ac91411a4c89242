"""The bound Unix socket stays where it is, as the same file, open to its clients, for as long as the arbiter lives."""

from __future__ import annotations

from harness.core.events.servers import SocketChange
from harness.core.findings import FindingId
from harness.core.model import Culprit, Finding, Judgement, State
from harness.core.observations import Observations
from harness.judge.reach import describe_barrier, find_closure
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.vanishing import CLOCK_STEP_NS, arbiter_end_ns, find_removal, find_vanishing, since_bind, vanished_ns
from harness.judge.windows import list_epochs
from harness.judge.witnesses import describe_unseen, find_command


def judge(observations: Observations) -> Judgement:
    """Violated by ``socket-deleted``, ``-replaced`` or ``-unreachable``; needs the socket watcher for more."""
    if observations.cell.bind == "abstract":
        return Judgement(state=State.HOLDS, reason="does not apply: an abstract socket has no file")
    if observations.cell.bind != "unix":
        return Judgement(state=State.HOLDS, reason="does not apply: gunicorn listens on TCP, there is no socket file")
    found = (_find_deleted(observations), _find_replaced(observations), _find_unreachable(observations))
    findings = tuple(finding for finding in found if finding is not None)
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
    for first, *later in list_epochs(observations):
        for change in later:
            other = None not in (change.inode, first.inode) and change.inode != first.inode
            if end_ns is not None and change.at_ns > end_ns and not (other and _made_ns(observations, change) < end_ns):
                return None
            if other:
                return change
    return None


def _made_ns(observations: Observations, again: SocketChange) -> int:
    """When the other file came: as the first of those told it who saw it."""
    made = [made_ns for made_ns, _ in _list_makers(observations, again)]
    return min([again.at_ns, *made[-1:]])


def _find_deleted(observations: Observations) -> Finding | None:
    vanishing = find_vanishing(observations)
    if vanishing is None:
        return None
    removal = find_removal(observations, vanishing)
    came_back = any(c.inode is not None and c.at_ns > vanishing.at_ns for c in observations.socket)
    gone_ns = vanished_ns(observations, vanishing)
    failed_later = sum(r.failed is not None and r.at_ns > gone_ns for r in observations.removals)
    what = "was renamed away" if vanishing.action == "moved" else "was deleted"
    if vanishing.whole_folder:
        what = "is gone with a folder around it, which was moved or removed,"
    who = removal.culprit if removal else None
    by = describe_unseen(observations, vanishing.at_ns) if who is None else _name(who)
    return Finding(
        id=FindingId.SOCKET_DELETED,
        at_s=since_load_s(observations, gone_ns),
        detail=f"the socket file {what} while the arbiter lived, {by}",
        culprit=who or _find_starter(observations, vanishing.at_ns),
        evidence={"came_back": came_back, "later_attempts_on_the_missing_file": failed_later},
    )


def _name(culprit: Culprit) -> str:
    return f"by {culprit.role} {culprit.pid} with {culprit.call}"


def _find_starter(observations: Observations, at_ns: int) -> Culprit | None:
    """Who started a command that names the path, just before something happened to it that no traced call explains."""
    command = find_command(observations, at_ns)
    return None if command is None else command.culprit


def _find_replaced(observations: Observations) -> Finding | None:
    """A process that has only the old inode open gets no new connection."""
    again = find_replacement(observations)
    if again is None:
        return None
    first, *later = next(epoch for epoch in list_epochs(observations) if again in epoch)
    made = _find_maker(observations, again)
    who = None if made is None else made[1]
    by = "" if who is None else f", {_name(who)}"
    if who is None and observations.processes:  # records of older versions don't tell who replaced it
        by = f", {describe_unseen(observations, again.at_ns)}"
    return Finding(
        id=FindingId.SOCKET_REPLACED,
        at_s=since_load_s(observations, again.at_ns if made is None else min(made[0], again.at_ns)),
        detail=f"the path was bound as inode {first.inode} and now names inode {again.inode}{by}",
        culprit=who or _find_starter(observations, again.at_ns),
        evidence={"inodes": [first.inode, *(change.inode for change in later if change.inode is not None)]},
    )


def _find_maker(observations: Observations, again: SocketChange) -> tuple[int, Culprit] | None:
    """Who put the other file there and when: with a rename, else by binding anew, else by having removed the first."""
    made = _list_makers(observations, again)
    bound_ns, latest_ns = since_bind(observations)[0].at_ns, again.at_ns + CLOCK_STEP_NS
    removed = [
        (one.at_ns, one.culprit)
        for one in observations.removals
        if one.failed is None and not one.replaces and bound_ns <= one.at_ns <= latest_ns
    ]
    return next((found[-1] for found in (made, removed) if found), None)


def _list_makers(observations: Observations, again: SocketChange) -> list[tuple[int, Culprit]]:
    """The traced renames onto the path up to then; where there are none, what bound it anew."""
    bound_ns, latest_ns = since_bind(observations)[0].at_ns, again.at_ns + CLOCK_STEP_NS
    renamed = [r for r in observations.removals if r.failed is None and r.replaces]
    anew = [call for call in observations.calls if call.effect == "bound"]
    found = [
        [(one.at_ns, one.culprit) for one in made if bound_ns <= one.at_ns <= latest_ns] for made in (renamed, anew)
    ]
    return found[0] or found[1]


def _find_unreachable(observations: Observations) -> Finding | None:
    """A client that is already connected notices nothing; a new one is refused."""
    closure, rights = find_closure(observations), observations.rights
    if closure is None or rights is None:
        return None
    who = None if closure.call is None else closure.call.culprit
    by = describe_unseen(observations, closure.at_ns) if who is None else _name(who)
    client = "the proxy" if observations.cell.proxy != "none" else "the load"
    barrier = closure.barrier
    return Finding(
        id=FindingId.SOCKET_UNREACHABLE,
        at_s=since_load_s(observations, closure.at_ns),
        detail=f"the socket file is there, but {client} (user {rights.uid}) may not connect: "
        f"{describe_barrier(barrier)}, {by}",
        culprit=who or _find_starter(observations, closure.at_ns),
        evidence={
            "mode": f"{barrier.mode & 0o7777:04o}",
            "owner": [barrier.uid, barrier.gid],
            "user": rights.uid,
            "groups": list(rights.groups),
            "until_s": None if closure.until_ns is None else since_load_s(observations, closure.until_ns),
            "denied_in_the_proxys_log": observations.proxy_errors.get("denied", 0),
        },
    )
