"""How often a finding shows at a state is unknown: the chances are integrated over all rates, with Beta priors."""

from __future__ import annotations

from functools import cache
from math import cos, exp, lgamma, log, pi, sin

from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """A distribution of rates: as if so many runs with and without the finding had been seen before."""

    shown: float
    absent: float

    def log_chance(self, shown: int, absent: int) -> float:
        """The logarithm of the chance to see these runs, in this order."""
        return _log_beta(self.shown + shown, self.absent + absent) - _log_beta(self.shown, self.absent)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)  # its identity is its hash, for the cache
class Prior:
    """What is thought of a rate before the first run: it is about equally likely to come from either distribution."""

    steady: Beta
    wavering: Beta

    def log_chance(self, shown: int, absent: int) -> float:
        """The logarithm of the chance to see these runs, in this order."""
        return _log_chance(self, shown, absent)

    def predict(self, shown: int, absent: int) -> float:
        """The chance that the next run shows the finding, after these."""
        return exp(self.log_chance(shown + 1, absent) - self.log_chance(shown, absent))


@cache
def _log_chance(prior: Prior, shown: int, absent: int) -> float:
    steady, wavering = prior.steady.log_chance(shown, absent), prior.wavering.log_chance(shown, absent)
    higher = max(steady, wavering)
    return higher + log((exp(steady - higher) + exp(wavering - higher)) / 2)


WITH_FINDING = Prior(steady=Beta(shown=10.0, absent=0.1), wavering=Beta(shown=1.0, absent=1.0))
"""Where the finding is: it shows in every run, or at any rate, with equal chances for either."""

WITHOUT_FINDING = Prior(steady=Beta(shown=0.1, absent=10.0), wavering=Beta(shown=0.5, absent=5.0))
"""Where it is not: nothing ever looks like it, or something does now and then."""

STEPS = 300


def chance_of_more(one: tuple[int, int], other: tuple[int, int]) -> float:
    """The chance that ``other`` has the higher rate, from what both showed (shown, absent).

    With Jeffreys' prior, Beta(1/2, 1/2), under which the angle whose squared sine is the rate is equally likely to be
    any, so that the integral over both rates becomes a sum over angles.
    """
    first, second = _spread(one), _spread(other)
    below = chance = 0.0
    for low, high in zip(first, second, strict=True):
        chance += high * (below + low / 2)
        below += low
    return chance


def _spread(counts: tuple[int, int]) -> list[float]:
    shown, absent = counts
    angles = [(step + 0.5) * pi / 2 / STEPS for step in range(STEPS)]
    logs = [2 * shown * log(sin(angle)) + 2 * absent * log(cos(angle)) for angle in angles]
    highest = max(logs)
    weights = [exp(value - highest) for value in logs]
    total = sum(weights)
    return [weight / total for weight in weights]


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
