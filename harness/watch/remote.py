"""The watchers in a container, beside servers that live in containers: ``python -m harness.watch.remote``.

Reads one order a line on the standard input (``{"order": ..., "number": ...}``) and writes lines to the standard
output: the events that the watchers see, and an event of the kind ``answer`` (``number``, ``value`` or ``error``) for
each order. An answer comes after all that was seen before it. The end of the input is the end of the harness: then this
process ends, and because it is the first of its process namespace, the kernel ends every server in there with it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from harness.core import procfs
from harness.core.cells import cell_from_json
from harness.core.clock import now_ns, wait_until
from harness.core.events.base import Event
from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.watch.event_log import EventSink
from harness.watch.machine import UsageReader
from harness.watch.prober import open_client
from harness.watch.watchers import LocalWatchers

PID_S = 10.0
"""For a server's first instruction to be run."""

METER_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer(Event):
    """The answer to an order: never in a record, but among the events on the way to one."""

    kind: ClassVar[str] = "answer"

    number: int
    value: Json = None
    error: str | None = None


def pid_file(logs: Path, name: str) -> Path:
    """Where the launcher of a server leaves the pid that it has in the shared process namespace."""
    return logs / f".{name}.pid"


class Meter:
    """Measures the CPU time of the load while it runs: the kernel forgets it at the load's end."""

    def __init__(self) -> None:
        self._pids: dict[int, float] = {}
        threading.Thread(target=self._loop, name="meter", daemon=True).start()

    def follow(self, pid: int) -> None:
        """Add a process to those that are measured."""
        self._pids[pid] = 0.0

    def used_s(self) -> float:
        """CPU seconds of all that were followed, dead or alive."""
        return sum(self._pids.values())

    def _loop(self) -> None:
        pause = threading.Event()
        while not pause.wait(METER_S):
            for pid, known_s in list(self._pids.items()):
                self._pids[pid] = max(known_s, procfs.tree_cpu_s(pid))


class WatcherServer:
    """Carries out orders, one after the other: ``orders`` has one row each, whose method takes the order's fields."""

    def __init__(self, sink: EventSink) -> None:
        self._watchers = LocalWatchers(sink)
        self._meter = Meter()
        self._usage = UsageReader()
        self.orders: Mapping[str, Callable[..., Json]] = {
            "hello": self.hello,
            "watch_files": self.watch_files,
            "watch_arbiter": self._watchers.watch_arbiter,
            "meet_clients": self._watchers.meet_clients,
            "probe": self._watchers.probe,
            "hurry_probes": self._watchers.hurry_probes,
            "pause_probes": self._watchers.pause_probes,
            "stop": self._watchers.stop,
            "ask": self.ask,
            "exists": self.exists,
            "find_pid": self.find_pid,
            "read_usage": self.read_usage,
            "is_stopped": procfs.is_one_stopped,
        }

    def hello(self) -> Json:
        """The time here, on the clock of all events."""
        return now_ns()

    def watch_files(self, cell: Mapping[str, Any], logs: str, socket: str, trace: str, site: str) -> Json:
        """See ``LocalWatchers``."""
        known = cell_from_json(cell, where="the order")
        self._watchers.watch_files(known, logs=Path(logs), socket=Path(socket), trace=Path(trace), site=site)
        return None

    def ask(self, address: str) -> Json:
        """One request; see ``prober.ask``."""
        with open_client(address) as client:
            return client.ask()

    def exists(self, path: str) -> Json:
        """Whether there is such a file."""
        return Path(path).exists()

    def find_pid(self, logs: str, name: str, metered: bool) -> Json:
        """The pid of a server that was just started, or None where it never ran; ``metered``: see ``Meter``."""
        file = pid_file(Path(logs), name)

        def read() -> int | None:
            return int(file.read_text()) if file.exists() else None

        pid = wait_until(read, timeout_s=PID_S, alive=lambda: True)
        if pid is not None and metered:
            self._meter.follow(pid)
        return pid

    def read_usage(self, trees: list[int]) -> Json:
        """See ``machine.UsageReader``; what the load used is added."""
        usage = asdict(self._usage.read(trees))
        return {**usage, "own_s": usage["own_s"] + self._meter.used_s()}


def serve(lines: Iterable[str], server: WatcherServer, sink: EventSink) -> None:
    """Carry out orders until there are no more; one that fails, or that is in no row, is answered with ``error``."""
    for line in lines:
        order = json.loads(line)
        name, number = order.pop("order"), order.pop("number")
        try:
            sink.emit(OrderAnswer(number=number, value=server.orders[name](**order)))
        except Exception as problem:  # noqa: BLE001 - the harness on the other side raises it
            sink.emit(OrderAnswer(number=number, error=f"{type(problem).__name__}: {problem}"))


def main() -> NoReturn:
    """Serve the standard input; as the first process of its namespace it is also the one that children are left to."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    sink = EventSink(Path("/dev/stdout"), stream=os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8"))
    serve(sys.stdin, WatcherServer(sink), sink)
    os._exit(0)  # nothing reads what the watchers would still say


if __name__ == "__main__":
    main()
