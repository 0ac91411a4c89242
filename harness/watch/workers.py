"""Samples the children of all arbiters, each with pid and start time, and notices when the machine stood still."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from harness.core.clock import now_ns
from harness.core.events.course import Stall
from harness.core.events.doings import ProcessStopped
from harness.core.events.servers import LiveWorkers
from harness.core.procfs import ChildList, children_file, is_stopped, start_ticks
from harness.watch.event_log import EventSink

PERIOD_S = 0.02
CLOSE_LOOK_S = 0.1
"""How often each child is looked at although the list of children is the same: the dead stay on it until the arbiter
has waited for them, which it does at once, unless it hangs."""

STALL_S = 0.1
"""A sampler that was away for so long got no time; what it saw, others may have seen as much later than it was."""


def look_at(children: bytes) -> dict[int, int]:
    """Those of a list that are neither zombies nor gone: pid -> start time in clock ticks."""
    starts = ((int(child), start_ticks(int(child))) for child in children.split())
    return {child: start for child, start in starts if start is not None}


class WorkerSampler:
    """Emits ``workers`` whenever the set of live children changes, and once at the end."""

    def __init__(self, arbiter_pid: int, sink: EventSink) -> None:
        self._lists = [ChildList(arbiter_pid)]
        self._sink = sink
        self._listed = b""
        self._looked_ns = 0
        self._live: dict[int, int] | None = None
        self._stopped: set[int] = set()

    def adopt(self, arbiter_pid: int) -> None:
        """Sample the children of a further arbiter, too: all of them are one fleet."""
        self._lists.append(ChildList(arbiter_pid))

    def _read(self) -> bytes:
        return b" ".join(children.read() for children in self._lists)

    def loop(self, stop: threading.Event) -> None:
        """Sample every PERIOD_S until told to stop; RuntimeError where the kernel lists no children."""
        if not children_file(os.getpid()).exists():
            raise RuntimeError("this kernel does not list a process's children (CONFIG_PROC_CHILDREN)")
        last_ns = now_ns()
        while not stop.is_set():
            self._sample(last_ns)
            stop.wait(PERIOD_S)
            gap_ns = now_ns() - last_ns
            if gap_ns > STALL_S * 1e9:
                self._sink.emit(Stall(at_ns=last_ns, gap_ns=gap_ns))
            last_ns += gap_ns
        self._sample(last_ns, final=True)
        for children in self._lists:
            children.close()

    def _sample(self, at_ns: int, *, final: bool = False) -> None:
        listed = self._read()
        if not final and listed == self._listed and at_ns - self._looked_ns < CLOSE_LOOK_S * 1e9:
            return
        live = look_at(listed)
        if any(pid not in live and start_ticks(pid) == start for pid, start in (self._live or {}).items()):
            listed = self._read()  # a child that ends meanwhile makes the kernel leave out another
            live = look_at(listed)
        self._listed, self._looked_ns = listed, at_ns
        self._look_for_stopped(at_ns, live)
        if final or live != self._live:
            self._live = live
            self._sink.emit(LiveWorkers(live=tuple(live.items()), final=final))

    def _look_for_stopped(self, at_ns: int, live: Mapping[int, int]) -> None:
        stopped = {pid for pid in live if is_stopped(pid)}
        for pid in stopped - self._stopped:
            self._sink.emit(ProcessStopped(at_ns=at_ns, who="worker", pid=pid))
        self._stopped = stopped
