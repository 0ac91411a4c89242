"""What the bound path is at one moment, who its clients are, and which processes are alive: single looks, no loops."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.events.bound_path import ClientRights, LiveProcess, LiveProcesses
from harness.core.events.servers import Folder, SocketAction, SocketChange
from harness.core.procfs import list_pids, list_tree, read_name, read_stat, read_status

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
    found = [rights for child in list_tree(pid) if (rights := _read_rights(child)) is not None]
    return min(found, key=lambda rights: (rights.overrides, rights.uid == 0), default=None)


def _read_rights(pid: int) -> ClientRights | None:
    """As the kernel says it: effective ids are the second of four."""
    try:
        fields = read_status(pid)
    except OSError:
        return None
    group, *more = int(fields["Gid"].split()[1]), *map(int, fields["Groups"].split())
    return ClientRights(
        pid=pid,
        uid=int(fields["Uid"].split()[1]),
        groups=(group, *sorted(set(more) - {group})),
        overrides=bool(int(fields["CapEff"], 16) >> CAP_DAC_OVERRIDE & 1),
    )


def list_family(leader: int) -> list[LiveProcess]:
    """A process and all below it: quick enough to catch a command that has just done its work."""
    return [one for pid in list_tree(leader) if (one := _look_at(pid)) is not None][:MOST_PROCESSES]


def list_processes(leader: int, family: Sequence[LiveProcess]) -> LiveProcesses:
    """The family, and those that have lost their parents: they are in the session that the leader began."""
    known = {pid for pid, _, _ in family}
    others = (pid for pid in list_pids() if pid not in known)
    session = [one for pid in others if (one := _look_at(pid, session=leader)) is not None]
    return LiveProcesses(live=(*family, *session))


def _look_at(pid: int, *, session: int | None = None) -> LiveProcess | None:
    """One process; None where it is gone or only waits to be forgotten, or is not of the session."""
    try:
        state, parent, _, of_session, *_ = read_stat(pid)
        if state in "ZX" or session not in (None, int(of_session)):
            return None
        return pid, int(parent), read_name(pid)
    except OSError:
        return None
