"""Which commit brought or repaired a fault, where a bisection is stored: ``bisects.json``, made by ``make known``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.frozen import dataclass

FILE = Path(__file__).with_name("bisects.json")
SCHEMA = 1
INTRODUCED, PROVEN = "introduced", "proven"
SHORT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBisect:
    """One stored bisection. ``before``, ``after``: the releases next to the commit."""

    finding: str
    worker: str
    bind: str
    direction: str
    commit: str
    subject: str
    before: str
    after: str
    proof: str

    @property
    def is_introduction(self) -> bool:
        """Whether it brought the finding; else it repaired it."""
        return self.direction == INTRODUCED

    @property
    def said(self) -> str:
        """For a reader."""
        doubt = "" if self.proof == PROVEN else f" ({self.proof})"
        return f"{self.direction} by commit {self.commit[:SHORT]}{doubt}, between {self.before} and {self.after}"


@cache
def load_bisects() -> tuple[KnownBisect, ...]:
    """What is packed with the harness."""
    data = json.loads(FILE.read_bytes())
    if data["schema"] != SCHEMA:
        raise ValueError(f"bisects.json has schema {data['schema']}, this harness reads {SCHEMA}")
    return tuple(_parse(row) for row in data["bisects"])


def _parse(row: Mapping[str, Any]) -> KnownBisect:
    return KnownBisect(**{name: str(row[name]) for name in KnownBisect.__dataclass_fields__})


def find_bisects(
    finding: str, *, release: str, worker: str, bind: str, introduced: str = "", gone: str = ""
) -> list[KnownBisect]:
    """What is known of the fault that a release shows, the introduction first.

    ``introduced``, ``gone``: between which releases the same fault is there, as the table of causes says. A bisection
    speaks of it where it led to one of these, or has the release itself as an end. Nothing is concluded for others.
    """

    def speaks(one: KnownBisect) -> bool:
        if (one.finding, one.worker, one.bind) != (finding, worker, bind):
            return False
        return one.after in (introduced, release) if one.is_introduction else gone == one.after or release == one.before

    return sorted((one for one in load_bisects() if speaks(one)), key=lambda one: not one.is_introduction)
