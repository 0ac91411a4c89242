"""Ends what a run started, when the harness itself can't: after kill -9, or for ``harness clean``.

Runs as a script of its own (``python -I -S reaper.py MARKER``), so it imports only the standard library. It reads its
standard input, which the harness holds open: ``leader PID START`` and ``folder PATH`` say what belongs to the run,
``done`` that all is well. The end of the input without ``done`` means that the harness was killed.

A process belongs to the run if its environment carries the run's marker, or if it is in the group of a leader that
the harness named (same pid and same start time, so that a re-used pid is never mistaken for ours).
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from pathlib import Path

MARKER = "RECYCLE_HARNESS_RUN"
SWEEPS = 100
SWEEP_S = 0.02


def start_ticks(pid: int) -> int | None:
    """The start time of a process in clock ticks since boot; None where it is gone or a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _group(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[2])
    except OSError:
        return None


def _marked(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def find_members(marker: str, leaders: dict[int, int]) -> set[int]:
    """The live pids that belong to the run. ``leaders``: pid -> start time in clock ticks."""
    wanted = f"{MARKER}={marker}".encode()
    groups = {pid for pid, start in leaders.items() if start_ticks(pid) == start}
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - Path objects cost 5 times as much
    return {
        pid
        for pid in pids
        if pid != os.getpid() and start_ticks(pid) is not None and (_group(pid) in groups or _marked(pid, wanted))
    }


def sweep(marker: str, leaders: dict[int, int], folders: list[str]) -> int:
    """Kill the run's processes until none is left, then remove its folders; returns how many were killed."""
    killed: set[int] = set()
    for _ in range(SWEEPS):
        members = find_members(marker, leaders)
        if not members:
            break
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
        time.sleep(SWEEP_S)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(killed)


def main(marker: str) -> int:
    """Wait for the end of the run, or of the harness."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    leaders: dict[int, int] = {}
    folders: list[str] = []
    for line in sys.stdin:
        word, _, rest = line.rstrip("\n").partition(" ")
        if word == "leader":
            pid, _, start = rest.partition(" ")
            leaders[int(pid)] = int(start)
        elif word == "folder":
            folders.append(rest)
        elif word == "done":
            return 0
    sweep(marker, leaders, folders)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
