"""Programs beside a run that use the machine: as many loops as asked for, ended with the block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LOOP = "import sys\nwhile sys.stdin is not None:\n    sum(range(10_000))"
WAIT_S = 10.0


@contextmanager
def run_loops(count: int) -> Iterator[None]:
    """``count`` processes that compute all the time."""
    loops = [subprocess.Popen([sys.executable, "-I", "-S", "-c", LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
        for loop in loops:
            loop.wait(WAIT_S)
