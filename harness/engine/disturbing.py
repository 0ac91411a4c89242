"""What a disturbance sees of a running stack, and what it can do to it; what is done is recorded before."""

from __future__ import annotations

import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from harness.backends import Process
from harness.core import procfs
from harness.core.clock import now_ns
from harness.core.events.disturbances import ArbiterEnded, ArbiterFiles, HarnessDid, LeftProcesses
from harness.core.events.doings import HarnessSignalled
from harness.core.events.servers import ArbiterStarted
from harness.core.model import Cell
from harness.engine.idle_workers import read_graceful_s
from harness.engine.own_requests import SlowRequest, WatchedMove
from harness.engine.running_stack import Stack
from harness.engine.servers import HANGING_FILE
from harness.stack.further_settings import PID_FILE
from harness.watch.event_log import EventSink
from harness.watch.progress import Progress

DEFAULT_TIMEOUT_S = 30

MOVED = "\n\n# The run moves gunicorn to another path for a while\n"

SLEEP_S = 600
"""A process that has taken over a pid outlives any disturbance; it is ended as soon as that is over."""

NEW_MASTER, SECOND_MASTER = "new master", "second master"


class DisturbedService:
    """See ``disturb.course.ServiceUnderLoad``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._random = random.Random(stack.cell.seed)  # noqa: S311 - no secret
        self._told_ns = 0
        self._new_master = 0

    @property
    def cell(self) -> Cell:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.cell

    @property
    def progress(self) -> Progress:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.progress

    @property
    def sink(self) -> EventSink:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.sink

    @property
    def arbiter_pid(self) -> int:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.arbiter_pid

    @property
    def new_master_pid(self) -> int:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._new_master

    @property
    def boot_s(self) -> float:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.masters.boot_s

    @property
    def graceful_s(self) -> float:
        """See ``disturb.course.ServiceUnderLoad``."""
        if self.cell.graceful_timeout is not None:
            return float(self.cell.graceful_timeout)
        return read_graceful_s((self._stack.run.folder.config / "config.py").read_text(errors="replace"))

    @property
    def timeout_s(self) -> float:
        """See ``disturb.course.ServiceUnderLoad``: as in ``fixtures/config.py.in`` where the cell names none."""
        return float(self.cell.timeout or DEFAULT_TIMEOUT_S)

    def signal_arbiter(self, number: int, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._told_ns = now_ns()
        self._stack.signal_arbiter(number, reason)

    def signal_master(self, pid: int, number: int, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._told_ns = now_ns()
        self.sink.emit(HarnessSignalled(who="arbiter", pid=pid, signal=int(number), reason=reason))
        self._stack.backend.signal(pid, number)

    def signal_worker(self, pid: int, number: int, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self.sink.emit(HarnessSignalled(who="worker", pid=pid, signal=int(number), reason=reason))
        self._stack.backend.signal(pid, number)

    def choose(self, pids: Sequence[int]) -> int:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._random.choice(pids)

    def expect_end(self) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._stack.masters.told_to_end = True

    def has_ended(self) -> bool:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.gunicorn.poll() is not None

    def is_alive(self, pid: int) -> bool:
        """See ``disturb.course.ServiceUnderLoad``."""
        if pid == self._stack.gunicorn.pid:
            return self._stack.gunicorn.poll() is None
        return procfs.start_ticks(pid) is not None

    def list_family(self) -> dict[int, int]:
        """See ``disturb.course.ServiceUnderLoad``."""
        found = {pid: procfs.start_ticks(pid) for pid in procfs.list_tree(self.arbiter_pid)}
        return {pid: start for pid, start in found.items() if start is not None}

    def list_alive(self, family: Mapping[int, int]) -> list[int]:
        """See ``disturb.course.ServiceUnderLoad``."""
        return [pid for pid, start in family.items() if procfs.start_ticks(pid) == start]

    def note_end(self, pid: int, family: Mapping[int, int]) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        status = self._stack.gunicorn.poll() if pid == self._stack.gunicorn.pid else None
        took_ns, path = now_ns() - self._told_ns, None
        with suppress(FileNotFoundError):
            path = self._stack.scratch.socket.lstat().st_ino
        self.sink.emit(ArbiterEnded(pid=pid, took_ns=took_ns, status=status, path=path))
        self.sink.emit(LeftProcesses(arbiter=pid, live=tuple(self.list_alive(family)), after_ns=took_ns))

    def start(self, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        process = self._stack.backend.spawn(self._stack.command)
        self.sink.emit(HarnessDid(what="start", detail=f"starts gunicorn as {process.pid}, {reason}", pid=process.pid))
        self._stack.masters.replace(process)
        self._watch(process.pid, None)

    def start_second(self, reason: str) -> int:
        """See ``disturb.course.ServiceUnderLoad``."""
        process = self._stack.backend.spawn(replace(self._stack.command, name="second gunicorn"))
        self.sink.emit(HarnessDid(what="start", detail=f"starts {reason} as {process.pid}", pid=process.pid))
        self._watch(process.pid, SECOND_MASTER)
        return process.pid

    def meet_new_master(self, pid: int) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._new_master = pid
        self._watch(pid, NEW_MASTER)

    def adopt_new_master(self) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._stack.masters.replace(self._stack.backend.adopt(self._new_master, "gunicorn"))

    def _watch(self, pid: int, role: str | None) -> None:
        self.sink.emit(ArbiterStarted(pid=pid, role=role))
        self._stack.watchers.watch_arbiter(pid)

    def ask_slowly(self, hang_s: float, reason: str) -> SlowRequest:
        """See ``disturb.course.ServiceUnderLoad``."""
        self.sink.emit(HarnessDid(what="ask", detail=reason))
        stack = self._stack
        told = stack.logs / HANGING_FILE
        return SlowRequest(stack.address, stack.asked, hang_s=hang_s, told=told, sink=self.sink)

    def rebind(self, *, elsewhere: bool, reason: str) -> WatchedMove:
        """See ``disturb.course.ServiceUnderLoad``."""
        folder, scratch = self._stack.run.folder, self._stack.scratch
        settings = folder.config / "config.py"
        text, _, _ = settings.read_text(encoding="utf-8", errors="surrogateescape").partition(MOVED)
        moved = f"{MOVED}bind = 'unix:{scratch.other_socket}'\n" if elsewhere else ""
        self.sink.emit(HarnessDid(what="write", detail=f"the settings: {reason}"))
        settings.write_text(text + moved, encoding="utf-8", errors="surrogateescape")
        old, new = (scratch.socket, scratch.other_socket) if elsewhere else (scratch.other_socket, scratch.socket)
        run = self._stack.run
        move = WatchedMove(
            old, new, self._stack.asked, back=not elsewhere, sink=self.sink, is_closed=lambda: run.closed
        )
        self.signal_arbiter(signal.SIGHUP, reason)
        return move

    def remove_path(self, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self.sink.emit(HarnessDid(what="remove", detail=reason))
        with suppress(FileNotFoundError):
            self._stack.scratch.socket.unlink()

    def give_pid_away(self) -> Process:
        """See ``disturb.course.ServiceUnderLoad``: the file is made to name a process that sleeps.

        Which pid the kernel gives to whom is nothing that the harness may change; gunicorn sees the number alone.
        """
        command = replace(self._stack.command, name="other process", argv=("sleep", str(SLEEP_S)))
        other = self._stack.backend.spawn(command)
        detail = f"starts {other.pid}, which is no gunicorn, and writes its pid into the pid file"
        self.sink.emit(HarnessDid(what="start", detail=detail, pid=other.pid))
        (self._stack.scratch.home / PID_FILE).write_text(f"{other.pid}\n")
        return other

    def look_at_files(self) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        pid = self.arbiter_pid
        found = self._stack.backend.count_files(pid)
        if found is not None:
            files, threads = found
            self.sink.emit(ArbiterFiles(pid=pid, files=files, threads=threads))
