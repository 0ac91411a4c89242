"""The releases between two, in the order in which they came from each other, which is not that of numbers or days.

19.10.0 came out after 20.0.0 and goes back to 19.9.0, as 20.0.0 does: a release comes from the highest number below its
own that was out by then.
"""

from __future__ import annotations

from collections.abc import Sequence

from packaging.version import Version

from harness.core.frozen import dataclass
from harness.provision.releases import ReleaseRow


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLine:
    """From the older end to the newer one, both included. ``swapped``: the caller named the newer one first."""

    releases: tuple[str, ...]
    swapped: bool


def find_line(one: str, other: str, known: Sequence[ReleaseRow]) -> ReleaseLine | None:
    """The releases between two; None where neither comes from the other, or one of them is unknown."""
    for old, new, swapped in ((one, other, False), (other, one, True)):
        ancestors = _list_ancestors(new, known)
        if old in ancestors and old != new:
            return ReleaseLine(releases=tuple(ancestors[ancestors.index(old) :]), swapped=swapped)
    return None


def _list_ancestors(version: str, known: Sequence[ReleaseRow]) -> list[str]:
    """What a release comes from, the oldest first, and itself."""
    places = {row.version: place for place, row in enumerate(known)}
    found: list[str] = []
    current: str | None = version if version in places else None
    while current is not None:
        found.append(current)
        earlier = [row.version for row in known[: places[current]] if Version(row.version) < Version(current)]
        current = max(earlier, key=Version, default=None)
    return found[::-1]
