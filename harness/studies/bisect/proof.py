"""Is the change that was found the cause? Taken back at the new end, and put on the old end, it must show.

Pure: an examination asks for runs, and is told what they said.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import Enum
from math import exp
from typing import TypeAlias

from harness.core.frozen import dataclass
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


Examination: TypeAlias = Generator[list[str], Sequence[Sign], ProofPart]
"""Yields the specs of the next runs, and gets what each of them said."""


def run_together(examinations: Sequence[Examination], run: Callable[[list[str]], Sequence[Sign]]) -> list[ProofPart]:
    """What the examinations found; the runs that they need next are made side by side."""
    steps = [_go_on(one, None) for one in examinations]
    while any(isinstance(step, list) for step in steps):
        answers = iter(run([spec for step in steps if isinstance(step, list) for spec in step]))
        for place, step in enumerate(steps):
            if isinstance(step, list):
                steps[place] = _go_on(examinations[place], [next(answers) for _ in step])
    return [step for step in steps if isinstance(step, ProofPart)]


def _go_on(examination: Examination, signs: Sequence[Sign] | None) -> list[str] | ProofPart:
    """What it asks for next, or what it found."""
    try:
        return next(examination) if signs is None else examination.send(signs)
    except StopIteration as end:
        part: ProofPart = end.value
        return part


def examine_patched(spec: str, rates: Rates, *, like_after: bool, done: str) -> Examination:
    """Run a patched state until it is clear which end it is like. ``like_after``: which one is expected."""
    shown = absent = silent = 0
    while shown + absent < MOST_RUNS and silent < MOST_SILENT:
        signs = yield [spec] * max(LEAST_RUNS - shown - absent - silent, 1)
        shown, absent = shown + signs.count(Sign.SHOWN), absent + signs.count(Sign.ABSENT)
        if Sign.UNRUNNABLE in signs:
            return ProofPart(verdict=PartVerdict.UNTESTABLE, done=f"{done}: it does not start")
        silent += signs.count(Sign.SILENT)
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
