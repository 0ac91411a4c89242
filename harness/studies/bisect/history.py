"""The changes between two ends, and which of them each state contains: a line of releases, or a graph of commits.

A change is numbered by its place, parents first; the state after change ``n`` has the same number. The old end, which
contains none of the changes, is ``OLD_END``; the last state contains all of them and is the new end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from harness.core.frozen import dataclass

OLD_END = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """``parents``: of each change, those among the changes; a state contains what its parents contain, and itself."""

    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    within: tuple[int, ...] = field(init=False)  # of each state, the changes that it contains, a bit each

    def __post_init__(self) -> None:
        within: list[int] = []
        for place, parents in enumerate(self.parents):
            mask = 1 << place
            for parent in parents:
                mask |= within[parent]
            within.append(mask)
        object.__setattr__(self, "within", tuple(within))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def new_end(self) -> int:
        """The state that contains every change."""
        return len(self.names) - 1

    def contained(self, state: int) -> int:
        """The changes that a state contains, a bit each."""
        return 0 if state == OLD_END else self.within[state]

    def sum_within(self, values: Sequence[float]) -> list[float]:
        """For each state, the sum of the values of the changes that it contains."""
        sums: list[float] = []
        for place, parents in enumerate(self.parents):
            if len(parents) > 1:
                sums.append(sum(values[one] for one in list_bits(self.within[place])))
            else:
                sums.append(values[place] + (sums[parents[0]] if parents else 0.0))
        return sums


def make_line(names: Sequence[str]) -> History:
    """A history in which each change follows the one before."""
    return History(names=tuple(names), parents=tuple(() if n == 0 else (n - 1,) for n in range(len(names))))


def list_bits(mask: int) -> Iterator[int]:
    """The places of the bits that are set, the lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
