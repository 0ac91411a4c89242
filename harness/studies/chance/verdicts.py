"""Whether a cell shows a finding: Wald's sequential test, which may be looked at after every run.

It tells rates of ``OFTEN`` and more from rates of ``SELDOM`` and less. Either answer is wrong with a probability of at
most 1 - sure, however often one looks and whenever one stops; rates in between get one of the two, and take longest.
"""

from __future__ import annotations

from enum import Enum
from math import log

from harness.studies.chance.difference import find_smallest

SELDOM = 0.05
OFTEN = 0.5
_ROUNDING = 1e-9
_MOST_RUNS = 10_000


class Decision(str, Enum):
    """What the runs so far say of one finding."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    OPEN = "open"


def decide(seen: int, runs: int, *, sure: float) -> Decision:
    """The answer after ``runs`` runs that could show the finding, ``seen`` of which did."""
    evidence = seen * log(OFTEN / SELDOM) + (runs - seen) * log((1 - OFTEN) / (1 - SELDOM))
    bound = -log(1 - sure) - _ROUNDING
    if evidence >= bound:
        return Decision.SHOWN
    return Decision.NOT_SHOWN if evidence <= -bound else Decision.OPEN


def count_lacking_runs(seen: int, runs: int, *, sure: float) -> int:
    """How many more runs settle it, if they go on as those before did: 0 where it is settled, or else at least 1."""
    if decide(seen, runs, sure=sure) is not Decision.OPEN:
        return 0
    rate = seen / runs if runs else 0.0

    def settled(more: int) -> bool:
        return decide(seen + round(rate * more), runs + more, sure=sure) is not Decision.OPEN

    return find_smallest(settled, _MOST_RUNS) or _MOST_RUNS
