"""How a command is interrupted: which signals end it, and when that has to wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
"""The signals that end a run; the last one is that of our timer, for one that came at a bad moment."""

AGAIN_S = 0.01


def hear_signals() -> None:
    """TERM and HUP end a run as Ctrl-C does: everything is stopped and the record kept. nohup is honoured."""
    for number in INTERRUPTING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """A signal; where it meets an import it comes back in a moment.

    Python's own import loses an exception in some places, and with it the lock for which every other thread then waits.
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
    """Ctrl-C has been heard; a second one must not leave anything running. Bounded: stopping takes a second at most."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
