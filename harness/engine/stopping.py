"""The last phase of a run: the arbiter is told to end, without load, and what is left afterwards is looked at.

The window of the other judgements is closed before, so that the stop can neither add nor hide evidence.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path

from harness.core import procfs
from harness.core.clock import now_ns, wait_until
from harness.core.events.doings import HarnessSignalled
from harness.core.events.stop import FoundProcess, StopEnded, StopSkipped
from harness.engine.accounts import await_last_lines
from harness.engine.fleet import count_fleet
from harness.engine.idle_workers import has_known_graceful, read_graceful_s
from harness.engine.leftovers import describe, find_obstacle, list_sockets
from harness.engine.running_stack import Stack, close_window
from harness.engine.servers import TRACE_FILE
from harness.watch.event_log import EventSink
from harness.watch.logs import read_trace

REASON = "the ordered stop at the end of the run"
_LOOK_S = 0.005


def stop_in_order(stack: Stack, *, boot_s: float) -> None:
    """Close the window, tell the arbiter to end, and wait until all has ended or is overdue; emits ``stop``.

    ``boot_s``: see ``settle``. What goes wrong once the bound path is lost follows from that: it is told and not
    judged, so that nobody waits for it for long.
    """
    close_window(stack.run, stack.watchers)
    why_not = find_obstacle(stack)
    if why_not is not None:
        stack.sink.emit(StopSkipped(reason=why_not))
        return
    stack.run.say("stopping gunicorn in order")
    stack.run.enter("stop")
    is_lost = stack.progress.deleted_ns is not None
    if not is_lost:
        _end_proxy(stack)
        _await_boots(stack, boot_s)
    trace = stack.logs / TRACE_FILE
    known_bytes = trace.stat().st_size if trace.exists() else 0
    stack.sink.emit(_Stop(stack, is_lost=is_lost).watch())
    _read_rest(trace, known_bytes, stack.sink, site=str(stack.environment.path))


def _end_proxy(stack: Stack) -> None:
    """Once it has logged its last answers: workers wait as long as keepalive for the connections that it holds open."""
    if stack.cell.ledger:
        await_last_lines(stack.cell, stack.logs, stack.clients, fetch=stack.backend.fetch)
    if stack.proxy is not None:
        process, number = stack.proxy.process, int(signal.SIGKILL)
        stack.sink.emit(HarnessSignalled(who="proxy", pid=process.pid, signal=number, reason=REASON))
        process.stop()


def _await_boots(stack: Stack, boot_s: float) -> None:
    """A worker that is still booting loses a signal: its arbiter then waits for it as long as graceful_timeout."""

    def has_booted() -> bool:
        live, ready = count_fleet(stack)
        return ready >= live

    patience_s = stack.timings.stop_boots * boot_s + stack.timings.left_s
    wait_until(has_booted, timeout_s=patience_s, alive=lambda: stack.gunicorn.poll() is None)


class _Stop:
    """One ordered stop, watched from its signal on."""

    def __init__(self, stack: Stack, *, is_lost: bool) -> None:
        self._stack = stack
        text = (stack.run.folder.config / "config.py").read_text(errors="replace")
        self._graceful_s = read_graceful_s(text)
        # A user's own settings may come from elsewhere than their file.
        self._is_known = has_known_graceful(text, is_given=stack.run.request.own is not None)
        self._starts = {pid: procfs.start_ticks(pid) for pid in stack.backend.list_relatives(stack.gunicorn)}
        self._starts.pop(stack.arbiter_pid, None)
        self._ended: dict[int, int] = {}
        self._stalled_ns = 0
        self._held = False
        self._is_lost = is_lost

    def watch(self) -> StopEnded:
        """Send the signal and wait: for the arbiter, then for those that it leaves."""
        stack, timings = self._stack, self._stack.timings
        self._began_ns = self._looked_ns = now_ns()
        stack.signal_arbiter(signal.SIGTERM, REASON)
        limit_s = self._graceful_s + timings.stop_late_s + timings.stop_spare_s
        if self._is_lost:
            limit_s = timings.left_s
        while (status := stack.gunicorn.poll()) is None and self._passed_s() < limit_s:
            self._held = self._held or procfs.is_stopped(stack.arbiter_pid)
            self._look()
        waited_ns = now_ns() - self._began_ns
        return StopEnded(
            at_ns=self._began_ns,
            took_ns=None if status is None else waited_ns,
            status=status,
            waited_ns=waited_ns,
            stalled_ns=self._stalled_ns,
            graceful_s=self._graceful_s if self._is_known else None,
            left=() if status is None else tuple(self._await_the_rest()),
            ended=tuple(sorted(self._ended.items())),
            inode=self._find_inode(),
            sockets=tuple(path for path in list_sockets(stack.scratch.base) if path != str(stack.scratch.socket)),
            files=tuple(path for path in stack.progress.temporary_files if Path(path).exists()),
            held=self._held,
        )

    def _passed_s(self) -> float:
        """Since the signal, without the time that the harness itself did not get."""
        return (now_ns() - self._began_ns - self._stalled_ns) / 1e9

    def _look(self) -> None:
        """Note who has ended, and pause; a pause that took longer than asked for is the machine's."""
        self._note_ended()
        time.sleep(_LOOK_S)
        at_ns = now_ns()
        self._stalled_ns += max(0, at_ns - self._looked_ns - int(2 * _LOOK_S * 1e9))
        self._looked_ns = at_ns

    def _note_ended(self) -> None:
        at_ns = now_ns()
        for pid, start in self._starts.items():
            if pid not in self._ended and procfs.start_ticks(pid) != start:
                self._ended[pid] = at_ns - self._began_ns

    def _await_the_rest(self) -> list[FoundProcess]:
        """Those that outlive the arbiter for longer than a killed process needs."""
        self._looked_ns = now_ns()
        looks = 1 if self._is_lost else int(self._stack.timings.left_s / _LOOK_S)
        for _ in range(looks):
            left = self._stack.backend.list_relatives(self._stack.gunicorn)
            self._note_ended()
            if not left:
                return []
            time.sleep(_LOOK_S)
        return describe(left)

    def _find_inode(self) -> int | None:
        try:
            return self._stack.scratch.socket.lstat().st_ino
        except OSError:
            return None


def _read_rest(trace: Path, known_bytes: int, sink: EventSink, *, site: str) -> None:
    """What the tracer wrote during the stop; its watcher has ended with the window."""
    if not trace.exists():
        return
    with trace.open("rb") as stream:
        stream.seek(known_bytes)
        whole, _, _ = stream.read().rpartition(b"\n")
    read_trace(sink, site)(whole, now_ns())
