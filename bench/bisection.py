"""How many runs the search of `harness bisect` needs on simulated histories, beside what other searches need.

    python -m bench.bisection [--histories 100] [--changes 30,100,300,1000] [--rates 90/10,9/0] [--git-bayesect]

A history has a change somewhere, a rate of the finding before and after it, and stretches that can't be run. Right is:
the change that is named is the one; or, where it lies in a stretch that can't be run, it is among the suspects.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, quantiles

from bench.other_bisections import bisect_plainly, bisect_with_git_bayesect, repeats_for
from harness.studies.bisect.conduct import compare_ends, conduct, start_search
from harness.studies.bisect.history import History, make_line
from harness.studies.chance.intervals import exact_interval
from harness.studies.sightings.signs import Sign

RATES = ((1.0, 0.0), (0.9, 0.1), (0.5, 0.0), (0.09, 0.0))
CHANGES = (30, 100, 300, 1000)
SHARES = (0.0, 0.3)
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--changes", type=lambda text: [int(one) for one in text.split(",")], default=list(CHANGES))
    parser.add_argument("--rates", type=_read_rates, default=RATES, help="after/before in percent: 100/0,90/10")
    parser.add_argument("--unrunnable", type=_read_shares, default=SHARES, help="shares in percent: 0,30")
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--git-bayesect", action="store_true", help="beside git_bayesect, which must be installed")
    options = parser.parse_args()
    print(
        "| rates | unrunnable | changes | right (95 % interval) | named | runs: mean, 95 % below "
        "| plain: n of m repeats, right, runs | git_bayesect: right, runs |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for rates in options.rates:
        for share in options.unrunnable:
            for changes in options.changes:
                _print_row(rates, share, changes, options)


def _read_rates(text: str) -> tuple[tuple[float, float], ...]:
    pairs = (one.split("/") for one in text.split(","))
    return tuple((float(after) / 100, float(before) / 100) for after, before in pairs)


def _read_shares(text: str) -> tuple[float, ...]:
    return tuple(float(one) / 100 for one in text.split(","))


def _print_row(rates: tuple[float, float], share: float, changes: int, options: argparse.Namespace) -> None:
    history, chance = make_line([str(one) for one in range(changes)]), random.Random(options.seed)  # noqa: S311 - no secret
    results = [
        simulate(history, rates, share=share, confidence=options.confidence, chance=chance)
        for _ in range(options.histories)
    ]
    right, runs = sum(one.right for one in results), [result.runs for result in results]
    interval = exact_interval(right, len(results))
    print(
        f"| {rates[0]:.0%}/{rates[1]:.0%} | {share:.0%} | {changes} "
        f"| {right} of {len(results)} ({interval.low:.0%} to {interval.high:.0%}) "
        f"| {fmean(one.named for one in results):.0%} | {fmean(runs):.0f}, {quantiles(runs, n=20)[-1]:.0f} "
        f"| {_describe_plain(history, rates, share, options)} | {_describe_bayesect(history, rates, share, options)} |",
        flush=True,
    )


def _describe_plain(history: History, rates: tuple[float, float], share: float, options: argparse.Namespace) -> str:
    repeats, least = repeats_for(rates, len(history), options.confidence)
    said = _try_other(history, rates, share, options, lambda oracle: bisect_plainly(oracle, repeats, least))
    return f"{least} of {repeats}, {said}"


def _describe_bayesect(history: History, rates: tuple[float, float], share: float, options: argparse.Namespace) -> str:
    if share or not options.git_bayesect:
        return "-"
    confidence = options.confidence
    return _try_other(history, rates, share, options, lambda oracle: bisect_with_git_bayesect(oracle, confidence))


def _try_other(
    history: History,
    rates: tuple[float, float],
    share: float,
    options: argparse.Namespace,
    search: Callable[[SimulatedRuns], bool],
) -> str:
    """How often another search was right, and with how many runs."""
    chance, right, runs = random.Random(options.seed), [], []  # noqa: S311 - no secret
    for _ in range(options.histories):
        dead = make_dead(len(history), share, chance)
        oracle = SimulatedRuns(
            history=history, change=chance.randrange(len(history)), rates=rates, dead=dead, chance=chance
        )
        right.append(search(oracle))
        runs.append(oracle.runs)
    return f"{fmean(right):.0%}, {fmean(runs):.0f}"


if __name__ == "__main__":
    main()
