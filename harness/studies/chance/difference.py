"""Whether two rates differ: a test that may be looked at after every run, whoever decides which side is run next.

The evidence against one common rate is a likelihood ratio. Above it stands the probability of the runs if each side
has a rate of its own, averaged over all rates; below it their probability under the one rate that fits both sides
best. If the rates are equal, the probability that this ratio *ever* reaches 20 is at most 1/20 (Ville's inequality),
so that 1 / evidence is a p-value at any moment, not only after a number of runs that was fixed before.

A side counts a number between 0 and 1 for each run: 1 where a finding was seen, or the share of a run's restarts at
which something was lost. For such shares the same ratio is an upper bound, whatever their distribution (by the
inequality of the weighted means), and since the unit is the run, failures may cluster within a run as they like.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp, inf, log, log1p

from harness.core.frozen import dataclass
from harness.studies.chance.beta import log_beta

EXTREME = 0.25
"""The weight of "never" and of "in every run" beforehand, each: most faults are there or are not."""

MOST_RUNS = 100_000
"""No forecast goes beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSample:
    """One side: the sum over its runs, how many there are, and how many more could not show it either way."""

    seen: float
    runs: int
    hidden: int = 0

    @property
    def rate(self) -> float:
        """The share of the runs that could show it."""
        return self.seen / self.runs if self.runs else 0.0


def p_value(one: RunSample, other: RunSample) -> float:
    """How surprising the two samples are if their rates are equal; 1 where they say nothing.

    A hidden run could have gone either way: it counts against the difference.
    """
    low, high = sorted((one, other), key=lambda sample: sample.rate)
    low = RunSample(seen=low.seen + low.hidden, runs=low.runs + low.hidden)
    high = RunSample(seen=high.seen, runs=high.runs + high.hidden)
    if low.rate >= high.rate:
        return 1.0
    return min(1.0, exp(-min(log_evidence(low, high), 700.0)))


def log_evidence(one: RunSample, other: RunSample) -> float:
    """The logarithm of the evidence that the two rates differ; 0 says nothing."""
    seen, runs = one.seen + other.seen, one.runs + other.runs
    return _log_average(one) + _log_average(other) - _log_likelihood(seen, runs)


def count_lacking(one: RunSample, other: RunSample, wanted: float) -> int | None:
    """How many more runs *of each side* bring the p-value down to ``wanted``, if they go on as before.

    None where no number would: the rates that were seen are equal, or differ by too little.
    """
    if not one.runs or not other.runs or one.rate == other.rate:
        return None

    def enough(more: int) -> bool:
        return p_value(_extend(one, more), _extend(other, more)) <= wanted

    return find_smallest(enough, MOST_RUNS)


def find_smallest(enough: Callable[[int], bool], most: int) -> int | None:
    """The smallest number for which ``enough``, which is true from some number on; None beyond ``most``."""
    high = 1
    if enough(0):
        return 0
    while not enough(high):
        high *= 2
        if high > most:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def correct(p_values: Sequence[float], tested: int) -> tuple[float, ...]:
    """The p-values corrected for ``tested`` comparisons by the method of Holm, in the order given.

    Claims at these p-values are all true with the same confidence together. ``tested`` may be more than are given: the
    others are those that say nothing.
    """
    corrected, largest = [1.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, p_values[index] * (tested - place)))
        corrected[index] = largest
    return tuple(corrected)


def _extend(sample: RunSample, more: int) -> RunSample:
    """As it goes on with the same rate; hidden runs come as often as before, too."""
    total = sample.runs + sample.hidden
    grown = (total + more) / total
    return replace(
        sample, seen=sample.seen * grown, runs=round(sample.runs * grown), hidden=round(sample.hidden * grown)
    )


def _log_average(sample: RunSample) -> float:
    """The logarithm of the sample's probability, averaged over all rates: half of it Jeffreys' prior."""
    seen, missed = sample.seen, sample.runs - sample.seen
    terms = [log(1 - 2 * EXTREME) + log_beta(seen + 0.5, missed + 0.5) - log_beta(0.5, 0.5)]
    terms += [log(EXTREME)] if seen == 0 else []
    terms += [log(EXTREME)] if missed == 0 else []
    largest = max(terms)
    return largest + log(sum(exp(term - largest) for term in terms))


def _log_likelihood(seen: float, runs: int) -> float:
    """The logarithm of the sample's probability under the rate that fits it best."""
    if not 0 < seen < runs:
        return 0.0
    share = seen / runs
    return seen * log(share) + (runs - seen) * (log1p(-share) if share < 1 else -inf)
