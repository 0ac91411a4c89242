"""The search of `harness bisect`: lines and graphs, findings that only sometimes show, states that can't be run."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bisection import RATES, SimulatedRuns, make_dead, simulate
from bench.other_bisections import bisect_plainly, bisect_with_git_bayesect, repeats_for
from harness.studies.bisect.conduct import compare_ends, conduct, judge_ends, start_search
from harness.studies.bisect.history import OLD_END, History, list_bits, make_line
from harness.studies.bisect.posterior import Posterior
from harness.studies.bisect.rates import WITH_FINDING, WITHOUT_FINDING, chance_of_more
from harness.studies.bisect.search import MOST_SILENT, Direction, Search, Standing
from harness.studies.sightings.signs import Sign


def line(changes: int) -> History:
    return make_line([str(number) for number in range(changes)])


def seeded(number: int) -> random.Random:
    return random.Random(number)  # noqa: S311 - no secret


def search_in(history: History, direction: Direction = Direction.INTRODUCED) -> Search:
    return Search(history=history, direction=direction, confidence=0.95)


@st.composite
def graphs(draw: st.DrawFn) -> History:
    """Commits with up to two parents, the last of which contains all others."""
    size = draw(st.integers(2, 12))
    parents = [tuple(draw(st.sets(st.integers(0, place - 1), max_size=2))) if place else () for place in range(size)]
    heads = set(range(size)) - {parent for row in parents for parent in row}
    parents.append(tuple(sorted(heads)))
    return History(names=tuple(map(str, range(size + 1))), parents=tuple(parents))


@given(graphs(), st.data())
def test_sums_over_what_a_state_contains(history: History, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.floats(0, 1), min_size=len(history), max_size=len(history)))
    expected = [sum(values[change] for change in list_bits(mask)) for mask in history.within]
    assert history.sum_within(values) == pytest.approx(expected)
    assert history.contained(history.new_end) == (1 << len(history)) - 1
    assert history.contained(OLD_END) == 0


@settings(deadline=None, max_examples=40)
@given(graphs(), st.data())
def test_a_steady_finding_is_found_in_any_graph(history: History, data: st.DataObject) -> None:
    change = data.draw(st.integers(0, len(history) - 1))
    direction = data.draw(st.sampled_from(Direction))
    rates = (1.0, 0.0) if direction is Direction.INTRODUCED else (0.0, 1.0)
    runs = SimulatedRuns(history=history, change=change, rates=rates, dead=frozenset(), chance=seeded(1))
    ends = compare_ends(runs, history)
    assert ends.direction is not None
    assert ends.direction is direction
    standing = conduct(start_search(history, ends, ends.direction, 0.95), runs, budget=200)
    assert standing.found
    assert standing.suspects == (change,)


@settings(deadline=None, max_examples=25)
@given(graphs(), st.lists(st.tuples(st.integers(-1, 12), st.booleans()), max_size=20))
def test_gains_are_those_of_the_definition(history: History, told: list[tuple[int, bool]]) -> None:
    from math import log

    posterior = Posterior(history=history, before=WITHOUT_FINDING, after=WITH_FINDING)
    for state, shown in told:
        posterior.add(min(state, history.new_end), shown=shown)
    weights = posterior.weigh()
    assert sum(weights) == pytest.approx(1)

    def entropy(of: list[float]) -> float:
        return -sum(weight * log(weight) for weight in of if weight > 0)

    gains, at_old = posterior.expect_gains(weights)
    for state, gain in [*enumerate(gains), (OLD_END, at_old)]:
        expected = entropy(weights)
        for shown in (True, False):
            chances = []
            for change, (with_it, without) in enumerate(zip(posterior.shown_with, posterior.absent_with, strict=True)):
                if history.contained(state) >> change & 1:
                    rate = WITH_FINDING.predict(with_it, without)
                else:
                    rate = WITHOUT_FINDING.predict(posterior.shown - with_it, posterior.absent - without)
                chances.append(rate if shown else 1 - rate)
            chance = sum(weight * one for weight, one in zip(weights, chances, strict=True))
            later = posterior.copy()
            later.add(state, shown=shown)
            expected -= chance * entropy(later.weigh())
        assert gain == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("rates", RATES[:3])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_right_as_often_as_it_says(rates: tuple[float, float], share: float) -> None:
    """The short version of `python -m bench.bisection`; 40 histories can be a little unlucky."""
    chance = seeded(7)
    results = [simulate(line(60), rates, share=share, confidence=0.95, chance=chance) for _ in range(40)]
    assert sum(result.right for result in results) >= 36


@dataclass(slots=True, kw_only=True)
class RareRuns:
    """The new end shows it in these of its runs, the old end never."""

    shown: set[int]
    made: int = 0

    def run(self, states: Sequence[int]) -> list[Sign]:
        self.made += 1
        return [Sign.SHOWN if state != OLD_END and self.made in self.shown else Sign.ABSENT for state in states]


def test_what_was_seen_at_one_end_only_is_not_given_up_early() -> None:
    """In 9 % of the runs, and seen twice in 80: one search in fifty was given up there."""
    ends = compare_ends(RareRuns(shown={30, 75, 100}), line(30))
    assert (ends.old, ends.new, ends.direction) == ((0, 100), (3, 97), Direction.INTRODUCED)
    assert compare_ends(RareRuns(shown=set()), line(30)).new == (0, 80)
    assert sum(compare_ends(RareRuns(shown={30}), line(30)).new) == 200


@pytest.mark.parametrize("rates", [(1.0, 0.0), (0.5, 0.0)])
def test_other_searches_find_the_change_too(rates: tuple[float, float]) -> None:
    chance, right = seeded(11), 0
    repeats, least = repeats_for(rates, 30, 0.95)
    for _ in range(20):
        change = chance.randrange(30)
        runs = SimulatedRuns(history=line(30), change=change, rates=rates, dead=frozenset(), chance=chance)
        right += bisect_plainly(runs, repeats, least)
    assert right >= 17


class HalvingBisector:
    """Has the interface of git_bayesect's, which may not be installed: it tries the middle of what is left."""

    def __init__(self, weights: list[float]) -> None:
        self.left = list(range(len(weights)))

    @property
    def distribution(self) -> HalvingBisector:
        return self

    def max(self) -> float:
        return 1 / len(self.left)

    def argmax(self) -> int:
        return self.left[0]

    def select(self) -> int:
        return self.left[len(self.left) // 2]

    def record(self, index: int, shown: bool) -> None:
        """The commits are numbered from the newest on; the change is the oldest one that shows it."""
        self.left = [one for one in self.left if (one >= index) == shown]


@pytest.mark.parametrize("change", [0, 7, 29])
def test_git_bayesect_counts_from_the_new_end(monkeypatch: pytest.MonkeyPatch, change: int) -> None:
    monkeypatch.setitem(sys.modules, "git_bayesect", SimpleNamespace(Bisector=HalvingBisector))
    runs = SimulatedRuns(history=line(30), change=change, rates=(1.0, 0.0), dead=frozenset(), chance=seeded(1))
    assert bisect_with_git_bayesect(runs, 0.95)
    assert runs.runs == pytest.approx(5, abs=1)


def test_a_steady_finding_costs_few_runs() -> None:
    chance = seeded(3)
    runs = [simulate(line(54), (1.0, 0.0), share=0.0, confidence=0.95, chance=chance).runs for _ in range(20)]
    assert max(runs) <= 13


def test_unrunnable_states_are_left_out_and_named_together() -> None:
    history, dead = line(16), frozenset(range(6, 10))
    runs = SimulatedRuns(history=history, change=7, rates=(1.0, 0.0), dead=dead, chance=seeded(1))
    ends = compare_ends(runs, history)
    assert ends.direction is Direction.INTRODUCED
    search = start_search(history, ends, ends.direction, 0.95)
    standing = conduct(search, runs, budget=100)
    assert standing.stuck
    assert not standing.found
    assert set(standing.suspects) == {6, 7, 8, 9, 10}
    assert search.dead <= dead


def test_silent_states_are_given_up() -> None:
    search = search_in(line(8))
    for _ in range(MOST_SILENT):
        search.tell(4, Sign.SILENT)
    assert search.dead == {4}
    before = search.stand().weights
    search.tell(3, Sign.SILENT)
    assert search.stand().weights == before


def test_several_jobs_run_different_states() -> None:
    search = search_in(line(64))
    search.tell(OLD_END, Sign.ABSENT)
    search.tell(63, Sign.SHOWN)
    assert len(set(search.choose(3))) == 3


def test_a_budget_is_kept() -> None:
    history = line(500)
    runs = SimulatedRuns(history=history, change=200, rates=(0.5, 0.0), dead=frozenset(), chance=seeded(1))
    search = search_in(history)
    seen: list[Standing] = []
    standing = conduct(search, runs, budget=5, watch=lambda _states, now: seen.append(now))
    assert (runs.runs, len(seen)) == (5, 5)
    assert not standing.found


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        ((0, 2), (2, 0), Direction.INTRODUCED),
        ((2, 0), (0, 2), Direction.REPAIRED),
        ((0, 1), (1, 0), None),
        ((2, 0), (2, 0), None),
        ((0, 40), (4, 36), Direction.INTRODUCED),
        ((1, 1), (0, 2), None),
    ],
)
def test_ends(old: tuple[int, int], new: tuple[int, int], direction: Direction | None) -> None:
    assert judge_ends(old, new) is direction


@given(st.tuples(st.integers(0, 30), st.integers(0, 30)), st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_one_end_or_the_other_has_more(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert chance_of_more(one, other) + chance_of_more(other, one) == pytest.approx(1)


def test_unrunnable_stretches_leave_the_ends() -> None:
    dead = make_dead(100, 0.3, seeded(2))
    assert len(dead) >= 30
    assert 99 not in dead
