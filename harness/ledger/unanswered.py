"""Settles what wrk does not say: whose answer came without an id, whose connection failed, what was under way.

It names only the answers that came with an id.
What is known for each of its threads bounds all three: how many answers of each status had no id, which ids were given
out and when, and that a connection has one request under way at a time. What the servers wrote tells the rest.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from harness.ledger.account import Thread
from harness.ledger.books import Book
from harness.ledger.fates import CUT, LOST
from harness.model import is_failure

HUNG_NS = 2_000_000_000
"""A request that was under way for so long when the load ended was not being answered; as the prober's time-out."""

_NOTHING = re.compile(rb"\0")


@dataclass(slots=True, kw_only=True)
class _Missing:
    """One thread's requests of which neither an answer is known nor presumed, oldest first."""

    thread: Thread
    closed: list[int] = field(default_factory=list)
    open: list[int] = field(default_factory=list)


def settle(book: Book, threads: list[Thread], *, connections: int, closed: int, ended_ns: int, proxied: bool) -> int:
    """Write an outcome for each request that has none; returns how many answers can't be anybody's.

    ``connections`` of one thread; ``closed``: how many of all connections failed, as the load counted them.
    """
    missing, nobodys = [], Counter[str]()
    for thread in threads:
        rest, left = _presume(book, thread, proxied=proxied)
        nobodys += left
        under_way = min(len(rest), connections)
        split = len(rest) - under_way
        missing.append(_Missing(thread=thread, closed=rest[:split], open=rest[split:]))
    spare = _mark_closed(book, missing, closed)
    _mark_open(book, missing, ended_ns, spare)
    return nobodys.total()


def _presume(book: Book, thread: Thread, *, proxied: bool) -> tuple[list[int], Counter[str]]:
    """Give the answers without id to requests, the oldest first; returns who got none, and what is left.

    An answer goes to a request for which the server next to the client logged the same status; a failure that is still
    left then goes to one of which that server wrote nothing.
    """
    witness = book.proxy if proxied else book.gunicorn
    left = Counter({book.codes[status.encode()]: count for status, count in thread.anonymous.items()})
    rest: list[int] = []
    for number in _unsettled(book, thread):
        said = witness[number]
        if said and left[said] > 0:
            left[said] -= 1
            book.client[number] = said
        else:
            rest.append(number)
    names = book.codes.names()
    failures = [code for code, count in left.items() if is_failure(names[code]) for _ in range(count)]
    unwitnessed = [number for number in rest if not witness[number]]
    for number, code in zip(unwitnessed, failures, strict=False):
        book.client[number] = code
        left[code] -= 1
    settled = set(unwitnessed[: len(failures)])
    return [number for number in rest if number not in settled], Counter(
        {names[code]: count for code, count in left.items() if count}
    )


def _unsettled(book: Book, thread: Thread) -> Iterator[int]:
    """The thread's ids without an outcome, oldest first."""
    outcomes = bytes(book.client[thread.first : thread.last + 1 : thread.stride])
    for found in _NOTHING.finditer(outcomes):
        yield thread.first + found.start() * thread.stride


def _mark_closed(book: Book, missing: list[_Missing], closed: int) -> int:
    """Every request beyond one for each connection has lost its own; returns how many failures are left over."""
    for one in missing:
        for number in one.closed:
            book.client[number] = book.codes[b"closed" if closed > 0 else LOST.encode()]
            closed -= 1
    return max(closed, 0)


def _mark_open(book: Book, missing: list[_Missing], ended_ns: int, failures: int) -> None:
    """The youngest were under way; an old one hung, unless a failed connection may account for it."""
    for one in missing:
        for number in one.open:
            issued_ns = one.thread.issued_ns(number)
            if issued_ns is None or ended_ns - issued_ns < HUNG_NS:
                book.client[number] = book.codes[CUT.encode()]
            elif failures > 0:
                book.client[number] = book.codes[b"closed"]
                failures -= 1
            else:
                book.client[number] = book.codes[b"timeout"]
