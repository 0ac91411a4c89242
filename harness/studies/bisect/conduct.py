"""Drives a search to its end: first the two ends, then one state after the other.

What runs a state is behind a Protocol: real runs and simulated ones use the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from harness.core.frozen import dataclass
from harness.studies.bisect.history import OLD_END, History
from harness.studies.bisect.rates import chance_of_more
from harness.studies.bisect.search import Direction, Search, Standing
from harness.studies.sightings.signs import Sign

LEAST_RUNS = 2
MOST_RUNS = 80
"""At each end. A finding that shows in 9 % of the runs is not seen once in 80 of them in one case of two thousand."""

MOST_RUNS_SEEN = 200
"""At each end, where only one has shown it: to be sure takes three sightings. At 9 %, one search in fifty has fewer
after 80 runs, and one in a hundred thousand after 200; at 5 %, one in four hundred."""

SURE = 0.95
"""Whoever asks says that the ends differ, so it is enough to be so sure which of them has the higher rate."""


class Oracle(Protocol):
    """Runs states."""

    def run(self, states: Sequence[int]) -> Sequence[Sign]:
        """Run each of these states once; what each run said, in the same order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """What both ends showed: (runs with the finding, without it). ``direction``: None where they are alike."""

    old: tuple[int, int]
    new: tuple[int, int]
    direction: Direction | None


def judge_ends(old: tuple[int, int], new: tuple[int, int]) -> Direction | None:
    """What came about between the ends; None as long as chance explains their runs as well."""
    if min(sum(old), sum(new)) < LEAST_RUNS:
        return None
    chance = chance_of_more(old, new)
    if max(chance, 1 - chance) < SURE:
        return None
    return Direction.INTRODUCED if chance > SURE else Direction.REPAIRED


def compare_ends(oracle: Oracle, history: History) -> Ends:
    """Run both ends until it is known which has the finding, or until there is no hope for it."""
    counts = {OLD_END: [0, 0], history.new_end: [0, 0]}
    for done in range(MOST_RUNS_SEEN):
        states = (OLD_END, history.new_end)
        for state, sign in zip(states, oracle.run(states), strict=True):
            if sign in (Sign.SHOWN, Sign.ABSENT):
                counts[state][sign is Sign.ABSENT] += 1
        old, new = ((shown, absent) for shown, absent in counts.values())
        direction = judge_ends(old, new)
        if direction is not None or (done >= LEAST_RUNS and not (sum(old) and sum(new))):
            break
        if done + 1 >= MOST_RUNS and bool(old[0]) == bool(new[0]):
            break
    return Ends(old=old, new=new, direction=direction)


def start_search(history: History, ends: Ends, direction: Direction, confidence: float) -> Search:
    """A search that knows the runs of the ends."""
    search = Search(history=history, direction=direction, confidence=confidence)
    for state, (shown, absent) in ((OLD_END, ends.old), (history.new_end, ends.new)):
        for sign, count in ((Sign.SHOWN, shown), (Sign.ABSENT, absent)):
            for _ in range(count):
                search.tell(state, sign)
    return search


def conduct(
    search: Search,
    oracle: Oracle,
    *,
    budget: int,
    jobs: int = 1,
    watch: Callable[[list[int], Standing], None] = lambda _states, _standing: None,
) -> Standing:
    """Run states until one change has the confidence, or no further run would help, or the budget is used up."""
    standing = search.stand()
    while budget > 0 and not (standing.found or standing.stuck):
        states = search.choose(min(jobs, budget))
        if not states:
            break
        budget -= len(states)
        for state, sign in zip(states, oracle.run(states), strict=True):
            search.tell(state, sign)
        standing = search.stand()
        watch(states, standing)
    return standing
