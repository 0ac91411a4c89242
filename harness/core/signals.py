"""Handles the signals that interrupt a command, and delays them where an interruption would do harm."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""The signals that end a run; the last one comes from our timer, and repeats a signal that had to be delayed."""

AGAIN_S = 0.01


def hear_signals() -> None:
    """Make TERM and HUP end a run as Ctrl-C does: everything is stopped and the record kept. nohup is honoured."""
    for number in INTERRUPTING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt; if the signal arrives during an import, wait a moment and try again.

    Python's import system loses an exception in some places, and with it a lock that all other threads then wait for.
    """
    if _is_importing(frame):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        return
    raise KeyboardInterrupt


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


@contextmanager
def shielded() -> Iterator[None]:
    """Ignore signals inside the block: a second Ctrl-C must not leave a process running. Stopping takes a second."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
