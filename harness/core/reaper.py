"""Ends the processes of a run when the harness itself can't: after kill -9, or for ``harness clean``.

It runs in an interpreter of its own (see ``render_command``) without site packages, so it and the modules it imports
may import only the standard library. It reads its standard input, which the harness holds open: ``leader PID START``
and ``path HEX`` (the bytes of a file's or folder's path) name what belongs to the run, ``user UID`` a user that nothing
else runs as; ``done`` means that the run has ended in order. If the input ends without it, the harness was killed.

A process belongs to the run if its environment carries the run's marker, if it is in the group of a leader that the
harness named (same pid and same start time, so that a re-used pid is never mistaken for ours), or if the run's own user
owns it and it carries no run's marker: gunicorn may start a process without any of its environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path

from harness.core import procfs

MARKER = "RECYCLE_HARNESS_RUN"
SWEEPS = 100
SHORTEST_SWEEP_S, SWEEP_S = 0.001, 0.02
"""Between two looks: what was killed has mostly ended after the shortest; each further one is twice as long."""

_START = """
import sys
sys.path.append(sys.argv[1])
from harness.core import reaper_start
reaper_start.run(sys.argv[2])
"""


def render_command(marker: str) -> list[str]:
    """The argv of a reaper for this run, which ignores environment variables and site packages."""
    return [sys.executable, "-I", "-S", "-c", _START, str(Path(__file__).parents[2]), marker]


def render_variable(marker: str) -> bytes:
    """The environment variable that each process of the run carries."""
    return f"{MARKER}={marker}".encode()


def find_members(marker: str, leaders: dict[int, int], since_ticks: int = 0, users: Collection[int] = ()) -> set[int]:
    """The live pids of the run that started since then. ``leaders``: pid -> start time in clock ticks."""
    wanted = render_variable(marker)
    groups = {pid for pid, start in leaders.items() if procfs.start_ticks(pid) == start}
    return {
        pid
        for pid, group in procfs.list_live(since_ticks)
        if pid != os.getpid() and (group in groups or procfs.has_variable(pid, wanted) or is_unmarked(pid, users))
    }


def is_unmarked(pid: int, users: Collection[int]) -> bool:
    """Whether it is a process of a run's own user that carries no run's marker."""
    return procfs.is_of_user(pid, users, without=MARKER.encode())


def sweep(
    marker: str,
    leaders: dict[int, int],
    paths: Iterable[str],
    *,
    since_ticks: int = 0,
    users: Collection[int] = (),
) -> int:
    """Kill the run's processes until none is left, then remove its files; returns how many were killed.

    ``since_ticks``: when the run can have begun at the earliest; older processes are not looked at.
    """
    killed: set[int] = set()
    pause_s = SHORTEST_SWEEP_S
    for _ in range(SWEEPS):
        members = find_members(marker, leaders, since_ticks, users)
        if not members:
            break
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, SWEEP_S)
    remove(paths)
    return len(killed)


def remove(paths: Iterable[str]) -> None:
    """Remove files, and folders with all that is in them; what can't be removed stays."""
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):  # noqa: PTH112, PTH114 - bytes of any kind
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108


def main(marker: str, told: str = "") -> int:
    """Wait for the end of the run, or of the harness; ``told``: the lines that were read before."""
    leaders: dict[int, int] = {}
    paths: list[str] = []
    users: list[int] = []
    for line in chain(told.splitlines(), sys.stdin):
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "leader":
            pid, _, start = rest.partition(" ")
            leaders[int(pid)] = int(start)
        elif word == "user":
            users.append(int(rest))
        elif word == "path":
            paths.append(os.fsdecode(bytes.fromhex(rest)))
        elif word == "done":
            return 0
    sweep(marker, leaders, paths, users=users)
    return 0
