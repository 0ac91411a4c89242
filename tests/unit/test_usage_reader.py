"""Whose CPU time it was, where processes end, outlive their parents, and leave their pids to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from harness.core import procfs
from harness.watch.machine import UsageReader

ARBITER, WORKER = 10_000, 10_001


@dataclass(slots=True)
class Processes:
    """Plays /proc: pid -> (parent, start in ticks, CPU seconds)."""

    rows: dict[int, tuple[int, int, float]] = field(default_factory=dict)

    def read_stat(self, pid: int) -> list[str]:
        if pid not in self.rows:
            raise ProcessLookupError(pid)
        parent, start, used_s = self.rows[pid]
        return ["S", str(parent), *["0"] * 17, str(start), str(used_s)]

    def list_children(self, pid: int) -> list[int]:
        return [child for child, (parent, _, _) in self.rows.items() if parent == pid]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    played = Processes()
    monkeypatch.setattr(procfs, "read_stat", played.read_stat)
    monkeypatch.setattr(procfs, "list_children", played.list_children)
    monkeypatch.setattr(procfs, "used_cpu_s", lambda fields: float(fields[20]))
    monkeypatch.setattr(procfs, "busy_cpu_s", lambda: 0.0)
    monkeypatch.setattr("resource.getrusage", lambda _who: _NOTHING)
    return played


@dataclass(frozen=True, slots=True)
class _Nothing:
    ru_utime: float = 0.0
    ru_stime: float = 0.0


_NOTHING = _Nothing()


def read(usage: UsageReader, *trees: int) -> float:
    pids: Sequence[int] = trees
    return usage.read(pids).own_s


def test_what_outlives_its_parent_is_still_ours(processes: Processes) -> None:
    usage = UsageReader()
    processes.rows |= {ARBITER: (1, 5, 1.0), WORKER: (ARBITER, 6, 2.0)}
    assert read(usage, ARBITER) == 3.0
    processes.rows = {WORKER: (1, 6, 2.5)}
    assert read(usage) == 3.5, "the arbiter's second is in no process any more; the worker goes on"
    processes.rows = {}
    assert read(usage) == 3.5, "and stays ours when it has ended"


def test_another_process_with_its_pid_is_not_ours(processes: Processes) -> None:
    usage = UsageReader()
    processes.rows |= {ARBITER: (1, 5, 1.0)}
    assert read(usage, ARBITER) == 1.0
    processes.rows = {ARBITER: (1, 900, 50.0)}
    assert read(usage) == 1.0


def test_a_worker_that_gets_the_pid_of_one_that_ended_does_not_take_its_time_away(processes: Processes) -> None:
    usage = UsageReader()
    processes.rows |= {ARBITER: (1, 5, 1.0), WORKER: (1, 6, 2.0)}
    assert read(usage, ARBITER, WORKER) == 3.0
    processes.rows[WORKER] = (ARBITER, 900, 0.25)
    assert read(usage, ARBITER) == 3.25
