"""Other searches on the same simulated histories: plain bisection with n repeats; git_bayesect, if it is installed."""

from __future__ import annotations

from importlib import import_module
from math import comb
from typing import Protocol

from harness.studies.bisect.history import OLD_END, History
from harness.studies.sightings.signs import Sign


class Runs(Protocol):
    """See ``bisection.SimulatedRuns``."""

    history: History
    change: int
    dead: frozenset[int]
    runs: int

    def run(self, states: list[int]) -> list[Sign]:
        """See ``conduct.Oracle``."""


def bisect_plainly(oracle: Runs, repeats: int, least: int) -> bool:
    """What `git bisect run` does with a script that repeats n times; ``least`` runs with the finding are bad.

    A state that can't be run is skipped.
    """
    low, high = OLD_END, oracle.history.new_end  # low is without the finding, high has it
    while True:
        open_states = [state for state in range(low + 1, high) if state not in oracle.dead]
        if not open_states:
            return low < oracle.change <= high
        middle = (low + high) // 2
        state = min(open_states, key=lambda one: abs(one - middle))
        shown = sum(sign is Sign.SHOWN for sign in oracle.run([state] * repeats))
        low, high = (low, state) if shown >= least else (state, high)


def repeats_for(rates: tuple[float, float], changes: int, confidence: float) -> tuple[int, int]:
    """The fewest repeats with which plain bisection is right so often, and how many must show the finding."""
    steps = max(changes - 1, 1).bit_length()
    choices = ((n, least) for n in range(1, MOST_REPEATS) for least in range(1, n // 2 + 2))
    return next((n, least) for n, least in choices if _plain_success(rates, steps, n, least) >= confidence)


MOST_REPEATS = 200


def _plain_success(rates: tuple[float, float], steps: int, repeats: int, least: int) -> float:
    """Half of the steps are taken at states with the finding, half at states without."""
    found, mistaken = (_chance_of_at_least(least, repeats, rate) for rate in rates)
    return float((found * (1 - mistaken)) ** (steps / 2))


def _chance_of_at_least(least: int, repeats: int, rate: float) -> float:
    return 1 - sum(comb(repeats, k) * rate**k * (1 - rate) ** (repeats - k) for k in range(least))


def bisect_with_git_bayesect(oracle: Runs, confidence: float) -> bool:
    """What `git bayesect run` does: it runs the state that it selects until one commit has the confidence.

    It knows nothing of states that can't be run: it would take them for ones without the finding.

    Raises:
        ImportError: it is not installed.
    """
    oldest = oracle.history.new_end + 1  # its commits are numbered from the new end to the old one, both included
    bisector = import_module("git_bayesect").Bisector([1.0] * (oldest + 1))
    while bisector.distribution.max() < confidence and oracle.runs < MOST_RUNS:
        index = bisector.select()
        (sign,) = oracle.run([OLD_END if index == oldest else oracle.history.new_end - index])
        bisector.record(index, sign is Sign.SHOWN)
    return int(bisector.distribution.argmax()) == oracle.history.new_end - oracle.change


MOST_RUNS = 5000
