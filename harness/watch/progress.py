"""What is known while a run is under way: for the live line and for stopping early. It never reaches the verdict."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from harness.core.clock import now_ns
from harness.core.events.base import Event
from harness.core.events.clients import Probe
from harness.core.events.course import Phase
from harness.core.events.disturbances import DisturbanceBegan
from harness.core.events.servers import (
    ArbiterExited,
    ArbiterStarted,
    GunicornLine,
    LiveWorkers,
    MemorySample,
    Proxied,
    Served,
    SocketChange,
)
from harness.core.events.stop import OpenFiles
from harness.core.frozen import dataclass
from harness.core.model import is_failure, is_success


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleWorker:
    """A live worker, and what went on since it was last seen to serve something, or since it came."""

    pid: int
    idle_s: float
    served_by_others: int
    announced_s: float | None  # for how long it has been about to end; None where it did not say so


class Progress:
    """Listens to the sink; its attributes may be read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._booted: set[int] = set()
        self._live: set[int] = set()
        self._announced: set[int] = set()
        self._announced_ns: dict[int, int] = {}
        self._active: dict[int, tuple[int, int]] = {}  # pid -> (when it last served, or came; what all had served then)
        self._ready: set[int] = set()
        self._changed_ns = now_ns()
        self._masters = 0
        self._served_by = Counter[int]()
        self._is_disturbed = False  # from the first disturbance on the path may come and go for good reasons
        self._starting: list[int] = []
        self.asked = 0  # how often an arbiter said that it heeds a signal
        self.arbiter_ended = False
        self.deleted_ns: int | None = None
        self.last_success_ns: int | None = None
        self.served = 0
        self.temporary_files: set[str] = set()
        self.memory_bytes = 0
        self.memory_samples = 0  # since the load began
        self.outcomes: Counter[str] = Counter()
        self.recent: dict[str, list[tuple[int, bool]]] = {"proxy": [], "direct": []}

    def hear(self, event: Event) -> None:
        """Take one event into account."""
        hear = _HEARD.get(type(event))
        if hear is not None:
            with self._lock:
                hear(self, event)

    @property
    def recycles(self) -> int:
        """Workers that said that they restart, and are gone."""
        with self._lock:
            return len(self._announced - self._live)

    @property
    def live_workers(self) -> int:
        """Live children of the arbiter that booted as workers."""
        with self._lock:
            return len(self._live & self._booted)

    @property
    def live_children(self) -> set[int]:
        """All live children of the arbiter."""
        with self._lock:
            return set(self._live)

    @property
    def worker_pids(self) -> set[int]:
        """Live children of the arbiters that booted as workers."""
        with self._lock:
            return self._live & self._booted

    @property
    def master_pids(self) -> list[int]:
        """All that ever said that they start as an arbiter, in that order."""
        with self._lock:
            return list(self._starting)

    @property
    def booted_pids(self) -> set[int]:
        """All that ever said that they boot as workers."""
        with self._lock:
            return set(self._booted)

    def find_idle(self) -> list[IdleWorker]:
        """How long each live worker has served nothing, the longest first."""
        at_ns = now_ns()
        with self._lock:
            workers = self._live & self._booted if self._booted else self._live
            idle = [self._describe(pid, at_ns) for pid in workers & self._active.keys()]
        return sorted(idle, key=lambda one: one.idle_s, reverse=True)

    def _describe(self, pid: int, at_ns: int) -> IdleWorker:
        since_ns, served = self._active[pid]
        announced_ns = self._announced_ns.get(pid)
        return IdleWorker(
            pid=pid,
            idle_s=(at_ns - since_ns) / 1e9,
            served_by_others=self.served - served,
            announced_s=None if announced_ns is None else (at_ns - announced_ns) / 1e9,
        )

    @property
    def restarting_pids(self) -> set[int]:
        """Live workers that said that they restart."""
        with self._lock:
            return self._announced & self._live

    @property
    def served_by(self) -> dict[int, int]:
        """How many requests each worker has served so far, by the access log."""
        with self._lock:
            return dict(self._served_by)

    @property
    def ready_workers(self) -> int:
        """Live workers that said that their app is loaded; 0 where the settings don't make them say so."""
        with self._lock:
            return len(self._live & self._ready)

    @property
    def steady_s(self) -> float:
        """For how long the same workers have lived; 0 while one of them is about to end."""
        with self._lock:
            return 0.0 if self._announced & self._live else (now_ns() - self._changed_ns) / 1e9

    @property
    def booted_workers(self) -> int:
        """How many workers said that they boot."""
        with self._lock:
            return len(self._booted)

    @property
    def failures(self) -> int:
        """Answers through the proxy that let a client down."""
        with self._lock:
            return sum(count for outcome, count in self.outcomes.items() if is_failure(outcome))

    def quiet_s(self, since_ns: int) -> float:
        """For how long no client was answered with success, counted from ``since_ns`` at the earliest."""
        last_ns = max(since_ns, self.last_success_ns or 0)
        return (now_ns() - last_ns) / 1e9

    def probes_since(self, at_ns: int, way: str) -> list[bool]:
        """Whether each probe of a way that started after ``at_ns`` was answered with success, oldest first."""
        with self._lock:
            return [ok for started_ns, ok in self.recent[way] if started_ns >= at_ns]

    def _succeed(self, at_ns: int) -> None:
        self.last_success_ns = max(at_ns, self.last_success_ns or 0)

    def _hear_start(self, _: ArbiterStarted) -> None:
        """An arbiter that starts later replaces the one before it, and binds the path anew where that is gone."""
        self.arbiter_ended, self.deleted_ns, self._masters = False, None, self._masters + 1

    def _hear_disturbance(self, _: DisturbanceBegan) -> None:
        self._is_disturbed = True

    def _hear_exit(self, _: ArbiterExited) -> None:
        self.arbiter_ended = True

    def _hear_socket(self, event: SocketChange) -> None:
        if event.action in {"deleted", "moved"} and self.deleted_ns is None:
            self.deleted_ns = event.at_ns
        elif event.action == "created" and (self._masters > 1 or self._is_disturbed):
            self.deleted_ns = None

    def _hear_workers(self, event: LiveWorkers) -> None:
        live = {pid for pid, _ in event.live}
        for pid in live - self._live:
            self._active[pid] = (event.at_ns, self.served)
        if live != self._live:
            self._live, self._changed_ns = live, event.at_ns

    def _hear_line(self, event: GunicornLine) -> None:
        if event.state == "starting" and event.pid is not None:
            self._starting.append(event.pid)
        self.asked += event.state == "asked"
        pids = {"booted": self._booted, "ready": self._ready, "restarting": self._announced}.get(event.state or "")
        if pids is not None and event.pid is not None:
            pids.add(event.pid)
            if event.state == "restarting":
                self._announced_ns.setdefault(event.pid, event.at_ns)

    def _hear_proxied(self, event: Proxied) -> None:
        self.outcomes.update(event.statuses)
        if any(is_success(status) for status in event.statuses):
            self._succeed(event.at_ns)

    def _hear_served(self, event: Served) -> None:
        self.served += sum(count for by_status in event.by_pid.values() for count in by_status.values())
        for pid, by_status in event.by_pid.items():
            self._served_by[pid] += sum(by_status.values())
            self._active[pid] = (event.at_ns, self.served)
        if any(is_success(status) for by_status in event.by_pid.values() for status in by_status):
            self._succeed(event.at_ns)

    def _hear_files(self, event: OpenFiles) -> None:
        self.temporary_files.update(event.temporary)

    def _hear_phase(self, event: Phase) -> None:
        if event.name == "load":
            self.memory_samples = 0

    def _hear_memory(self, event: MemorySample) -> None:
        self.memory_bytes = sum(event.own_bytes.values())
        self.memory_samples += 1

    def _hear_probe(self, event: Probe) -> None:
        recent = self.recent[event.via]
        recent.append((event.at_ns, event.ok))
        del recent[:-200]
        if event.ok:
            self._succeed(event.at_ns + event.took_ns)


_HEARD: Mapping[type[Event], Callable[[Progress, Any], None]] = {
    ArbiterStarted: Progress._hear_start,
    ArbiterExited: Progress._hear_exit,
    DisturbanceBegan: Progress._hear_disturbance,
    SocketChange: Progress._hear_socket,
    LiveWorkers: Progress._hear_workers,
    GunicornLine: Progress._hear_line,
    Proxied: Progress._hear_proxied,
    Served: Progress._hear_served,
    OpenFiles: Progress._hear_files,
    Phase: Progress._hear_phase,
    MemorySample: Progress._hear_memory,
    Probe: Progress._hear_probe,
}
"""What is done with the events of each class; the others say nothing that is needed while a run is under way."""
