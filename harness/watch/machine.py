"""How much of the machine others used while the load ran: a late answer on a busy machine says nothing of gunicorn.

All from ``procfs`` and getrusage: the busy time of all cores, less what this run's own processes took.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass

from harness.core import procfs
from harness.core.clock import now_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A reading: CPU seconds of all cores since boot, those of this run, and when."""

    at_ns: int
    busy_s: float
    own_s: float


def read_usage(trees: Sequence[int]) -> Usage:
    """The present reading. ``trees``: the live processes of this run, each counted with its children."""
    busy_s = procfs.busy_cpu_s()
    own_s = sum(procfs.tree_cpu_s(pid) for pid in trees)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        own_s += used.ru_utime + used.ru_stime
    return Usage(at_ns=now_ns(), busy_s=busy_s, own_s=own_s)


def foreign_share(before: Usage, after: Usage) -> float:
    """The share of all cores, 0 to 1, that others used in between."""
    wall_s = (after.at_ns - before.at_ns) / 1e9 * (os.cpu_count() or 1)
    foreign_s = (after.busy_s - before.busy_s) - (after.own_s - before.own_s)
    return min(1.0, max(0.0, foreign_s / wall_s)) if wall_s > 0 else 0.0
