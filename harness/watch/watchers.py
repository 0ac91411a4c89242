"""All watchers of one run: who is needed for this cell, started in time, stopped in the order that loses nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from harness.core.events.course import WatcherState
from harness.core.model import Cell
from harness.stack.asked import ASKED, Asked
from harness.stack.proxies import PROXIES
from harness.watch.event_log import EventSink
from harness.watch.follow import Follower, Handler
from harness.watch.logs import GunicornLog, read_app_faults, read_trace, tally_gunicorn, tally_proxy, tally_proxy_errors
from harness.watch.memory import MemorySampler
from harness.watch.prober import Prober
from harness.watch.socket import SocketWatcher
from harness.watch.thread import WatchThread
from harness.watch.workers import WorkerSampler

LINES_S = 0.02
"""How often the few lines of gunicorn's error log and of the tracer are fetched: they time the events."""

TALLIES_S = 0.05
"""How often the access logs are fetched, which may grow by 10 MB a second."""

READERS = {"logs", "tallies"}

APP_FAULTS_FILE = "app.faults.jsonl"
"""What the wrapper around the user's app writes, below ``logs``."""


class LocalWatchers:
    """Start in four steps (``watch_files``, ``watch_arbiter``, ``meet_clients``, ``probe``), stop in one."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._threads: list[WatchThread] = []
        self._socket: SocketWatcher | None = None
        self._workers: WorkerSampler | None = None
        self._prober: Prober | None = None
        self._followers: list[Follower] = []

    def watch_files(self, cell: Cell, *, logs: Path, socket: Path, trace: Path, site: str) -> None:
        """Before gunicorn starts: the socket's folder, the logs, and the tracer's file."""
        if cell.bind == "unix":
            self._socket = SocketWatcher(socket, self._sink)
            self._start("socket", self._socket)
        traced = cell.trace and cell.bind == "unix"
        self._sink.emit(WatcherState(name="tracer", state="expected" if traced else "off"))
        lines: dict[Path, Handler] = {logs / "gunicorn.error.log": GunicornLog(self._sink).handle}
        if traced:
            lines[trace] = read_trace(self._sink, site)
        if cell.app is not None:
            lines[logs / APP_FAULTS_FILE] = read_app_faults(self._sink)
        self._followers = [Follower(lines, LINES_S), Follower(self._tallies(cell, logs), TALLIES_S)]
        for name, follower in zip(("logs", "tallies"), self._followers, strict=True):
            self._start(name, follower)

    def watch_arbiter(self, pid: int, *, memory: bool = False) -> None:
        """As soon as gunicorn has a pid: its children, and where it is wanted everybody's memory.

        Called again for each further arbiter: the children of all are watched, and the last one's memory is not.
        """
        if self._socket is not None:
            self._socket.know_arbiter(pid)
        if self._workers is not None:
            self._workers.adopt(pid)
            return
        self._workers = WorkerSampler(pid, self._sink)
        self._start("workers", self._workers)
        if memory:
            self._start("memory", MemorySampler(pid, self._sink))

    def meet_clients(self, proxy: int | None) -> None:
        """The service answers: as whom the proxy comes to the socket, or where there is none the load, as we do."""
        if self._socket is not None:
            self._socket.meet_clients(os.getpid() if proxy is None else proxy)

    def probe(
        self, ways: Mapping[str, str], *, ledger: bool = True, compares: bool = False, asked: Asked = ASKED
    ) -> None:
        """With the load: an independent client on each way.

        ``ledger``: its requests carry ids. ``compares``: the app sends them back, so answers can be compared.
        The logs are read first: what was answered before the load is told before it.
        """
        for follower in self._followers:
            follower.look()
        self._prober = Prober(ways, self._sink, ledger=ledger, compares=compares, asked=asked)
        self._start("prober", self._prober)

    def hurry_probes(self) -> None:
        """The load is off: probe as often as can be."""
        if self._prober is not None:
            self._prober.hurry()

    def pause_probes(self, way: str, pause_s: float) -> None:
        """Let one way rest; see ``engine.timings.Timings.linger_s``."""
        if self._prober is not None:
            self._prober.pause(way, pause_s)

    def stop(self) -> None:
        """Stop all; everything seen is in the sink afterwards.

        The prober first, because the others see its doings. The logs last: a worker that the sampler no longer sees
        has written its last line by then.
        """
        if self._prober is not None:
            self._threads.pop().stop()
            self._prober = None
        if self._socket is not None:
            self._socket.snapshot()
        readers = [thread for thread in self._threads if thread.name in READERS]
        for group in ([thread for thread in self._threads if thread.name not in READERS], readers):
            for thread in group:
                thread.finish()
            for thread in group:
                thread.stop()
        self._threads.clear()

    def _tallies(self, cell: Cell, logs: Path) -> dict[Path, Handler]:
        handlers: dict[Path, Handler] = {logs / "gunicorn.access.log": tally_gunicorn(self._sink)}
        proxy = PROXIES[cell.proxy]
        if proxy is not None:
            handlers[logs / f"{cell.proxy}.access.log"] = tally_proxy(self._sink, proxy)
            handlers[logs / f"{cell.proxy}.error.log"] = tally_proxy_errors(self._sink, proxy)
        return handlers

    def _start(self, name: str, watcher: SocketWatcher | Follower | WorkerSampler | MemorySampler | Prober) -> None:
        wake = watcher.wake if isinstance(watcher, SocketWatcher) else _never_asleep
        thread = WatchThread(name, watcher.loop, self._sink, wake)
        self._threads.append(thread)
        thread.start()


def _never_asleep() -> None:
    """Most watchers look about all the time and need not be woken."""
