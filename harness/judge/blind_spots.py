"""Which settings can't show which finding: measured, and kept in ``blind_spots.toml``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.frozen import dataclass
from harness.core.model import Cell

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCHEMA = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """One row: with ``at_most`` these settings these worker classes don't show ``findings``; ``origin`` tells how seen.

    ``instead``: the profile that shows them.
    """

    workers: tuple[str, ...]
    findings: tuple[str, ...]
    at_most: Mapping[str, int]
    instead: str
    origin: str

    def covers(self, cell: Cell) -> bool:
        """Whether a run with the cell's settings can't show the findings."""
        return cell.worker in self.workers and all(getattr(cell, name) <= most for name, most in self.at_most.items())


@cache
def load_blind_spots() -> tuple[BlindSpot, ...]:
    """What settings can't show, from the packed file; read once a process."""
    return parse_blind_spots(_read(), "blind")


@cache
def load_seldom_seen() -> tuple[BlindSpot, ...]:
    """What settings show seldom: no verdict heeds it, but nothing is called safe by such runs alone."""
    return parse_blind_spots(_read(), "seldom")


def _read() -> str:
    return Path(__file__).with_name("blind_spots.toml").read_text(encoding="utf-8")


def parse_blind_spots(text: str, kind: str = "blind") -> tuple[BlindSpot, ...]:
    """The rows of a kind (``blind``, ``seldom``) from the text of the file.

    Raises:
        KeyError, ValueError: the text has another form.
    """
    data: Mapping[str, Any] = tomllib.loads(text)
    if data["schema"] != SCHEMA:
        raise ValueError(f"blind_spots.toml has schema {data['schema']}, this harness reads {SCHEMA}")
    return tuple(
        BlindSpot(
            workers=tuple(row["workers"]),
            findings=tuple(row["findings"]),
            at_most=dict(row["at_most"]),
            instead=row["instead"],
            origin=" ".join(row["origin"].split()),
        )
        for row in data[kind]
    )


def list_unseen(cell: Cell) -> tuple[str, ...]:
    """The findings that a run with these settings can't show."""
    return tuple(dict.fromkeys(finding for spot in _list_covering(cell) for finding in spot.findings))


def list_seldom_seen(worker: str, settings: Mapping[str, object]) -> tuple[str, ...]:
    """The findings that runs with these settings of a worker class show seldom; ``settings`` are keys of a cell."""
    return tuple(
        finding
        for spot in load_seldom_seen()
        if worker in spot.workers and all(_is_at_most(settings.get(key), most) for key, most in spot.at_most.items())
        for finding in spot.findings
    )


def _is_at_most(value: object, most: int) -> bool:
    return isinstance(value, int) and value <= most


def describe_unseen_findings(cell: Cell) -> list[str]:
    """Why a run with these settings that showed nothing can't say that all holds: a line a row that covers them."""
    return [
        f"these settings don't show {' and '.join(spot.findings)} of the {cell.worker} worker: "
        f"take --profile {spot.instead}"
        for spot in _list_covering(cell)
    ]


def _list_covering(cell: Cell) -> list[BlindSpot]:
    return [spot for spot in load_blind_spots() if spot.covers(cell)]
