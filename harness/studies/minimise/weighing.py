"""Whether a case still shows the finding, where it may show only now and then: a sequential test of its runs. Pure.

Two things are weighed against each other: it shows nearly as often as in the case at the beginning, or hardly ever.
"""

from __future__ import annotations

from math import ceil, log

from harness.core.frozen import dataclass

ALMOST = 0.9
"""Of the rate at the beginning: a case in which it shows so often still shows it."""

HARDLY = 6.0
"""A case in which it shows so many times more seldom than that no longer does."""

MOST_OFTEN = 0.95
ON, SURE = 5.0, 19.0
"""The odds at which a smaller case is gone on with, because its successors are run as well, and at which it is sure."""

LONGEST = 10.0
"""Undecided after so many times the runs in which it is expected once, the case counts as what it looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """The runs of a case. ``failed``: those that were none, because it could not be run."""

    shown: int = 0
    absent: int = 0
    failed: int = 0

    @property
    def runs(self) -> int:
        """Those that said something."""
        return self.shown + self.absent


NOTHING = Sightings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """What a case is held to: how often the finding shows in the case at the beginning."""

    rate: float

    @property
    def longest(self) -> int:
        """After so many runs a case is decided in any case."""
        return ceil(LONGEST / self.rate)

    def weigh(self, tally: Sightings) -> float:
        """The logarithm of the odds that the case still shows it."""
        often = min(ALMOST * self.rate, MOST_OFTEN)
        seldom = often / HARDLY
        return tally.shown * log(often / seldom) + tally.absent * log((1 - often) / (1 - seldom))

    def fewest(self, odds: float) -> int:
        """In so few runs a case can be decided, if they all say the same."""
        gained, lost = self.weigh(Sightings(shown=1)), -self.weigh(Sightings(absent=1))
        return min(ceil(log(odds) / gained), ceil(log(SURE) / lost))

    def decide(self, tally: Sightings, odds: float) -> bool | None:
        """Whether the case still shows the finding; None where that takes more runs.

        ``odds``: how sure a yes must be; a no is always as sure as SURE, because nobody comes back to it.
        """
        if tally.failed > 1:
            return False
        weight = self.weigh(tally)
        if weight >= log(odds):
            return True
        if weight <= -log(SURE):
            return False
        return weight > 0 if tally.runs + tally.failed >= self.longest else None


STEADY = Standard(rate=1.0)
LEAST_SEEN, LEAST_RUNS, MOST_RUNS = 5, 3, 80


def knows_rate(tally: Sightings) -> bool:
    """Whether the case at the beginning was run often enough: three times, or until the finding was seen five times.

    In 80 runs without it, it shows in less than 4 % of them, and the search would take hours.
    """
    steady = tally.absent == 0 and tally.shown >= LEAST_RUNS
    return steady or tally.shown >= LEAST_SEEN or tally.runs + tally.failed >= MOST_RUNS or tally.failed > 1
