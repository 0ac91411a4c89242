"""Whether the clients of the bound path may connect to it, by the kernel's rules and not by trying.

Who connects to a Unix socket needs the right to write to its file and the right to enter each folder on the way. Root
may always, so that neither the harness's own probes nor a proxy as root can notice. What the rules don't know (access
control lists, a security module) is no matter: only what differs from a moment counts at which the rules, and an
answer through the proxy, said that the path works.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from harness.core.events.bound_path import ClientRights
from harness.core.events.servers import SocketChange
from harness.core.frozen import dataclass
from harness.core.observations import Observations, PathCall

CHANGE_OWNER = frozenset(("os.chown", "os.lchown", "os.chown (audited)"))
"""After one of these a mode alone does not say who may do what."""

FILE_RIGHT = stat.S_IWOTH
FOLDER_RIGHT = stat.S_IXOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Barrier:
    """What keeps the clients out: the file (``folder`` is None), or the first folder that they may not enter."""

    folder: str | None
    mode: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closure:
    """From ``at_ns`` on the clients could not connect, for the first time; ``until_ns``: when they could again."""

    at_ns: int
    barrier: Barrier
    until_ns: int | None
    call: PathCall | None


_Shut: TypeAlias = tuple[int, Barrier, PathCall | None]
"""When it was seen, what it was, and the call that did it."""


def find_barrier(state: SocketChange, rights: ClientRights) -> Barrier | None:
    """What keeps a client with these rights out of the path as it is."""
    if rights.overrides or state.mode is None or state.owner is None:
        return None
    for path, mode, uid, gid in state.folders or ():
        if not _may(rights, FOLDER_RIGHT, mode, uid, gid):
            return Barrier(folder=path, mode=mode, uid=uid, gid=gid)
    if not _may(rights, FILE_RIGHT, state.mode, *state.owner):
        return Barrier(folder=None, mode=state.mode, uid=state.owner[0], gid=state.owner[1])
    return None


def find_closure(observations: Observations) -> Closure | None:
    """The first time since the service was ready that its clients were shut out, while the arbiter lived."""
    rights = observations.rights
    if rights is None:
        return None
    shut: _Shut | None = None
    for state, call in _list_states(observations):
        barrier = find_barrier(state, rights)
        if shut is None and barrier is not None:
            shut = state.at_ns, barrier, call or _find_call(observations, state.at_ns)
        elif shut is not None and barrier is None:
            return _close(shut, state.at_ns)
    return None if shut is None else _close(shut, None)


def is_shut_for_good(observations: Observations) -> bool:
    """Whether the clients may not connect as the path was last seen."""
    rights = observations.rights
    states = [] if rights is None else [state for state, call in _list_states(observations) if call is None]
    return rights is not None and bool(states) and find_barrier(states[-1], rights) is not None


def find_baseline(observations: Observations) -> SocketChange | None:
    """The path once the service had answered; None where it is not known, or the rules don't explain the answer."""
    rights = observations.rights
    if rights is None:
        return None
    looks = (c for c in observations.socket if c.action == "snapshot" and c.at_ns >= rights.at_ns)
    first = next(looks, None)
    if first is None or first.mode is None or find_barrier(first, rights) is not None:
        return None
    return first


def _close(shut: _Shut, until_ns: int | None) -> Closure:
    at_ns, barrier, call = shut
    began_ns = at_ns if call is None else min(at_ns, call.at_ns)
    return Closure(at_ns=began_ns, barrier=barrier, until_ns=until_ns, call=call)


def _list_states(observations: Observations) -> Iterator[tuple[SocketChange, PathCall | None]]:
    """What the same file was since the baseline: as it was seen, and as a traced call made it for a moment."""
    baseline = find_baseline(observations)
    if baseline is None:
        return
    moments: list[tuple[SocketChange, PathCall | None]] = [
        (change, None) for change in observations.socket if change.at_ns > baseline.at_ns
    ]
    calls = [c for c in observations.calls if c.effect == "rights" and c.at_ns > baseline.at_ns]
    if not any(call.culprit.call in CHANGE_OWNER for call in calls):
        moments += [(state, call) for call in calls if (state := _apply(baseline, call)) is not None]
    ended_ns = _end_ns(observations)
    for state, call in sorted(moments, key=lambda moment: moment[0].at_ns):
        same = state.inode == baseline.inode and state.mode is not None
        if same and (ended_ns is None or state.at_ns <= ended_ns):
            yield state, call


def _apply(baseline: SocketChange, call: PathCall) -> SocketChange | None:
    """The path as os.chmod makes it, the rest being as it was; None where it is not known that the call succeeded."""
    if call.culprit.call != "os.chmod" or call.mode is None or baseline.mode is None:
        return None
    mode = stat.S_IFMT(baseline.mode) | call.mode
    return replace(baseline, at_ns=call.at_ns, action="rights", mode=mode)


def _find_call(observations: Observations, at_ns: int) -> PathCall | None:
    """The last call before a moment that changes rights, of those since the service was ready."""
    rights = observations.rights
    calls = [c for c in observations.calls if c.effect in {"rights", "folder-rights"} and c.at_ns <= at_ns]
    return calls[-1] if calls and rights is not None and calls[-1].at_ns >= rights.at_ns else None


def _end_ns(observations: Observations) -> int | None:
    ends = (observations.arbiter_stopping_ns, observations.arbiter_exit_ns)
    return min((ns for ns in ends if ns is not None), default=None)


def _may(rights: ClientRights, right: int, mode: int, uid: int, gid: int) -> bool:
    """As the kernel decides it: the owner's bits for the owner, whatever the others say, then the group's."""
    if rights.uid == uid:
        return bool(mode & right << 6)
    if gid in rights.groups:
        return bool(mode & right << 3)
    return bool(mode & right)


def describe_barrier(barrier: Barrier) -> str:
    """In words."""
    what = "its mode" if barrier.folder is None else f"the mode of its folder {Path(barrier.folder).name or '/'}"
    return f"{what} is {stat.S_IMODE(barrier.mode):04o} and its owner is {barrier.uid}:{barrier.gid}"
