"""Which profile can't show which finding, and which one is taken instead: measured, and kept in ``profiles.toml``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.model import Cell
from harness.engine.options import DEFAULTS, PROFILES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BlindSpot:
    """One row: ``profile`` does not show ``findings`` of these worker classes; ``origin`` is the measurement."""

    profile: str
    workers: tuple[str, ...]
    findings: tuple[str, ...]
    instead: str
    origin: str


@cache
def load_blind_spots() -> tuple[BlindSpot, ...]:
    """The rows of the packed file; read once a process."""
    return parse_blind_spots(Path(__file__).with_name("profiles.toml").read_text(encoding="utf-8"))


def parse_blind_spots(text: str) -> tuple[BlindSpot, ...]:
    """The rows from the text of the file.

    Raises:
        KeyError, ValueError: the text has another form.
    """
    data: Mapping[str, Any] = tomllib.loads(text)
    if data["schema"] != SCHEMA:
        raise ValueError(f"profiles.toml has schema {data['schema']}, this harness reads {SCHEMA}")
    return tuple(
        BlindSpot(
            profile=row["profile"],
            workers=tuple(row["workers"]),
            findings=tuple(row["findings"]),
            instead=row["instead"],
            origin=" ".join(row["origin"].split()),
        )
        for row in data["blind"]
    )


def choose_profile(profile: str, worker: str) -> str:
    """The profile with which a cell of this worker class is run where ``profile`` is asked for: one that can see."""
    spots = (spot for spot in load_blind_spots() if spot.profile == profile and worker in spot.workers)
    return next((spot.instead for spot in spots), profile)


def find_blind(cell: Cell) -> tuple[str, ...]:
    """The findings that a cell with these settings can't show."""
    blind = [spot for spot in load_blind_spots() if cell.worker in spot.workers and _is_of_profile(cell, spot.profile)]
    return tuple(dict.fromkeys(finding for spot in blind for finding in spot.findings))


def _is_of_profile(cell: Cell, profile: str) -> bool:
    """Whether the cell has all the settings by which the profile differs from the original report's."""
    wanted = PROFILES[profile]
    names = [field.name for field in fields(Cell) if getattr(wanted, field.name) != getattr(DEFAULTS, field.name)]
    return all(getattr(cell, name) == getattr(wanted, name) for name in names)
