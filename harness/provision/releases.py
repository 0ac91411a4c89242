"""The catalogue of gunicorn releases: the Pythons they run on, the pins of their era, the shims they need.

The facts lie in ``releases.toml`` beside this module, which reads them and answers questions about them. It starts no
process and asks no index; ``interpreters`` and ``environments`` know what exists on this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from harness.core.frozen import dataclass
from harness.provision.specifiers import check_specifier, meets

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Minor: TypeAlias = tuple[int, int]
"""The first two numbers of a Python's version: (3, 6)."""

CATALOGUE_SCHEMA = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRow:
    """A final release and the day (UTC) on which it was uploaded to the package index."""

    version: str
    date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a row of the catalogue is about: releases (PEP 440), Pythons (PEP 440), workers (none named: all)."""

    releases: str
    python: str
    workers: tuple[str, ...]

    def covers(self, release: str | None, *, python: str | None = None, worker: str | None = None) -> bool:
        """Whether the row speaks of this release; an unknown release (None) is covered by rows for all of them."""
        if self.workers and worker not in self.workers:
            return False
        if python is not None and self.python and not meets(python.rstrip("+"), self.python):
            return False  # the sign says that it was built from later sources
        return not self.releases or meets(release, self.releases)


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLimit:
    """The oldest and the newest Python on which the releases of ``scope`` run, and why."""

    scope: Scope
    oldest: Minor | None
    newest: Minor | None
    reason: str
    era: tuple[str, ...] = ()  # the era shims with which it runs on a newer Python, too


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A requirement that is installed beside the releases of ``scope``, and why."""

    scope: Scope
    requirement: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shim:
    """A change to the world around the releases of ``scope`` without which they don't run here, and why."""

    scope: Scope
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EraShim:
    """Something that left Python and can be put back, for the Pythons and workers of ``scope``, and why.

    ``uses`` is the regular expression by which the source that needs it is recognised.
    """

    scope: Scope
    name: str
    uses: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A worker class that the releases of ``scope`` don't have, or that never worked in them, and why."""

    scope: Scope
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All rows, in the order of the file. The questions are the functions of this class; they are pure."""

    preferred_python: Minor
    released: tuple[ReleaseRow, ...]  # oldest first by date, which is not the order of the numbers
    limits: tuple[PythonLimit, ...]
    pins: tuple[Pin, ...]
    shims: tuple[Shim, ...]
    gaps: tuple[Gap, ...]
    era_shims: tuple[EraShim, ...] = ()

    def why_not(self, release: str | None, python: Minor, worker: str, *, shimmed: bool = False) -> str | None:
        """Why a release can't run on this Python with this worker; None where nothing is known against it.

        ``shimmed``: with era shims, which lift some of the limits.
        """
        for limit in self.limits:
            if not limit.scope.covers(release, worker=worker):
                continue
            too_old = limit.oldest is not None and python < limit.oldest
            too_new = limit.newest is not None and python > limit.newest and not (shimmed and limit.era)
            if too_old or too_new:
                return limit.reason
        return None

    def why_no_worker(self, release: str | None, worker: str) -> str | None:
        """Why a release can't run this worker class on any Python; None where nothing is known against it."""
        return next((gap.reason for gap in self.gaps if gap.scope.covers(release, worker=worker)), None)

    def requirements(self, release: str | None, python: str, worker: str) -> tuple[str, ...]:
        """The pins for a release on a Python (a full version such as "3.6.15") with a worker, sorted."""
        return tuple(
            sorted(pin.requirement for pin in self.pins if pin.scope.covers(release, python=python, worker=worker))
        )

    def shims_for(self, release: str | None) -> tuple[str, ...]:
        """The names of the shims that a release needs."""
        return tuple(shim.name for shim in self.shims if shim.scope.covers(release))

    def era_shims_for(self, release: str | None, python: str, worker: str) -> tuple[EraShim, ...]:
        """The era shims that may have a use on a Python (a full version such as "3.11.2") with a worker."""
        return tuple(shim for shim in self.era_shims if shim.scope.covers(release, python=python, worker=worker))


def parse_minor(text: str) -> Minor:
    """The first two numbers of a Python's version: "3.6.15" gives (3, 6).

    Raises:
        ValueError: the text is not of that form.
    """
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def parse_catalogue(text: str) -> Catalogue:
    """Read the catalogue from the text of ``releases.toml``.

    Raises:
        KeyError, ValueError: the text is not a catalogue of this schema.
    """
    data: Mapping[str, Any] = tomllib.loads(text)
    if data["schema"] != CATALOGUE_SCHEMA:
        raise ValueError(f"releases.toml has schema {data['schema']}, this harness reads {CATALOGUE_SCHEMA}")
    return Catalogue(
        preferred_python=parse_minor(data["preferred_python"]),
        released=tuple(ReleaseRow(version=version, date=day) for version, day in data["released"].items()),
        limits=tuple(_parse_limit(row) for row in data["python"]),
        pins=tuple(
            Pin(scope=_parse_scope(row), requirement=row["requirement"], reason=row["reason"]) for row in data["pin"]
        ),
        shims=tuple(Shim(scope=_parse_scope(row), name=row["name"], reason=row["reason"]) for row in data["shim"]),
        gaps=tuple(Gap(scope=_parse_scope(row), reason=row["reason"]) for row in data["gap"]),
        era_shims=tuple(
            EraShim(scope=_parse_scope(row), name=row["name"], uses=row["uses"], reason=row["reason"])
            for row in data["era"]
        ),
    )


@cache
def load_catalogue() -> Catalogue:
    """The catalogue that is packed with the harness; read once a process."""
    return parse_catalogue(Path(__file__).with_name("releases.toml").read_text(encoding="utf-8"))


def list_releases() -> tuple[ReleaseRow, ...]:
    """Every final release that the catalogue knows, oldest first by date; those of one day in the order of uploads."""
    return load_catalogue().released


def suggest_release(text: str) -> str:
    """What to name instead of a release that there is not: of those that are spelt alike, the one that begins alike."""
    import difflib

    near = difflib.get_close_matches(text, [row.version for row in list_releases()], n=5, cutoff=0.5)
    if not near:
        return ""
    best = max(near, key=lambda one: next(at for at in range(len(one), -1, -1) if text.startswith(one[:at])))
    return f"did you mean {best}?"


def _parse_scope(row: Mapping[str, Any]) -> Scope:
    return Scope(
        releases=check_specifier(row.get("releases", "")),
        python=check_specifier(row.get("python", "")),
        workers=tuple(row.get("workers", ())),
    )


def _parse_limit(row: Mapping[str, Any]) -> PythonLimit:
    return PythonLimit(
        scope=_parse_scope(row),
        oldest=parse_minor(row["oldest"]) if "oldest" in row else None,
        newest=parse_minor(row["newest"]) if "newest" in row else None,
        reason=row["reason"],
        era=tuple(row.get("era", ())),
    )
