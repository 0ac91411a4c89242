"""Samples the arbiter's children, each with pid and start time, and notices when the machine itself stood still."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.clock import now_ns
from harness.reaper import start_ticks
from harness.watch.sink import EventSink

PERIOD_S = 0.02
STALL_S = 0.5
"""A sampler that was away for so long has seen the machine stand still, not the server."""


def live_children(pid: int) -> dict[int, int]:
    """The children of a process that are neither zombies nor gone: pid -> start time in clock ticks."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    starts = ((int(child), start_ticks(int(child))) for child in listed)
    return {child: start for child, start in starts if start is not None}


class WorkerSampler:
    """Emits ``workers`` whenever the set of live children changes, and once at the end."""

    def __init__(self, arbiter_pid: int, sink: EventSink) -> None:
        self._arbiter = arbiter_pid
        self._sink = sink
        self._live: dict[int, int] | None = None

    def loop(self, stop: threading.Event) -> None:
        """Sample every PERIOD_S until told to stop."""
        last_ns = now_ns()
        while not stop.is_set():
            self._sample(final=False)
            stop.wait(PERIOD_S)
            gap_ns = now_ns() - last_ns
            if gap_ns > STALL_S * 1e9:
                self._sink.emit("stall", last_ns, gap_ns=gap_ns)
            last_ns += gap_ns
        self._sample(final=True)

    def _sample(self, *, final: bool) -> None:
        live = live_children(self._arbiter)
        if final or live != self._live:
            self._live = live
            self._sink.emit("workers", live=[[pid, start] for pid, start in live.items()], final=final)
