"""The httpx load's own account of its requests: which id each carried and how it ended, in the form of wrk's script.

``PREFIX-N.log`` by process N, and ``PREFIX.log`` at the end:

    w12 200          how request w12 ended: a status, or one of ``model.CLIENT_ERRORS``; the last line of an id counts
    @ 4711 12        from this tenth of a second of CLOCK_MONOTONIC on, ids of this process are 12 or higher
    issued 3 123     process 3 gave out ids up to 123, each one stride after the one before; the stride is the processes
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.core.clock import now_ns

LEDGER_VARIABLE = "RECYCLE_HARNESS_LEDGER"
"""Holds PREFIX; without it the requests carry no ids."""

NS_PER_MARK = 100_000_000
BUFFER_BYTES = 1 << 16


class Account:
    """One process's part. Its ids are ``first``, ``first + stride``, ..."""

    def __init__(self, prefix: str, *, first: int, stride: int) -> None:
        self._stride = stride
        self._mark = 0
        self.last = first - stride
        path = Path(f"{prefix}-{first}.log")
        self._stream = path.open("w", buffering=BUFFER_BYTES, encoding="ascii")

    def issue(self) -> int:
        """The number of a request that is about to be sent."""
        self.last += self._stride
        mark = now_ns() // NS_PER_MARK
        if mark != self._mark:
            self._mark = mark
            self._stream.write(f"@ {mark} {self.last}\n")
        return self.last

    def note(self, number: int, outcome: str) -> None:
        """How a request ended."""
        self._stream.write(f"w{number} {outcome}\n")

    def close(self) -> None:
        """Everything is in the file afterwards."""
        self._stream.close()


def name_request(number: int) -> bytes:
    """The id as it stands in the header."""
    return b"w%d" % number


def close_accounts(prefix: str, last: Mapping[int, int]) -> None:
    """The account of the whole: ``last`` is the highest id of each process, below its first where it gave out none."""
    lines = [f"issued {process} {number}\n" for process, number in sorted(last.items())]
    Path(f"{prefix}.log").write_text("".join(lines), encoding="ascii")
