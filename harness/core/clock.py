"""Monotonic time and waiting: every wait has a deadline and notices at once when the process it waits for has died.

The harness uses no log text as a sign of readiness, no wall-clock deadline, and no sleep to synchronise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from harness.core import signals

T = TypeVar("T")

POLL_S = 0.005
"""How often a wait asks again: often against gunicorn's boot (0.2 s and more), and cheap (5 us each time)."""


def now_ns() -> int:
    """CLOCK_MONOTONIC in ns: the same clock in every process of one machine, so traces and watchers compare."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_until(
    probe: Callable[[], T | None], *, timeout_s: float, alive: Callable[[], bool], poll_s: float = POLL_S
) -> T | None:
    """Call ``probe`` until it returns a true value; None once ``timeout_s`` is over or ``alive`` returns False.

    ``alive`` is called before the probe, and the probe once more after a death, so that an answer which was ready just
    before the end isn't lost. A signal that interrupts the command ends the wait, see ``signals.check``.
    """
    deadline_ns = now_ns() + int(timeout_s * 1e9)
    while True:
        living = alive()
        found = probe()
        if found:
            return found
        if not living or now_ns() >= deadline_ns:
            return None
        signals.pause(poll_s)
