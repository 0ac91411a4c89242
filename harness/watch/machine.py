"""How much of the machine others used while the load ran: a late answer on a busy machine says nothing of gunicorn.

All from /proc and getrusage: the busy time of all cores, less what this run's own processes took.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.clock import now_ns

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_IDLE = (3, 4)
"""The columns of /proc/stat (user nice system idle iowait irq softirq steal ...) in which no core works."""

_COLUMNS = 8
"""Up to steal: what the host gave to others counts as theirs. The guest columns are part of the first two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A reading: CPU seconds of all cores since boot, those of this run, and when."""

    at_ns: int
    busy_s: float
    own_s: float


def read_usage(trees: Sequence[int]) -> Usage:
    """The present reading. ``trees``: the live processes of this run, each counted with its children."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1 : 1 + _COLUMNS]
    busy = sum(int(ticks) for column, ticks in enumerate(fields) if column not in _IDLE)
    own_s = sum(tree_s(pid) for pid in trees)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        own_s += used.ru_utime + used.ru_stime
    return Usage(at_ns=now_ns(), busy_s=busy / _TICKS_PER_S, own_s=own_s)


def foreign_share(before: Usage, after: Usage) -> float:
    """The share of all cores, 0 to 1, that others used in between."""
    wall_s = (after.at_ns - before.at_ns) / 1e9 * (os.cpu_count() or 1)
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, foreign_s / wall_s)) if wall_s > 0 else 0.0


def tree_s(pid: int) -> float:
    """CPU seconds of a process, its reaped children, and its live children."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    own = sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S
    return own + sum(tree_s(int(child)) for child in children)
