"""What the bound path is at one moment, who its clients are, and which processes are alive: single looks, no loops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.events.bound_path import ClientRights, LiveProcess, LiveProcesses
from harness.core.events.servers import Folder, SocketAction, SocketChange
from harness.watch.workers import ChildList

CAP_DAC_OVERRIDE = 1
"""Number of the capability to pass over the modes of files and folders (linux/capability.h)."""

MOST_PROCESSES = 500
"""So many are named at most: a look must stay short."""


def look_at_path(path: Path, action: SocketAction, *, whole_folder: bool | None = None) -> SocketChange:
    """The file that the path names now, and the folders on the way to it."""
    try:
        state = path.lstat()
    except OSError:
        return SocketChange(action=action, inode=None, whole_folder=whole_folder)
    return SocketChange(
        action=action,
        inode=state.st_ino,
        whole_folder=whole_folder,
        mode=state.st_mode,
        owner=(state.st_uid, state.st_gid),
        folders=tuple(_look_at_folders(path)),
    )


def _look_at_folders(path: Path) -> Iterator[Folder]:
    for folder in reversed(path.parents):
        try:
            state = folder.stat()
        except OSError:
            return
        yield str(folder), state.st_mode, state.st_uid, state.st_gid


def read_rights(pid: int) -> ClientRights | None:
    """Of a process and all below it the rights of the one that has the fewest; None where none can be read.

    A proxy that root started keeps at most its first process as root.
    """
    found = [rights for child in _walk_tree(pid) if (rights := _read_status(child)) is not None]
    return min(found, key=lambda rights: (rights.overrides, rights.uid == 0), default=None)


def _read_status(pid: int) -> ClientRights | None:
    """As the kernel says it: effective ids are the second of four."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    group, *more = int(fields["Gid"].split()[1]), *map(int, fields["Groups"].split())
    return ClientRights(
        pid=pid,
        uid=int(fields["Uid"].split()[1]),
        groups=(group, *sorted(set(more) - {group})),
        overrides=bool(int(fields["CapEff"], 16) >> CAP_DAC_OVERRIDE & 1),
    )


def list_family(leader: int) -> list[LiveProcess]:
    """A process and all below it: quick enough to catch a command that has just done its work."""
    return [one for pid in _walk_tree(leader) if (one := _look_at(pid)) is not None][:MOST_PROCESSES]


def list_processes(leader: int, family: Sequence[LiveProcess]) -> LiveProcesses:
    """The family, and those that have lost their parents: they are in the session that the leader began."""
    known = {pid for pid, _, _ in family}
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - Path costs 5 times as much
    session = [one for pid in pids if pid not in known and (one := _look_at(pid, session=leader)) is not None]
    return LiveProcesses(live=(*family, *session))


def _look_at(pid: int, *, session: int | None = None) -> LiveProcess | None:
    said = _read_stat(pid)
    if said is None or session not in (None, int(said[2])):
        return None
    return pid, int(said[1]), said[0]


def _read_stat(pid: int) -> tuple[str, str, str] | None:
    """Name, parent and session of a process; None where it is gone or only waits to be forgotten."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    head, _, rest = text.rpartition(")")
    state, parent, _, session, *_ = rest.split()
    return None if state in "ZX" else (head.partition("(")[2], parent, session)


def _walk_tree(pid: int) -> Iterator[int]:
    """A process and all below it, the process first."""
    yield pid
    children = ChildList(pid)
    listed = children.read()
    children.close()
    for child in listed.split():
        yield from _walk_tree(int(child))
