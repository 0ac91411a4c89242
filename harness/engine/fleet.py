"""Waits until all workers are there before the load begins: a missing one would seem to have got lost in it."""

from __future__ import annotations

from pathlib import Path

from harness.core.clock import now_ns, wait_until
from harness.core.events.fleet import Fleet
from harness.engine.accounts import NOTES_FILE
from harness.engine.running_stack import Stack

_POLL_S = 0.02


def await_fleet(stack: Stack, *, boot_s: float) -> bool:
    """Until every worker has booted and loaded its app; emits ``fleet``. False where the load would say nothing.

    It would not where all workers were started and some are not ready in time: a slow machine or a slow app looks just
    like that. It would where gunicorn stopped starting workers before it had them all. ``boot_s``: see ``settle``.
    """
    since_ns = now_ns()
    patience = _Patience(stack, boot_s)
    wait_until(
        lambda: _is_over(stack) or patience.ended(), timeout_s=patience.longest_s, alive=lambda: True, poll_s=_POLL_S
    )
    live, ready = count_fleet(stack)
    fleet = Fleet(configured=stack.cell.workers, live=live, ready=ready, waited_ns=now_ns() - since_ns)
    if _is_lost(stack):
        return True  # the load shows what became of it
    stack.sink.emit(fleet)
    return fleet.complete or fleet.live < fleet.configured


def _is_over(stack: Stack) -> bool:
    return _is_lost(stack) or count_fleet(stack)[1] >= stack.cell.workers


def _is_lost(stack: Stack) -> bool:
    """The arbiter or the socket file has gone already: there is nothing more to wait for."""
    return stack.progress.deleted_ns is not None or stack.gunicorn.poll() is not None


def count_fleet(stack: Stack) -> tuple[int, int]:
    """The arbiter's live children, and those of them that are ready as far as anybody can tell."""
    live = stack.progress.live_children
    ready = live & stack.progress.booted_pids if stack.progress.booted_pids else live
    loaded = _list_loaded(stack) if len(ready) >= stack.cell.workers else None
    return len(live), len(ready if loaded is None else ready & loaded)


def _list_loaded(stack: Stack) -> set[int] | None:
    """The processes that have loaded the app; None where nobody tells, or where the arbiter did it for all."""
    if stack.cell.app is not None or not stack.cell.ledger:
        return None
    notes = stack.logs / NOTES_FILE
    stack.backend.fetch(notes)
    pids = read_loaded(notes)
    return None if not pids or stack.arbiter_pid in pids else pids


def read_loaded(notes: Path) -> set[int]:
    """The pids in the lines ``worker PID`` of the app's notes; see ``fixtures/noted.py``."""
    try:
        lines = notes.read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    return {int(words[1]) for line in lines if len(words := line.split()) > 1 and words[0] == b"worker"}


class _Patience:
    """Ends when nothing has changed for a time that no boot on this machine takes."""

    def __init__(self, stack: Stack, boot_s: float) -> None:
        timings = stack.timings
        self.longest_s = timings.boot_s + timings.fleet_worker_s * stack.cell.workers
        self._stack = stack
        self._still_ns = int((timings.fleet_still_s + timings.fleet_boots * boot_s) * 1e9)
        self._seen: tuple[int, int] = (0, 0)
        self._since_ns = now_ns()

    def ended(self) -> bool:
        """Whether no worker has come, or got ready, for so long."""
        seen = (len(self._stack.progress.booted_pids), count_fleet(self._stack)[1])
        if seen != self._seen:
            self._seen, self._since_ns = seen, now_ns()
        return now_ns() - self._since_ns > self._still_ns
