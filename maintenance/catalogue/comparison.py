"""The catalogue's list beside the index's: what is new, gone or dated otherwise; and the list as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.provision.releases import ReleaseRow

TABLE = "[released]\n"
"""The line of ``releases.toml`` below which the list stands, up to the next empty line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Versions: ``new`` ones the catalogue never heard of, ``gone`` from the index, ``moved``: of another date."""

    new: tuple[str, ...]
    gone: tuple[str, ...]
    moved: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.gone or self.moved)


def compare(known: Sequence[ReleaseRow], found: Sequence[ReleaseRow]) -> Difference:
    """What differs, each in the order of its list; a list in another order differs in ``moved``."""
    dates, fresh = ({row.version: row.date for row in rows} for rows in (known, found))
    both = [version for version in dates if version in fresh]
    order = [version for version in fresh if version in dates]
    pairs = zip(both, order, strict=True)
    swapped = {version for version, other in pairs if version != other}
    return Difference(
        new=tuple(version for version in fresh if version not in dates),
        gone=tuple(version for version in dates if version not in fresh),
        moved=tuple(version for version in both if version in swapped or dates[version] != fresh[version]),
    )


def replace_list(text: str, rows: Sequence[ReleaseRow]) -> str:
    """The text of ``releases.toml`` with these rows as its list; ValueError where it has no such table."""
    head, table, tail = text.partition(TABLE)
    if not table:
        raise ValueError(f"releases.toml has no line {TABLE.strip()}")
    _, gap, rest = tail.partition("\n\n")
    return head + table + "".join(f'"{row.version}" = {row.date.isoformat()}\n' for row in rows) + gap[1:] + rest
