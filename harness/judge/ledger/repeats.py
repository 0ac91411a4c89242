"""Which requests the app ran more than once for one attempt: not those that a proxy sent again.

A proxy sends a request again on another connection, so two notes of one request on one connection of one worker are
one attempt that was run twice. Where the connections are not known, only a client without a proxy between can tell.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from harness.core.patterns import pattern
from harness.judge.ledger.books import LINE, Books, read_pieces

UNKNOWN = b"-"
"""Stands in a note for the connection, where the worker class does not hand it out."""

MOST_EXAMINED = 50_000
"""Of the requests that were run more than once; more of them tell nothing more."""

_NOTE = pattern(rb"^([wpd]\d+) (\d+) (\S+)(?: \d+)?$", re.MULTILINE)


def find_repeated(notes: Path, books: Books, *, unproxied: Collection[str]) -> list[str]:
    """The ids of the requests that were run more than once in one attempt, in the order of their notes.

    ``unproxied``: the letters of the clients without a proxy, each of whose requests is one attempt.
    """
    suspects = set(_list_repeated(books))
    seen: Counter[tuple[bytes, bytes, bytes]] = Counter()
    if suspects:
        for piece in read_pieces(notes):
            seen.update((name, pid, connection) for name, pid, connection in _NOTE.findall(piece) if name in suspects)
    alone = {letter.encode() for letter in unproxied}
    runs = Counter(name for (name, _, _), count in seen.items() for _ in range(count))
    found = {name for (name, _, connection), count in seen.items() if count > 1 and connection != UNKNOWN}
    found |= {name for name, count in runs.items() if count > 1 and name[:1] in alone}
    return [name.decode() for name in runs if name in found]


def _list_repeated(books: Books) -> Iterator[bytes]:
    """At most MOST_EXAMINED ids that were noted more than once."""
    left = MOST_EXAMINED
    for letter, book in books.by_letter.items():
        for number, runs in enumerate(book.runs):
            if runs % LINE > 1:
                yield letter + b"%d" % number
                left -= 1
                if left == 0:
                    return
