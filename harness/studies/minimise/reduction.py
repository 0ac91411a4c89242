"""Makes a case smaller, step by step, as long as it still shows the finding. Pure: an oracle says whether it does.

Changes are tried all together, then in halves, down to single ones (delta debugging). Numbers that can't be taken to
their least value are narrowed by halving. The libraries that do such a thing ask once, and trust the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from harness.core.frozen import dataclass

T = TypeVar("T")
Case_contra = TypeVar("Case_contra", contravariant=True)


class Shows(Protocol[Case_contra]):
    """Whether a case still shows the finding."""

    def __call__(self, case: Case_contra, /) -> bool:
        """True where it does; where it can't be run, it does not."""


Change = Callable[[T], T | None]
"""Makes a case smaller; gives it back as it is where there is nothing to do, and None where no such case can be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reductions(Generic[T]):
    """What is tried, in this order. ``narrow``: of each number, the values from the least one up to the present one."""

    lowest: Sequence[Change[T]]  # each number to its least value
    together: Sequence[Change[T]]  # what is left out, and is likely to do nothing
    narrow: Sequence[Callable[[T], Sequence[T]]]
    alone: Sequence[Change[T]]  # what is left out, and is likely to matter


def reduce_case(
    case: T, reductions: Reductions[T], shows: Shows[T], *, prepare: Callable[[Sequence[T]], None] = lambda _cases: None
) -> T:
    """The smallest case that was found. ``prepare``: gets the cases that are likely to be asked for next."""
    case = reduce_together(case, reductions.lowest, shows)
    case = reduce_together(case, reductions.together, shows)
    for list_values in reductions.narrow:
        case = find_least(list_values(case), shows, case)
    prepare([one for one in (change(case) for change in reductions.alone) if one is not None and one != case])
    for change in reductions.alone:
        case = reduce_together(case, [change], shows)
    return case


def reduce_together(case: T, changes: Sequence[Change[T]], shows: Shows[T], *, fails: bool = False) -> T:
    """The case after as many of the changes as it takes. ``fails``: all together are known to be too many."""
    if not changes:
        return case
    smaller = apply_all(case, changes)
    if smaller == case:
        return case
    if not fails and smaller is not None and shows(smaller):
        return smaller
    if len(changes) == 1:
        return case
    middle = len(changes) // 2
    first = reduce_together(case, changes[:middle], shows)
    took_all = first == apply_all(case, changes[:middle])
    return reduce_together(first, changes[middle:], shows, fails=took_all)


def apply_all(case: T, changes: Sequence[Change[T]]) -> T | None:
    """The case after all of the changes; None where it can't be run."""
    found: T | None = case
    for change in changes:
        found = None if found is None else change(found)
    return found


def find_least(values: Sequence[T], shows: Shows[T], case: T) -> T:
    """The first of the values, the least first, from which on they show it, by halving; else the case itself."""
    if not values or shows(values[0]):
        return values[0] if values else case
    low, high = 1, len(values)
    while low < high:
        middle = (low + high) // 2
        if shows(values[middle]):
            high = middle
        else:
            low = middle + 1
    return values[low] if low < len(values) else case
