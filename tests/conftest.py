"""What holds for the tests of all folders."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from harness.core.signals import INTERRUPTING, hear_signals

HANDLED = (*INTERRUPTING, signal.SIGALRM)

# A shell starts what it puts into the background with Ctrl-C ignored, and every program that a test starts would, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A command that a test calls listens for signals, and keeps what it heard: neither is left to the next test."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    if any(signal.getsignal(number) is not handler for number, handler in before.items()):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # so that listening begins anew, with nothing heard
        hear_signals()
        for number, handler in before.items():
            signal.signal(number, handler)
