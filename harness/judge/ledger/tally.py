"""Counts the endings of all requests, and picks a few of each as examples. Rows that are alike are decided once."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from harness.core.model import Json
from harness.judge.ledger.books import Book, Row, read_pieces
from harness.judge.ledger.disagreements import find_disagreement
from harness.judge.ledger.endings import CUT, FAILED, Ending, LedgerEntry, Witnesses, decide

LETTERS: Mapping[str, str] = {"load": "w", "probe-proxy": "p", "probe-direct": "d"}
"""The clients, and the letter with which their ids begin."""

EXAMPLES = 3
"""So many of each ending are named."""

_NOBODY: Row = (0, 0, 0, 0)


@dataclass(slots=True)
class Tally:
    """The sums so far, client by client."""

    by_client: dict[str, Counter[str]] = field(default_factory=dict)
    failed: dict[str, set[Row]] = field(default_factory=dict)
    examples: defaultdict[Ending, list[dict[str, Json]]] = field(default_factory=lambda: defaultdict(list))
    unlogged: int = 0
    gaps: int = 0
    disagreements: Counter[str] = field(default_factory=Counter)

    def count(self, client: str, book: Book, witnesses: Witnesses) -> None:
        """Add the requests of one client."""
        names = book.codes.names()
        rows = Counter(book.rows())
        rows.pop(_NOBODY, None)
        decided = {row: decide(book.entry(row, names), witnesses) for row in rows}
        self.failed[client] = {row for row, (ending, _) in decided.items() if ending in FAILED}
        endings: Counter[str] = Counter()
        for row, count in rows.items():
            endings[decided[row][0].value] += count
            entry = book.entry(row, names)
            if witnesses.logged and entry.notes > entry.lines and entry.client != CUT:
                self.unlogged += count
            if witnesses.gaps and entry.proxy is None and (entry.client or "").isdigit():
                self.gaps += count
            self.disagreements[find_disagreement(entry, witnesses)] += count
        if endings:
            self.by_client[client] = endings
            self._pick(LETTERS[client], book, decided)

    def _pick(self, letter: str, book: Book, decided: Mapping[Row, tuple[Ending, str]]) -> None:
        """The first requests of each ending but ANSWERED, as they are written."""
        names = book.codes.names()
        wanted = {row: said for row, said in decided.items() if said[0] is not Ending.ANSWERED}
        for number, row in enumerate(book.rows()):
            if row not in wanted:
                continue
            ending, why = wanted[row]
            if len(self.examples[ending]) < EXAMPLES:
                self.examples[ending].append(_example(f"{letter}{number}", book.entry(row, names), why))
            else:
                wanted = {row: said for row, said in wanted.items() if said[0] is not ending}
                if not wanted:
                    return

    def name_workers(self, notes: Path) -> None:
        """Say of each example which workers ran it, by the app's notes."""
        run = {cast(str, one["id"]): one for chosen in self.examples.values() for one in chosen if one["runs"]}
        for name, pid in _noted_pids(notes, run) if run else ():
            cast("list[Json]", run[name].setdefault("workers", [])).append(pid)

    def sum_up(self, *, unattributed: int) -> dict[str, int]:
        """All clients' endings. ``unattributed``: answers and log lines that belong to no request: unexplained, too."""
        total: Counter[str] = sum(self.by_client.values(), Counter())
        requests = total.total()
        total[Ending.UNEXPLAINED.value] += unattributed
        return {"requests": requests, **{ending.value: total[ending.value] for ending in Ending}}


def _example(name: str, entry: LedgerEntry, why: str) -> dict[str, Json]:
    said: dict[str, Json] = {"id": name, "client": entry.client, "proxy": entry.proxy, "gunicorn": entry.gunicorn}
    return said | {"runs": entry.runs} | ({"why": why} if why else {})


def _noted_pids(notes: Path, names: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    pattern = re.compile(rb"^(%s) (\d+)(?: \S+)?(?: \d+)?$" % b"|".join(name.encode() for name in names), re.MULTILINE)
    for piece in read_pieces(notes):
        for name, pid in pattern.findall(piece):
            yield name.decode(), int(pid)
