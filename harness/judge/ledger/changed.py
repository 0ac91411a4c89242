"""Requests that were changed on their way: a client asks for the same all the time, so the app gets the same.

What a client first asked for, as the app got it, is the measure: a proxy may rewrite a request, but always in one way.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.core.patterns import pattern
from harness.judge.ledger.books import read_pieces

_ASKED = pattern(rb"^=([wpd]) (\d+) (\S.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """Another request than the one that the client sends (``asked``) was run by the app in ``pid`` (``run``)."""

    asked: str
    run: str
    pid: int

    def to_json(self) -> Json:
        """For the event."""
        return asdict(self)


def find_changed(notes: Path, *, of: Collection[str]) -> list[Changed] | None:
    """Each change that the app noted, in the order of the notes; None where it notes nothing of this kind.

    ``of``: the letters of the clients that are looked at.
    """
    first: dict[str, str] = {}
    found = []
    for piece in read_pieces(notes):
        for letter, pid, said in _ASKED.findall(piece):
            run = said.decode("ascii", "replace")
            asked = first.setdefault(letter.decode(), run)
            if run != asked and letter.decode() in of:
                found.append(Changed(asked=asked, run=run, pid=int(pid)))
    return found if first else None
