"""The accounts of one client's requests as compact tables, four bytes a request, filled from logs piece by piece."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.core.patterns import pattern
from harness.judge.ledger.endings import LedgerEntry

PIECE_BYTES = 1 << 18
MOST_CODES = 255
MOST = 15
"""A count of lines or notes of one request has four bits; more than so many are all the same."""

LINE = MOST + 1
NOTES = pattern(rb"^([wpd])(\d+) \d+(?: \S+)?(?: \d+)?$", re.MULTILINE)

Row = tuple[int, int, int, int]
"""The codes of what client, proxy and gunicorn say, and the runs."""

Written = Iterable[tuple[bytes, bytes, bytes]]
"""(what is said, client's letter, number), as ``parse_ledger`` of gunicorn and of the proxies gives them."""


class Codes(dict[bytes, int]):
    """Outcomes as small numbers, handed out as they come; 0 means that nothing is written."""

    def __missing__(self, outcome: bytes) -> int:
        code = min(len(self) + 1, MOST_CODES)
        self[outcome] = code
        return code

    def names(self) -> dict[int, str]:
        """The outcome of each number."""
        return {code: outcome.decode("ascii", "replace") for outcome, code in self.items()}


class Book:
    """One client's requests, by number."""

    def __init__(self, size: int, codes: Codes) -> None:
        self.codes = codes
        self.client = bytearray(size)
        self.proxy = bytearray(size)
        self.gunicorn = bytearray(size)
        self.runs = bytearray(size)  # notes in the lower four bits, lines of the access log in the upper

    def rows(self) -> Iterator[Row]:
        """What is written of each number, as codes; numbers that no client used are all zero."""
        return zip(self.client, self.proxy, self.gunicorn, self.runs, strict=True)

    def entry(self, row: Row, names: Mapping[int, str]) -> LedgerEntry:
        """A row in words."""
        client, proxy, gunicorn, runs = row
        return LedgerEntry(
            client=names.get(client),
            proxy=names.get(proxy),
            gunicorn=names.get(gunicorn),
            lines=runs // LINE,
            notes=runs % LINE,
        )


class Books:
    """The books of all clients, by their letter; ``strangers`` counts requests with a number that was not given out."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.codes = Codes()
        self.by_letter = {letter.encode(): Book(size, self.codes) for letter, size in sizes.items()}
        self.strangers: Counter[str] = Counter()

    def write_proxy(self, written: Written) -> int:
        """What the proxy logged; returns how many lines."""
        codes, tables = self.codes, {letter: book.proxy for letter, book in self.by_letter.items()}
        count = 0
        for said, letter, number in written:
            count += 1
            try:
                tables[letter][int(number)] = codes[said]
            except (IndexError, KeyError):
                self.strangers["proxy"] += 1
        return count

    def write_gunicorn(self, written: Written) -> int:
        """What gunicorn logged; returns how many lines."""
        codes = self.codes
        tables = {letter: (book.gunicorn, book.runs) for letter, book in self.by_letter.items()}
        count = 0
        for said, letter, number in written:
            count += 1
            try:
                statuses, runs = tables[letter]
                at = int(number)
                statuses[at] = codes[said]
                if runs[at] < MOST * LINE:
                    runs[at] += LINE
            except (IndexError, KeyError):
                self.strangers["gunicorn"] += 1
        return count

    def write_notes(self, noted: Iterable[tuple[bytes, bytes]]) -> None:
        """What the app noted when it began to run a request: (letter, number)."""
        tables = {letter: book.runs for letter, book in self.by_letter.items()}
        for letter, number in noted:
            runs, at = tables[letter], int(number)
            if at >= len(runs):
                self.strangers["app"] += 1
            elif runs[at] % LINE < MOST:
                runs[at] += 1


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces of whole lines, each about PIECE_BYTES long; nothing where there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as stream:
        rest = b""
        while piece := stream.read(PIECE_BYTES):
            whole, newline, rest = (rest + piece).rpartition(b"\n")
            if newline:
                yield whole + newline
        if rest:
            yield rest + b"\n"
