"""Monotonic time and waiting: every wait has a deadline and notices at once when what it waits for has died.

No log text as readiness, no wall-clock deadline, no sleeping for the sake of synchronising.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.005
"""How often a wait looks again: short against gunicorn's boot (0.2 s and more), cheap against a core (5 us a look)."""


def now_ns() -> int:
    """CLOCK_MONOTONIC in ns: the same clock in every process of one machine, so traces and watchers compare."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_until(
    probe: Callable[[], T | None], *, timeout_s: float, alive: Callable[[], bool], poll_s: float = POLL_S
) -> T | None:
    """Ask ``probe`` until it gives something truthy; None when ``timeout_s`` is over or ``alive`` says no.

    ``alive`` is asked before the probe and the probe once more after a death, so that an answer which was
    ready just before the end isn't lost.
    """
    deadline_ns = now_ns() + int(timeout_s * 1e9)
    while True:
        living = alive()
        found = probe()
        if found:
            return found
        if not living or now_ns() >= deadline_ns:
            return None
        time.sleep(poll_s)
