"""Asks a worker that served nothing while others did whether it can: by itself, with all others stopped for a moment.

How the kernel shares connections among workers is no matter of chance alone: whoever comes first in its queue may get
nearly all, and a proxy keeps what it has. So nothing is said of a worker from counts alone; they only tell whom to ask.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.core import procfs
from harness.core.clock import now_ns, wait_until
from harness.core.events.fleet import AskedAlone
from harness.core.patterns import pattern
from harness.engine.running_stack import Stack, close_window
from harness.watch.progress import IdleWorker

IDLE_S = 1.0
"""Who served nothing for so long at the end of the run, ..."""

OTHERS_SERVED = 20
"""... while for each configured worker so many requests were served, is asked."""

MOST_ASKED = 3
"""So many are enough: each takes some seconds where it does not answer."""

ASKS = 2
"""Requests that a worker gets before it counts as silent; each has the probes' time-out."""

GRACEFUL_S = 30.0
"""gunicorn's own default of ``graceful_timeout``."""

_GRACEFUL = pattern(r"^graceful_timeout *= *(\d+(?:\.\d+)?)", re.MULTILINE)


def ask_idle_workers(stack: Stack) -> None:
    """Close the window and ask; emits ``asked-alone`` for each. Nothing is done where no worker was idle."""
    if not stack.backend.may_hold:
        return
    # One that holds a connection may have its hands full, with a slow app for instance; unless it is stopped.
    suspects = [
        idle for idle in _find_suspects(stack) if procfs.can_not_run(idle.pid) or not procfs.has_connection(idle.pid)
    ]
    if not suspects:
        return
    stack.run.say("asking workers that served nothing")
    close_window(stack.run, stack.watchers)
    for idle in suspects[:MOST_ASKED]:
        _ask_alone(stack, idle)


def _find_suspects(stack: Stack) -> list[IdleWorker]:
    cell, progress = stack.cell, stack.progress
    if cell.workers == 1 or progress.arbiter_ended or progress.deleted_ns is not None:
        return []
    text = (stack.run.folder.config / "config.py").read_text(errors="replace")
    ending_s = read_graceful_s(text) + IDLE_S  # one that is about to end may finish what it has, and takes nothing new
    return [
        idle
        for idle in progress.find_idle()
        if idle.idle_s >= IDLE_S
        and idle.served_by_others >= OTHERS_SERVED * cell.workers
        and (idle.announced_s is None or idle.announced_s > ending_s)
    ]


def read_graceful_s(settings: str) -> float:
    """``graceful_timeout`` in seconds out of a settings file, where it stands there as a number."""
    found = _GRACEFUL.findall(settings)
    return float(found[-1]) if found else GRACEFUL_S


def has_known_graceful(settings: str, *, is_given: bool = False) -> bool:
    """Whether what settings say of ``graceful_timeout`` is a number, if anything; ``is_given``: they must say it."""
    found = len(_GRACEFUL.findall(settings))
    return settings.count("graceful_timeout") == found and (found > 0 or not is_given)


def _ask_alone(stack: Stack, idle: IdleWorker) -> None:
    others = tuple(sorted(stack.progress.live_children - {idle.pid}))
    begun_ticks = procfs.start_ticks(idle.pid)
    with stack.backend.open_client(stack.address, stack.asked) as client:
        with stack.backend.hold(others):
            held = wait_until(lambda: all(map(procfs.can_not_run, others)), timeout_s=1.0, alive=lambda: True)
            asked_ns = now_ns()
            outcome = _ask(client.ask) if held else ""
            took_ns = now_ns() - asked_ns
        then = client.ask()
    if not held or begun_ticks is None:
        return
    lived = procfs.start_ticks(idle.pid) == begun_ticks and not procfs.can_not_run(idle.pid)
    stack.sink.emit(
        AskedAlone(
            at_ns=asked_ns,
            pid=idle.pid,
            outcome=outcome,
            took_ns=took_ns,
            held=others,
            idle_ns=int(idle.idle_s * 1e9),
            served_by_others=idle.served_by_others,
            then=then,
            lived=lived,
        )
    )


def _ask(ask: Callable[[], str]) -> str:
    """The first answer, or how the last request ended."""
    outcome = ""
    for _ in range(ASKS):
        outcome = ask()
        if outcome.isdigit():
            break
    return outcome
