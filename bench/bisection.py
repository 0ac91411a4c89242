"""How many runs the search of `harness bisect` needs on simulated histories, beside plain bisection with n repeats.

    python -m bench.bisection [--histories 100] [--changes 30,100,300,1000]

A history has a change somewhere, a rate of the finding before and after it, and stretches that can't be run. Right is:
the change that is named is the one; or, where it lies in a stretch that can't be run, it is among the suspects.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from statistics import fmean, quantiles

from harness.studies.bisect.conduct import compare_ends, conduct, start_search
from harness.studies.bisect.history import OLD_END, History, make_line
from harness.studies.sightings.signs import Sign

RATES = ((1.0, 0.0), (0.9, 0.1), (0.5, 0.0), (0.09, 0.0))
CHANGES = (30, 100, 300, 1000)
STRETCH = (2, 10)
BUDGET = 5000


@dataclass(slots=True, kw_only=True)
class SimulatedRuns:
    """See ``conduct.Oracle``: chance decides, with the rate of the state."""

    history: History
    change: int
    rates: tuple[float, float]  # after, before
    dead: frozenset[int]
    chance: random.Random
    runs: int = 0

    def run(self, states: Sequence[int]) -> list[Sign]:
        """See ``conduct.Oracle``."""
        return [self._run_one(state) for state in states]

    def _run_one(self, state: int) -> Sign:
        self.runs += 1
        if state in self.dead:
            return Sign.UNRUNNABLE
        after = self.history.contained(state) >> self.change & 1
        return Sign.SHOWN if self.chance.random() < self.rates[0 if after else 1] else Sign.ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedResult:
    """One search: whether it was right, whether it named one change, and how many runs it took."""

    right: bool
    named: bool
    runs: int


def make_dead(changes: int, share: float, chance: random.Random) -> frozenset[int]:
    """States that can't be run: so large a share of all but the ends, in stretches."""
    dead: set[int] = set()
    while len(dead) < share * changes:
        start = chance.randrange(changes - 1)
        dead.update(range(start, min(start + chance.randint(*STRETCH), changes - 1)))
    return frozenset(dead)


def simulate(
    history: History, rates: tuple[float, float], *, share: float, confidence: float, chance: random.Random
) -> SimulatedResult:
    """One history with a change at a place that chance decides."""
    dead = make_dead(len(history), share, chance)
    oracle = SimulatedRuns(
        history=history, change=chance.randrange(len(history)), rates=rates, dead=dead, chance=chance
    )
    ends = compare_ends(oracle, history)
    if ends.direction is None:
        return SimulatedResult(right=False, named=False, runs=oracle.runs)
    search = start_search(history, ends, ends.direction, confidence)
    standing = conduct(search, oracle, budget=BUDGET)
    right = oracle.change in standing.suspects
    return SimulatedResult(right=right, named=standing.found, runs=oracle.runs)


def bisect_plainly(oracle: SimulatedRuns, repeats: int, least: int) -> bool:
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--changes", type=lambda text: [int(one) for one in text.split(",")], default=list(CHANGES))
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(
        "| rates | unrunnable | changes | right | named | runs: mean, 95 % below | plain: n of m repeats, right, runs |"
    )
    print("|---|---|---|---|---|---|---|")
    for rates in RATES:
        for share in (0.0, 0.3):
            for changes in options.changes:
                _print_row(rates, share, changes, options)


def _print_row(rates: tuple[float, float], share: float, changes: int, options: argparse.Namespace) -> None:
    history, chance = make_line([str(one) for one in range(changes)]), random.Random(options.seed)  # noqa: S311 - no secret
    results = [
        simulate(history, rates, share=share, confidence=options.confidence, chance=chance)
        for _ in range(options.histories)
    ]
    runs = [result.runs for result in results]
    print(
        f"| {rates[0]:.0%}/{rates[1]:.0%} | {share:.0%} | {changes} | {fmean(one.right for one in results):.0%} "
        f"| {fmean(one.named for one in results):.0%} | {fmean(runs):.0f}, {quantiles(runs, n=20)[-1]:.0f} "
        f"| {_describe_plain(history, rates, share, options)} |",
        flush=True,
    )


def _describe_plain(history: History, rates: tuple[float, float], share: float, options: argparse.Namespace) -> str:
    repeats, least = repeats_for(rates, len(history), options.confidence)
    chance, right, runs = random.Random(options.seed), [], []  # noqa: S311 - no secret
    for _ in range(options.histories):
        dead = make_dead(len(history), share, chance)
        oracle = SimulatedRuns(
            history=history, change=chance.randrange(len(history)), rates=rates, dead=dead, chance=chance
        )
        right.append(bisect_plainly(oracle, repeats, least))
        runs.append(oracle.runs)
    return f"{least} of {repeats}, {fmean(right):.0%}, {fmean(runs):.0f}"


if __name__ == "__main__":
    main()
