"""How probable it is of each change that it is the one, after what the runs so far have shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import exp, log

from harness.studies.bisect.history import History, list_bits
from harness.studies.bisect.rates import Prior

NEGLIGIBLE = 1e-300


@dataclass(slots=True, kw_only=True)
class Posterior:
    """Counts of runs with and without the finding, all in all and, for each change, at the states that contain it.

    ``before`` and ``after`` are the priors of the rates at the states without and with the change.
    """

    history: History
    before: Prior
    after: Prior
    shown: int = 0
    absent: int = 0
    shown_with: list[int] = field(default_factory=list)
    absent_with: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown_with = self.shown_with or [0] * len(self.history)
        self.absent_with = self.absent_with or [0] * len(self.history)

    def copy(self) -> Posterior:
        """One that can be added to without changing this one."""
        return replace(self, shown_with=list(self.shown_with), absent_with=list(self.absent_with))

    def add(self, state: int, *, shown: bool) -> None:
        """Take one run of a state into account."""
        if shown:
            self.shown += 1
        else:
            self.absent += 1
        counts = self.shown_with if shown else self.absent_with
        for change in list_bits(self.history.contained(state)):
            counts[change] += 1

    def wavers(self, change: int) -> bool:
        """Whether runs on one side of a change have contradicted each other."""
        shown, absent = self.shown_with[change], self.absent_with[change]
        return bool((shown and absent) or (self.shown - shown and self.absent - absent))

    def weigh(self) -> list[float]:
        """The probability of each change; they sum to 1."""
        counts = list(zip(self.shown_with, self.absent_with, strict=True))
        logs = {  # the changes between two states that were run have the same counts
            (shown, absent): self.after.log_chance(shown, absent)
            + self.before.log_chance(self.shown - shown, self.absent - absent)
            for shown, absent in set(counts)
        }
        highest = max(logs.values())
        weights = {count: exp(value - highest) for count, value in logs.items()}
        total = sum(weights[count] for count in counts)
        return [weights[count] / total for count in counts]

    def expect_gains(self, weights: list[float]) -> tuple[list[float], float]:
        """By how much one run of each state, and one of the old end, is expected to lower the entropy (in nats)."""
        counts = list(zip(self.shown_with, self.absent_with, strict=True))
        rates = {
            (shown, absent): (
                self.after.predict(shown, absent),
                self.before.predict(self.shown - shown, self.absent - absent),
            )
            for shown, absent in set(counts)
        }
        shown_after, shown_before = ([rates[count][side] for count in counts] for side in (0, 1))
        now = -sum(weight * _log(weight) for weight in weights)
        left, left_at_old = [0.0] * len(weights), 0.0
        for rates_after, rates_before in (
            (shown_after, shown_before),
            ([1 - rate for rate in shown_after], [1 - rate for rate in shown_before]),
        ):
            with_change = [weight * rate for weight, rate in zip(weights, rates_after, strict=True)]
            without = [weight * rate for weight, rate in zip(weights, rates_before, strict=True)]
            mixed = [a - b for a, b in zip(with_change, without, strict=True)]
            spread_with, spread_without = [v * _log(v) for v in with_change], [v * _log(v) for v in without]
            spread = [a - b for a, b in zip(spread_with, spread_without, strict=True)]
            total, total_spread = sum(without), sum(spread_without)
            sums, spreads = self.history.sum_within(mixed), self.history.sum_within(spread)
            for state, (mass, part) in enumerate(zip(sums, spreads, strict=True)):
                chance = total + mass
                left[state] += chance * _log(chance) - (total_spread + part)
            left_at_old += total * _log(total) - total_spread
        return [now - one for one in left], now - left_at_old


def _log(value: float) -> float:
    return log(value) if value > NEGLIGIBLE else 0.0
