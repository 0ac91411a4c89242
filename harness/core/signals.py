"""Signals that interrupt a command: kept as a flag, which the command looks at where an interruption does no harm.

A signal handler that raises would do so at any line: inside a lock of the standard library, between a start and the
note of it, halfway through a file. So the handler only notes the signal, ``check`` raises KeyboardInterrupt once, and
every wait of the harness calls it. Where nothing has looked for ``GRACE_S`` (a library blocks), the handler raises
after all. A signal is never lost: ``was_heard`` tells of it when the command ends.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType

INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that end a command in order."""

GRACE_S = 1.0
AGAIN_S = 0.02


class _State:
    """Of the process: whether a signal was heard and raised, and how deep ``shielded`` is nested.

    No dataclass: this module is the first that a command loads, and that import would take as long as all others here.
    """

    def __init__(self) -> None:
        self.heard = False
        self.raised = False
        self.shields = 0
        self.grace_s = GRACE_S


_state = _State()


def hear_signals(*, grace_s: float = GRACE_S) -> None:
    """Listen from now on: INT, TERM and HUP end the command in order. nohup is honoured; a second call changes nothing.

    ``grace_s``: how long a signal waits for ``check`` before it is raised wherever the command is.
    """
    if _is_listening():
        return
    _state.heard, _state.raised, _state.grace_s = False, False, grace_s
    signal.signal(signal.SIGALRM, _raise_late)
    for number in INTERRUPTING:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)


def check() -> None:
    """Raise KeyboardInterrupt if a signal was heard; once, and never inside ``shielded`` or in another thread."""
    if _state.heard and not _state.raised and not _state.shields and _is_main():
        _state.raised = True
        # Else it rings when the interpreter has given up its handlers, and kills the process that ends in order.
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise KeyboardInterrupt


def was_heard() -> bool:
    """Whether a signal came since ``hear_signals``, even if it was never raised."""
    return _state.heard


def pause(pause_s: float) -> None:
    """Sleep, and ``check`` before and after; meant for pauses of less than a second."""
    check()
    time.sleep(pause_s)
    check()


@contextmanager
def shielded() -> Iterator[None]:
    """Keep signals back until the end of the block: what is being stopped or stored is stopped or stored whole.

    Without ``hear_signals`` (under pytest) the signals are delivered again at the end of the block.
    """
    if not _is_main():
        yield
        return
    _state.shields += 1
    try:
        with nullcontext() if _is_listening() else _delivered_later():
            yield
    finally:
        _state.shields -= 1


@contextmanager
def _delivered_later() -> Iterator[None]:
    kept: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        kept.append(number)

    before = {number: signal.signal(number, keep) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in dict.fromkeys(kept):
            signal.raise_signal(late)


def _is_listening() -> bool:
    return signal.getsignal(signal.SIGTERM) is _note


def _note(_number: int, _frame: FrameType | None) -> None:
    if not _state.heard:
        _state.heard = True
        signal.setitimer(signal.ITIMER_REAL, _state.grace_s)


def _raise_late(_number: int, frame: FrameType | None) -> None:
    """Raise for a signal that ``check`` has not met in time; while raising is not allowed, try again a moment later."""
    if _state.raised or not _state.heard:
        return
    if _state.shields or _is_importing(frame):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        return
    check()


def _is_importing(frame: FrameType | None) -> bool:
    """Python's import system loses an exception in some places, and with it a lock that all other threads wait for."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()
