"""Is the change that was found the cause? Taken back at the new end, and put on the old end, it must show.

Pure but for the runs, which are behind a Protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import exp

from harness.studies.bisect.rates import Prior
from harness.studies.sightings.signs import Sign

LEAST_RUNS = 3
MOST_RUNS = 60
MOST_SILENT = 3
ODDS = 19.0
"""So much better one end must explain what the patched state showed than the other end does."""


class PartVerdict(str, Enum):
    """What one of the two experiments said."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNDECIDED = "undecided"
    UNTESTABLE = "not testable"


class ProofVerdict(str, Enum):
    """What both together say."""

    PROVEN = "proven"
    HALF = "half proven"
    REFUTED = "not proven"
    UNTESTABLE = "not testable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPart:
    """One experiment: what was done, what it says, and from which runs."""

    verdict: PartVerdict
    done: str
    shown: int = 0
    absent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The runs of the states without and with the change (shown, absent), and what was thought of each before."""

    before: tuple[int, int]
    after: tuple[int, int]
    priors: tuple[Prior, Prior]

    def odds_of_after(self, shown: int, absent: int) -> float:
        """How much better the states with the change explain these runs than those without it."""
        chances = [
            prior.log_chance(seen[0] + shown, seen[1] + absent) - prior.log_chance(*seen)
            for prior, seen in zip(self.priors, (self.before, self.after), strict=True)
        ]
        return exp(max(-700.0, min(chances[1] - chances[0], 700.0)))


def examine_patched(run: Callable[[], Sign], rates: Rates, *, like_after: bool, done: str) -> ProofPart:
    """Run a patched state until it is clear which end it is like. ``like_after``: which one is expected."""
    shown = absent = silent = 0
    while shown + absent < MOST_RUNS and silent < MOST_SILENT:
        sign = run()
        shown, absent = shown + (sign is Sign.SHOWN), absent + (sign is Sign.ABSENT)
        if sign is Sign.UNRUNNABLE:
            return ProofPart(verdict=PartVerdict.UNTESTABLE, done=f"{done}: it does not start")
        silent += sign is Sign.SILENT
        odds = rates.odds_of_after(shown, absent)
        if shown + absent >= LEAST_RUNS and max(odds, 1 / odds) >= ODDS:
            verdict = PartVerdict.CONFIRMED if (odds > 1) == like_after else PartVerdict.CONTRADICTED
            return ProofPart(verdict=verdict, done=done, shown=shown, absent=absent)
    verdict = PartVerdict.UNDECIDED if shown + absent else PartVerdict.UNTESTABLE
    said = done if shown + absent else f"{done}: its runs say nothing about the finding"
    return ProofPart(verdict=verdict, done=said, shown=shown, absent=absent)


def combine_parts(revert: ProofPart, transplant: ProofPart) -> ProofVerdict:
    """Both confirmed is a proof; one that contradicts undoes the other."""
    verdicts = (revert.verdict, transplant.verdict)
    if PartVerdict.CONTRADICTED in verdicts:
        return ProofVerdict.REFUTED
    confirmed = verdicts.count(PartVerdict.CONFIRMED)
    if confirmed == len(verdicts):
        return ProofVerdict.PROVEN
    if confirmed:
        return ProofVerdict.HALF
    return ProofVerdict.REFUTED if PartVerdict.UNDECIDED in verdicts else ProofVerdict.UNTESTABLE
