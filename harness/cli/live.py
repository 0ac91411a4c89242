"""The live line on standard error during a run; it is not shown where that is no terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

REFRESH_S = 0.1


@contextmanager
def live_line() -> Iterator[Callable[[str], None]]:
    """Yield ``say``: each text replaces the one before, at most every REFRESH_S; the line is removed at the end."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console

    with Console(stderr=True).status("preparing") as status:
        last_s = 0.0

        def say(text: str) -> None:
            nonlocal last_s
            now_s = time.monotonic()
            if now_s - last_s >= REFRESH_S:
                last_s = now_s
                status.update(text)

        yield say
