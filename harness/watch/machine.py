"""How much of the machine others used while the load ran: a late answer on a busy machine says nothing of gunicorn.

All from ``procfs`` and getrusage: the busy time of all cores, less what this run's own processes took.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from contextlib import suppress

from harness.core import procfs
from harness.core.clock import now_ns
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A reading: CPU seconds of all cores since boot, those of this run, and when."""

    at_ns: int
    busy_s: float
    own_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A process when it was last looked at; ``used_s`` includes the children that it has waited for."""

    parent: int
    start_ticks: int
    used_s: float


class UsageReader:
    """Reads the CPU time of this machine and of this run, again and again.

    The kernel adds the time of an ended process to the parent that waits for it. Where the parent ended first (an
    arbiter that was killed, the old master of an upgrade), that is a process that is not ours. So each process that was
    seen once is looked up by itself, and what it had used when it was last seen stays ours. ``read`` often: what such a
    process uses after the last look counts as others'.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._left_s = 0.0

    def read(self, trees: Sequence[int]) -> Usage:
        """The present reading. ``trees``: live processes of this run, each counted with its children."""
        busy_s = procfs.busy_cpu_s()
        before, self._seen = self._seen, {}
        for pid in trees:
            self._look(pid)
        for pid, known in before.items():
            self._look(pid, only=known.start_ticks)
        heirs = {os.getpid(), *before}
        ended = [known for pid, known in before.items() if not self._is_there(pid, known)]
        self._left_s += sum(known.used_s for known in ended if known.parent not in heirs)
        own_s = self._left_s + sum(one.used_s for one in self._seen.values())
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            used = resource.getrusage(who)
            own_s += used.ru_utime + used.ru_stime
        return Usage(at_ns=now_ns(), busy_s=busy_s, own_s=own_s)

    def _is_there(self, pid: int, known: _Seen) -> bool:
        now = self._seen.get(pid)
        return now is not None and now.start_ticks == known.start_ticks

    def _look(self, pid: int, only: int | None = None) -> None:
        """Add a process and its children; ``only``: one that started at these ticks, not another with its pid."""
        if pid in self._seen:
            return
        with suppress(OSError):  # it is gone
            fields = procfs.read_stat(pid)
            start_ticks = int(fields[19])
            if only in {None, start_ticks}:
                self._seen[pid] = _Seen(
                    parent=int(fields[1]), start_ticks=start_ticks, used_s=procfs.used_cpu_s(fields)
                )
                for child in procfs.list_children(pid):
                    self._look(child)


def foreign_share(before: Usage, after: Usage) -> float:
    """The share of all cores, 0 to 1, that others used in between."""
    wall_s = (after.at_ns - before.at_ns) / 1e9 * (os.cpu_count() or 1)
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, foreign_s / wall_s)) if wall_s > 0 else 0.0
