"""Which state to run next, and when the change is found: pure, and told what each run has shown.

The next run is the one that is expected to tell most about which change it was, times the chance that the state can be
run at all. States next to one that could not be run are less likely to run; one that could not is not tried again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from math import exp

from harness.studies.bisect.history import OLD_END, History, list_bits
from harness.studies.bisect.posterior import Posterior
from harness.studies.bisect.rates import WITH_FINDING, WITHOUT_FINDING
from harness.studies.sightings.signs import Sign

MOST_SILENT = 3
"""After so many runs that said nothing, and none that did, a state counts as one that can't be run."""

WAVERING = 2.0
"""Where a finding comes and goes at one side of the change, by so much less may the answer be wrong: then much depends
on what was thought of the rates beforehand, and simulated searches were wrong a little more often than they said."""

LEAST_GAIN = 1e-9
UNRUNNABLE_SHARE = 0.2
STRETCHES = 8.0
"""About so many times a history is expected to change between runnable and unrunnable."""


class Direction(str, Enum):
    """What the change did to the finding."""

    INTRODUCED = "introduced"
    REPAIRED = "repaired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far the search is. ``suspects``: changes that no further run can tell apart, the most probable ones."""

    weights: tuple[float, ...]
    best: int
    suspects: tuple[int, ...]
    found: bool  # a single change has the confidence that was asked for
    stuck: bool  # the suspects together have it, and no further run can tell them apart


@dataclass(slots=True, kw_only=True)
class Search:
    """A search in progress."""

    history: History
    direction: Direction
    confidence: float
    posterior: Posterior = field(init=False)
    dead: set[int] = field(default_factory=set)
    silent: Counter[int] = field(default_factory=Counter)
    spoken: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        priors = (WITHOUT_FINDING, WITH_FINDING)
        before, after = priors if self.direction is Direction.INTRODUCED else priors[::-1]
        self.posterior = Posterior(history=self.history, before=before, after=after)

    def tell(self, state: int, sign: Sign) -> None:
        """Take one run into account."""
        if sign is Sign.UNRUNNABLE:
            self.dead.add(state)
        elif sign is Sign.SILENT:
            self.silent[state] += 1
            if self.silent[state] >= MOST_SILENT and state not in self.spoken:
                self.dead.add(state)
        else:
            self.spoken.add(state)
            self.posterior.add(state, shown=sign is Sign.SHOWN)

    def stand(self) -> Standing:
        """How probable each change is by now, and whether the search is over."""
        weights = self.posterior.weigh()
        best = max(range(len(weights)), key=weights.__getitem__)
        alike = self._alike(best)
        wanted = 1 - (1 - self.confidence) / (WAVERING if self.posterior.wavers(best) else 1)
        found = weights[best] >= wanted
        stuck = sum(weights[one] for one in alike) >= wanted
        ordered = sorted(alike, key=lambda one: -weights[one])
        return Standing(
            weights=tuple(weights),
            best=best,
            suspects=(best,) if found else tuple(ordered),
            found=found,
            stuck=stuck and not found,
        )

    def choose(self, count: int) -> list[int]:
        """The states to run next, at most ``count`` of them; none where no run would tell more."""
        chosen: list[int] = []
        imagined = [(1.0, self.posterior)]
        for _ in range(count):
            state = self._choose_one(imagined)
            if state is None:
                break
            chosen.append(state)
            if len(chosen) < count:
                imagined = [one for chance, posterior in imagined for one in _imagine(chance, posterior, state)]
        return chosen

    def _choose_one(self, imagined: list[tuple[float, Posterior]]) -> int | None:
        gains, at_old = [0.0] * len(self.history), 0.0
        for chance, posterior in imagined:
            expected, old = posterior.expect_gains(posterior.weigh())
            gains = [gain + chance * one for gain, one in zip(gains, expected, strict=True)]
            at_old += chance * old
        worth = [gain * chance for gain, chance in zip(gains, self._chances_to_speak(), strict=True)]
        best = max(range(len(worth)), key=worth.__getitem__)
        if OLD_END not in self.dead and at_old > worth[best]:
            return OLD_END if at_old > LEAST_GAIN else None
        return best if worth[best] > LEAST_GAIN else None

    def _chances_to_speak(self) -> list[float]:
        """Of each state, from the nearest ones on both sides whose runs are known."""
        chances = [1.0] * len(self.history)
        known = sorted([*((one, True) for one in self.spoken), *((one, False) for one in self.dead)])
        places = [place for place, _ in known]
        for state in range(len(chances)) if self.dead else ():
            after = bisect_left(places, state)
            near = [*known[max(after - 1, 0) : after], *known[after : after + 1]]
            chances[state] = self._chance_to_run(state, near)
        for state in self.spoken - {OLD_END}:
            chances[state] = 1.0
        for state in self.dead - {OLD_END}:
            chances[state] = 0.0
        for state, count in self.silent.items():
            if state != OLD_END:
                chances[state] *= 0.5**count
        return chances

    def _chance_to_run(self, state: int, near: list[tuple[int, bool]]) -> float:
        """Taking a change between runnable and unrunnable for equally likely everywhere."""
        runs, fails = 1.0 - UNRUNNABLE_SHARE, UNRUNNABLE_SHARE
        for place, ran in near:
            kept = exp(-abs(place - state) * STRETCHES / len(self.history))
            share = 1.0 - UNRUNNABLE_SHARE if ran else UNRUNNABLE_SHARE
            runs *= kept * ran + (1 - kept) * share
            fails *= kept * (not ran) + (1 - kept) * share
        return runs / (runs + fails) if runs + fails else 0.0

    def _alike(self, change: int) -> list[int]:
        """The changes that no state that may still be run tells from this one."""
        group = (1 << len(self.history)) - 1
        for state, within in enumerate(self.history.within):
            if state not in self.dead:
                group &= within if within >> change & 1 else ~within
        return list(list_bits(group))


def _imagine(chance: float, posterior: Posterior, state: int) -> list[tuple[float, Posterior]]:
    """What may be known after a run of a state whose result is not known yet, with the chance of each."""
    weights = posterior.weigh()
    outcomes = []
    for shown in (True, False):
        later = posterior.copy()
        later.add(state, shown=shown)
        outcomes.append(later)
    shows = sum(weight * _predict(posterior, change, state) for change, weight in enumerate(weights))
    return [(chance * shows, outcomes[0]), (chance * (1 - shows), outcomes[1])]


def _predict(posterior: Posterior, change: int, state: int) -> float:
    shown, absent = posterior.shown_with[change], posterior.absent_with[change]
    if posterior.history.contained(state) >> change & 1:
        return posterior.after.predict(shown, absent)
    return posterior.before.predict(posterior.shown - shown, posterior.absent - absent)
