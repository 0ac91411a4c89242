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
"""The variable that holds PREFIX; without it the requests carry no ids."""

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
        """Write down how a request ended."""
        self._stream.write(f"w{number} {outcome}\n")

    def close(self) -> None:
        """Write the rest to the file and close it."""
        self._stream.close()


def name_request(number: int) -> bytes:
    """The id as it is written in the header."""
    return b"w%d" % number


def close_accounts(prefix: str, last: Mapping[int, int]) -> None:
    """Write the account of the whole load: ``last`` is each process's highest id, below its first if it used none."""
    lines = [f"issued {process} {number}\n" for process, number in sorted(last.items())]
    Path(f"{prefix}.log").write_text("".join(lines), encoding="ascii")
