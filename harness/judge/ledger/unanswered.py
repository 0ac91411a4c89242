"""Settles what wrk does not say: whose answer came without an id, whose connection failed, what was under way.

It names only the answers that came with an id. What is known for each of its threads bounds the rest: how many answers
of each status had no id, which ids were given out and when, and that a connection has one request under way at a time.
What the server next to the client wrote tells which is which; where it can't, the numbers are right all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from harness.core.frozen import dataclass
from harness.core.model import is_failure
from harness.core.patterns import pattern
from harness.judge.ledger.books import Book
from harness.judge.ledger.endings import CUT, LOST
from harness.judge.ledger.load_account import Thread

HUNG_NS = 2_000_000_000
"""A request that was under way for so long when the load ended was not being answered; as the prober's time-out."""

JUST_NS = 500_000_000
"""What was sent so shortly before the last request may still have been on its way back when the load ended."""

_NOTHING = pattern(rb"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What is known of the load as a whole."""

    connections: int  # of one thread
    closed: int  # how many of all connections failed, as the load counted them
    ended_ns: int
    last_sent_ns: int  # a busy load takes its time from the last request to its end
    proxied: bool  # the server next to the client is the proxy
    gaps: bool  # and does not log each failure

    def witness(self, book: Book) -> bytearray:
        """What the server next to the client wrote."""
        return book.proxy if self.proxied else book.gunicorn


def settle(book: Book, threads: list[Thread], bounds: Bounds) -> int:
    """Write an outcome for each request that has none; returns how many answers belong to no request."""
    nobodys, lost, under_way = 0, [], []
    for thread in threads:
        _retract(book, thread, bounds)
        rest, left = _presume(book, thread, bounds)
        nobodys += left
        rest.sort(key=lambda number: _likely_under_way(book, thread, bounds, number))
        split = max(0, len(rest) - bounds.connections)
        lost += rest[:split]
        under_way += [(number, thread) for number in rest[split:]]
    _write_lost(book, lost, bounds.closed)
    _write_under_way(book, under_way, bounds, spare=max(0, bounds.closed - len(lost)))
    return nobodys


def _retract(book: Book, thread: Thread, bounds: Bounds) -> None:
    """Count an answer as one without id where the server next to the client says otherwise.

    wrk keeps the headers of an answer that broke off: the next one on that connection, a proxy's own 502, then seems to
    carry the id of the request that was cut short.
    """
    names = book.codes.names()
    written = range(thread.first, thread.end, thread.stride)
    pairs = [bytes(table[thread.first : thread.end : thread.stride]) for table in (book.client, bounds.witness(book))]
    wrong = {
        (client, witness)
        for client, witness in set(zip(*pairs, strict=True))
        if client and client != witness and (witness or is_failure(names[client]))
    }
    if not wrong or not thread.by_echo:
        return
    for number, pair in zip(written, zip(*pairs, strict=True), strict=True):
        if pair in wrong:
            thread.anonymous[names[pair[0]]] += 1
            book.client[number] = 0


def _presume(book: Book, thread: Thread, bounds: Bounds) -> tuple[list[int], int]:
    """Give the answers without id to requests, the oldest first; returns who got none, and how many are left.

    An answer goes to a request for which the server next to the client logged the same status, and, where that one
    does not log everything, a failure also to one of which it logged nothing.
    """
    witness = bounds.witness(book)
    left = Counter({book.codes[status.encode()]: count for status, count in thread.anonymous.items()})
    failures = [book.codes[status.encode()] for status in thread.anonymous if is_failure(status)] if bounds.gaps else []
    rest = []
    for number in _unsettled(book, thread):
        code = witness[number] or next((code for code in failures if left[code]), 0)
        if left[code]:
            left[code] -= 1
            book.client[number] = code
        else:
            rest.append(number)
    return rest, left.total()


def _unsettled(book: Book, thread: Thread) -> Iterator[int]:
    """The thread's ids without an outcome, oldest first."""
    outcomes = bytes(book.client[thread.first : thread.end : thread.stride])
    for found in _NOTHING.finditer(outcomes):
        yield thread.first + found.start() * thread.stride


def _likely_under_way(book: Book, thread: Thread, bounds: Bounds, number: int) -> tuple[bool, bool, int]:
    """The greater, the likelier: what a server was at work on just before the end was for a client that then left."""
    served = bool(bounds.witness(book)[number] or book.runs[number])
    just = _is_younger(thread, number, bounds.last_sent_ns - JUST_NS)
    return not _is_old(thread, bounds, number), served and just, number


def _is_old(thread: Thread, bounds: Bounds, number: int) -> bool:
    return not _is_younger(thread, number, bounds.ended_ns - HUNG_NS)


def _is_younger(thread: Thread, number: int, since_ns: int) -> bool:
    issued_ns = thread.issued_ns(number)
    return issued_ns is None or issued_ns > since_ns


def _write_lost(book: Book, lost: list[int], closed: int) -> None:
    """Every request beyond one for each connection has lost its connection, if so many did fail."""
    for number in lost[:closed]:
        book.client[number] = book.codes[b"closed"]
    for number in lost[closed:]:
        book.client[number] = book.codes[LOST.encode()]


def _write_under_way(book: Book, under_way: list[tuple[int, Thread]], bounds: Bounds, *, spare: int) -> None:
    """What was sent just before the end was under way; older ones hung, unless a failed connection may be theirs."""
    old = [number for number, thread in under_way if _is_old(thread, bounds, number)]
    for number, _ in under_way:
        book.client[number] = book.codes[CUT.encode()]
    for number in old[:spare]:
        book.client[number] = book.codes[b"closed"]
    for number in old[spare:]:
        book.client[number] = book.codes[b"timeout"]
