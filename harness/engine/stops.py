"""Notices that a process of the run was stopped (SIGSTOP): somebody else's doing, which looks like a hang."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from harness.backends import Process
from harness.core.clock import now_ns
from harness.core.events.doings import ProcessStopped
from harness.watch.event_log import EventSink

PERIOD_S = 0.1

Who: TypeAlias = Literal["arbiter", "proxy", "load"]


class StopWatch:
    """Emits ``stopped`` each time a process goes from running to stopped."""

    def __init__(self) -> None:
        self._looked_ns = 0
        self._stopped: set[int] = set()

    def look(self, sink: EventSink, processes: Mapping[Who, Process]) -> None:
        """Look at all of them, every PERIOD_S at the most."""
        at_ns = now_ns()
        if at_ns - self._looked_ns < PERIOD_S * 1e9:
            return
        self._looked_ns = at_ns
        for who, process in processes.items():
            if not process.is_stopped(with_children=who != "arbiter"):  # its children are workers: sampled as such
                self._stopped.discard(process.pid)
            elif process.pid not in self._stopped:
                self._stopped.add(process.pid)
                sink.emit(ProcessStopped(at_ns=at_ns, who=who, pid=process.pid))
