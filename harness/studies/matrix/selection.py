"""From what the user names to the cells of a matrix: ranges of releases, worker classes, proxies, shards.

Pure text and types. Whether a release exists in the index or a path on the disk isn't known here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from packaging.version import InvalidVersion, Version

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.patterns import pattern
from harness.provision.releases import ReleaseRow

ALL = "all"
LATEST = "latest"
OLDEST_OF_ALL = "0.16"
"""Where ``all`` begins: the oldest releases that install on a Python 3; the thread worker came with 19.0."""

FORMS = "19.6.0, 19.0..20.1, 26.., latest, all, a path, or git+file:///path@rev; several with commas between"
_NUMBER = r"[0-9][0-9A-Za-z]*(?:\.[0-9A-Za-z]+)*"
_RANGE = pattern(rf"(?P<first>{_NUMBER})?\.\.(?P<last>{_NUMBER})?")

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of ``of`` parts that together are the whole; ``number`` counts from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def select_versions(text: str, known: Sequence[ReleaseRow]) -> tuple[str, ...]:
    """The SPECs that ``text`` names, each once: releases in the order of their numbers, then all others as named.

    Raises:
        UsageError: nothing named, an end of a range is no version, or a range without a release in it.
    """
    named = [part.strip() for part in text.split(",") if part.strip()]
    if not named:
        raise UsageError(what=f"--versions {text!r} names no release.", remedy=f"Name {FORMS}.")
    specs = dict.fromkeys(spec for part in named for spec in _expand(part, known))
    releases = sorted((spec for spec in specs if _version(spec)), key=Version)
    return (*releases, *(spec for spec in specs if not _version(spec)))


def select_names(text: str, known: Sequence[str], option: str) -> tuple[str, ...]:
    """The names in ``text`` (``all``: every known one), in the order of ``known``.

    Raises:
        UsageError: a name is unknown, or there is none.
    """
    named = {part.strip() for part in text.split(",") if part.strip()}
    if named == {ALL}:
        return tuple(known)
    unknown = sorted(named - set(known))
    if unknown or not named:
        wrong = f"{', '.join(unknown)} is unknown" if unknown else "nothing is named"
        near = [close for name in unknown for close in difflib.get_close_matches(name, known, n=1)]
        wrong += f" (did you mean {', '.join(near)}?)" if near else ""
        raise UsageError(
            what=f"{option} {text!r}: {wrong}.", remedy=f"Name {', '.join(known)}, several with commas between, or all."
        )
    return tuple(name for name in known if name in named)


def parse_shard(text: str) -> Shard:
    """Parse a shard such as ``2/4``.

    Raises:
        ValueError: the text is no shard.
    """
    found = re.fullmatch(r"([0-9]{1,4})/([0-9]{1,4})", text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ValueError(f"{text!r} is no shard: the second of four is 2/4")
    return Shard(number=int(found[1]), of=int(found[2]))


def take_shard(cells: Iterable[T], shard: Shard | None, *, spec_of: Callable[[T], str]) -> tuple[T, ...]:
    """The cells of one shard. All cells of a release go together, because they share environments.

    Releases are dealt out in turn, so that old and new ones, which take different times, are spread.
    """
    everything = tuple(cells)
    if shard is None:
        return everything
    order = {spec: place for place, spec in enumerate(dict.fromkeys(spec_of(cell) for cell in everything))}
    return tuple(cell for cell in everything if order[spec_of(cell)] % shard.of == shard.number - 1)


def _expand(part: str, known: Sequence[ReleaseRow]) -> list[str]:
    if part == ALL:
        return _between(f"{OLDEST_OF_ALL}..", OLDEST_OF_ALL, None, known)
    if part == "..":
        raise UsageError(what="The range .. has no end.", remedy="Name at least one, or say all.")
    ends = _RANGE.fullmatch(part)
    if ends is None:
        return [part]
    return _between(part, ends["first"], ends["last"], known)


def _between(text: str, first: str | None, last: str | None, known: Sequence[ReleaseRow]) -> list[str]:
    """The known releases from ``first`` to ``last``, both included: 20.0 begins with 20.0.0, and 20.0.4 ends 20.0."""
    low, high = _end(text, first), _end(text, last)
    chosen = [row.version for row in known if _is_between(Version(row.version), low, high)]
    if not chosen:
        oldest, newest = (pick((Version(row.version) for row in known), default=None) for pick in (min, max))
        raise UsageError(
            what=f"No known release lies in {text}.",
            remedy=f"Known are those from {oldest} to {newest}, both included.",
        )
    return chosen


def _is_between(version: Version, low: Version | None, high: Version | None) -> bool:
    if low is not None and version < low:
        return False
    return high is None or version <= high or version.release[: len(high.release)] == high.release


def _end(text: str, number: str | None) -> Version | None:
    if number is None:
        return None
    version = _version(number)
    if version is None:
        raise UsageError(what=f"The range {text} has the end {number!r}, which is no release.", remedy=f"Name {FORMS}.")
    return version


def _version(spec: str) -> Version | None:
    try:
        return Version(spec)
    except InvalidVersion:
        return None
