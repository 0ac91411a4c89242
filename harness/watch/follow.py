"""Follows growing files: hands over whole lines with the time of their arrival, a bounded piece at a time.

Files and not pipes: a slow reader must never be able to stop the server under test.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from harness.core.clock import now_ns

PIECE_BYTES = 1 << 20
MAX_LINE_BYTES = 1 << 16

TAIL_BYTES = 1 << 16

Handler = Callable[[bytes, int], None]
"""Gets whole lines (each with its newline) and the time at which they were read."""


def read_tail(path: Path) -> str:
    """The last TAIL_BYTES of a log, for an error message; "" where there is no such file."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return stream.read().decode("utf-8", "replace")


@dataclass(slots=True)
class _Tail:
    path: Path
    handler: Handler
    file: BinaryIO | None = None
    rest: bytes = b""

    def read(self) -> bool:
        """Hand over what is new; True where there may be more."""
        if self.file is None:
            if not self.path.exists():
                return False
            self.file = self.path.open("rb", buffering=0)
        piece = self.file.read(PIECE_BYTES) or b""
        at_ns = now_ns()
        if not piece:
            return False
        whole, newline, rest = (self.rest + piece).rpartition(b"\n")
        self.rest = rest
        if newline:
            self.handler(whole + newline, at_ns)
        if len(self.rest) > MAX_LINE_BYTES:  # a line without end would otherwise be kept for ever
            self.handler(self.rest + b"\n", at_ns)
            self.rest = b""
        return len(piece) == PIECE_BYTES

    def close(self) -> None:
        """Hand over a last line without newline, and let go of the file."""
        while self.read():
            pass
        if self.rest:
            self.handler(self.rest + b"\n", now_ns())
        if self.file is not None:
            self.file.close()


class Follower:
    """Follows several files in one thread, each looked at every ``period_s``."""

    def __init__(self, handlers: dict[Path, Handler], period_s: float) -> None:
        self._tails = [_Tail(path, handler) for path, handler in handlers.items()]
        self._period_s = period_s
        self._reading = threading.Lock()

    def loop(self, stop: threading.Event) -> None:
        """Read until told to stop, then read to the end of each file."""
        while not stop.is_set():
            if not self.look():
                stop.wait(self._period_s)
        with self._reading:
            for tail in self._tails:
                tail.close()

    def look(self) -> bool:
        """Hand over what is new in each file now, also from another thread; True where there may be more."""
        with self._reading:
            busy = [tail.read() for tail in self._tails]
        return any(busy)
