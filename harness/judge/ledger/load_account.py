"""The load's own account: which ids it gave out, when, and how the requests ended, as far as it says.

Its files are ``PREFIX.log`` and one ``PREFIX-N.log`` a thread, in the format that ``fixtures/load/wrk.lua`` names. A
load that knows how each request ended writes that instead of a status: one of ``model.CLIENT_ERRORS``, or ``cut`` for
what was under way when it ended.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Set
from pathlib import Path

from harness.core.errors import SurroundingsError
from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.judge.ledger.books import Book, Row, read_pieces
from harness.stack.load.account import NS_PER_MARK

PREFIX = "ledger.load"
_ENDED = pattern(rb"^w(\d+) (\w+)$", re.MULTILINE)
_MARK = pattern(rb"^@ (\d+) (\d+)$", re.MULTILINE)
_ISSUED = pattern(r"^issued (\d+) (-?\d+)$", re.MULTILINE)
_ANONYMOUS = pattern(r"^anonymous (\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """What one thread of the load gave out: ``first``, ``first + stride``, ... up to ``last``; below it: nothing."""

    first: int
    last: int
    stride: int
    by_echo: bool  # it knows a request's answer only by the id that the server sent back
    anonymous: Counter[str]  # answers without an id, by status
    marks: list[tuple[int, int]]  # (the first id, since when in tenths of a second), ascending

    @property
    def end(self) -> int:
        """One more than the highest id; 0 where none was given out."""
        return max(0, self.last + 1)

    @property
    def marked_ns(self) -> int:
        """The last time at which it is known to have sent a request, to a tenth of a second."""
        return self.marks[-1][1] * NS_PER_MARK if self.marks else 0

    def issued_ns(self, number: int) -> int | None:
        """When an id was given out, to a tenth of a second; None where that was not written down."""
        at = bisect_right(self.marks, number, key=lambda mark: mark[0])
        return self.marks[at - 1][1] * NS_PER_MARK if at else None


def read_threads(logs: Path) -> list[Thread]:
    """The threads of the load, without marks; SurroundingsError where the load did not live to write its account."""
    path = logs / f"{PREFIX}.log"
    if not path.exists():
        raise SurroundingsError(
            what="The load wrote no account of its requests.", remedy="Read its log; or leave the ledger out.", log=path
        )
    text = path.read_text("ascii", "replace")
    anonymous = [(int(thread), status, int(count)) for thread, status, count in _ANONYMOUS.findall(text)]
    rows = [(int(thread), int(last)) for thread, last in _ISSUED.findall(text)]
    return [
        Thread(
            first=first,
            last=last,
            stride=len(rows),
            by_echo=any(thread == first for thread, _, _ in anonymous),
            anonymous=Counter({status: count for thread, status, count in anonymous if thread == first and count}),
            marks=[],
        )
        for first, last in rows
    ]


def read_outcomes(logs: Path, threads: list[Thread], book: Book) -> int:
    """Write into the book how the requests ended, and into the threads their marks; returns answers to no request."""
    codes, table, size, strangers = book.codes, book.client, len(book.client), 0
    for thread in threads:
        for piece in read_pieces(logs / f"{PREFIX}-{thread.first}.log"):
            thread.marks.extend((int(number), int(at)) for at, number in _MARK.findall(piece))
            for number, outcome in _ENDED.findall(piece):
                at = int(number)
                if at < size:
                    table[at] = codes[outcome]
                else:
                    strangers += 1
    return strangers


def count_by_tenth(threads: list[Thread], book: Book, rows: Set[Row]) -> list[tuple[int, int]]:
    """When the requests were sent whose row is one of ``rows``: (begin of a tenth of a second, how many), ascending.

    What was sent before the first mark of its thread is left out.
    """
    by_first = {thread.first: thread for thread in threads}
    numbers = (number for number, row in enumerate(book.rows()) if row in rows) if rows else ()
    sent = (by_first[number % len(threads)].issued_ns(number) for number in numbers)
    return sorted(Counter(at_ns for at_ns in sent if at_ns is not None).items())
