"""The statistics against values that scipy 1.17 computed, and against what must hold of any of them."""

from __future__ import annotations

from math import isclose
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.studies.chance.beta import beta_cdf, beta_quantile, student_quantile
from harness.studies.chance.difference import RunSample, correct, count_lacking, p_value
from harness.studies.chance.intervals import Interval, clustered_interval, exact_interval
from harness.studies.chance.verdicts import Decision, count_lacking_runs, decide

counts = st.integers(1, 40).flatmap(lambda runs: st.tuples(st.integers(0, runs), st.just(runs)))


def sample(seen: float, runs: int, hidden: int = 0) -> RunSample:
    return RunSample(seen=seen, runs=runs, hidden=hidden)


@pytest.mark.parametrize(
    ("x", "a", "b", "expected"),
    [
        (0.1, 0.5, 0.5, 0.20483276469913345),
        (0.3, 2, 5, 0.5798250000000003),
        (0.9, 40, 3, 0.19510765482693676),
        (0.01, 1, 300, 0.9509591059287141),
        (0.5, 200, 210, 0.6894852134274166),
    ],
)
def test_the_beta_distribution_is_that_of_scipy(x: float, a: float, b: float, expected: float) -> None:
    assert isclose(beta_cdf(x, a, b), expected, rel_tol=1e-11)
    assert isclose(beta_quantile(expected, a, b), x, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.706204736174694), (2, 4.302652729749462), (5, 2.5705818356363146), (30, 2.0422724563012378)],
)
def test_the_quantiles_of_student_are_those_of_scipy(degrees: int, expected: float) -> None:
    assert isclose(student_quantile(0.975, degrees), expected, rel_tol=1e-8)


def test_a_beta_distribution_needs_positive_parameters() -> None:
    with pytest.raises(ValueError, match="both must be positive"):
        beta_cdf(0.5, 0, 1)


@pytest.mark.parametrize(
    ("seen", "runs", "low", "high"),
    [
        (0, 3, 0.0, 0.7075982261787133),
        (3, 3, 0.2924017738212867, 1.0),
        (1, 3, 0.008403758659612647, 0.9057006759492866),
        (2, 12, 0.020862525459661812, 0.4841377486860764),
        (50, 100, 0.39832112950330095, 0.6016788704966991),
        (1, 1000, 2.5317487491674634e-05, 0.0055589242798499),
    ],
)
def test_exact_intervals_are_those_of_scipy(seen: int, runs: int, low: float, high: float) -> None:
    found = exact_interval(seen, runs)
    assert [found.low, found.high] == pytest.approx([low, high], rel=1e-9)


@given(counts)
def test_an_exact_interval_holds_the_estimate_and_mirrors(count: tuple[int, int]) -> None:
    seen, runs = count
    found, mirrored = exact_interval(seen, runs), exact_interval(runs - seen, runs)
    assert 0 <= found.low <= seen / runs <= found.high <= 1
    assert isclose(found.low, 1 - mirrored.high, abs_tol=1e-9)


def test_more_seen_than_tried_is_refused() -> None:
    with pytest.raises(ValueError, match="4 of 3 is no share"):
        exact_interval(4, 3)


def test_an_interval_for_clusters_says_nothing_where_clusters_do_not_differ() -> None:
    assert clustered_interval([(3, 9)]) is None
    assert clustered_interval([(0, 9), (0, 8)]) is None
    assert clustered_interval([(9, 9), (8, 8)]) is None
    assert clustered_interval([(1, 2), (2, 4), (4, 8)]) is None
    found = clustered_interval([(1, 9), (6, 10), (2, 9)])
    assert found is not None
    assert 0 < found.low < 9 / 28 < found.high < 1


def test_an_interval_for_clusters_covers_where_one_for_independent_trials_does_not() -> None:
    """Each cluster has a rate of its own around 0.3: ten clusters of 100 trials are far from 1,000 trials."""
    random, covered, naive = Random(7), 0, 0  # noqa: S311 - no secret
    for _ in range(150):
        rates = [random.betavariate(3, 7) for _ in range(10)]
        clusters = [(sum(random.random() < rate for _ in range(100)), 100) for rate in rates]
        found = clustered_interval(clusters)
        assert found is not None
        covered += found.low <= 0.3 <= found.high
        pooled = exact_interval(sum(seen for seen, _ in clusters), 1000)
        naive += pooled.low <= 0.3 <= pooled.high
    assert covered >= 135
    assert naive < 100


def test_two_intervals_together() -> None:
    assert Interval(low=0.1, high=0.2) | Interval(low=0.15, high=0.3) == Interval(low=0.1, high=0.3)


@pytest.mark.parametrize(
    ("runs", "fisher"),
    [(3, 0.1), (5, 0.007936507936507938), (8, 0.0001554001554001554), (12, 7.39602301050679e-07)],
)
def test_never_against_always_is_as_sure_as_by_the_exact_test_of_fisher(runs: int, fisher: float) -> None:
    """And unlike Fisher's, which scipy computed here, it may be looked at after every run."""
    assert 0.5 * fisher < p_value(sample(0, runs), sample(runs, runs)) < 1.01 * fisher


@given(counts, counts)
def test_a_difference_has_no_direction_and_no_name(one: tuple[int, int], other: tuple[int, int]) -> None:
    p = p_value(sample(*one), sample(*other))
    assert 0 < p <= 1
    assert isclose(p, p_value(sample(*other), sample(*one)), rel_tol=1e-9)
    flipped = [sample(runs - seen, runs) for seen, runs in (one, other)]
    assert isclose(p, p_value(*flipped), rel_tol=1e-9)


@given(counts, counts, st.integers(1, 10))
def test_runs_that_could_not_tell_never_help(one: tuple[int, int], other: tuple[int, int], hidden: int) -> None:
    plain = p_value(sample(*one), sample(*other))
    assert p_value(sample(*one, hidden), sample(*other)) >= plain * (1 - 1e-9)


@given(counts)
def test_equal_rates_differ_by_nothing(count: tuple[int, int]) -> None:
    assert p_value(sample(*count), sample(*count)) == 1.0
    assert count_lacking(sample(*count), sample(*count), 0.01) is None
    assert p_value(sample(0, 0), sample(*count)) == 1.0


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.95])
def test_looking_after_every_run_finds_a_false_difference_as_seldom_as_promised(rate: float) -> None:
    """Two sides of one rate, the side to run next chosen by what looks most like a difference: p of 0.05 or less."""
    random, wrong = Random(11), 0  # noqa: S311 - no secret
    for _ in range(150):
        sides = [[int(random.random() < rate), 1] for _ in range(2)]
        for _ in range(60):
            worst = min(range(2), key=lambda side: (sides[side][1], sides[side][0]))
            sides[worst][0] += random.random() < rate
            sides[worst][1] += 1
            if p_value(sample(*sides[0]), sample(*sides[1])) <= 0.05:
                wrong += 1
                break
    assert wrong / 150 <= 0.05


@given(st.floats(0.02, 0.9), st.integers(2, 20))
def test_the_forecast_is_the_smallest_number_that_does(gap: float, runs: int) -> None:
    low, high = sample(0, runs), sample(gap * runs, runs)
    more = count_lacking(low, high, 0.001)
    assert more is not None

    def after(extra: int) -> float:
        return p_value(sample(0, runs + extra), sample(gap * (runs + extra), runs + extra))

    assert after(more) <= 0.001
    assert more == 0 or after(more - 1) > 0.001


def test_the_correction_is_that_of_holm() -> None:
    assert correct([0.01, 0.04, 0.03], 3) == pytest.approx((0.03, 0.06, 0.06))
    assert correct([0.01, 0.04, 0.03], 10) == pytest.approx((0.1, 0.32, 0.27))
    assert correct([], 10) == ()


@given(st.lists(st.floats(0, 1), max_size=8), st.integers(0, 50))
def test_a_corrected_value_is_never_smaller_and_keeps_the_order(values: list[float], others: int) -> None:
    corrected = correct(values, len(values) + others)
    assert all(value <= found <= 1 for value, found in zip(values, corrected, strict=True))
    ranked = sorted(range(len(values)), key=lambda place: values[place])
    assert [corrected[place] for place in ranked] == sorted(corrected)


def test_what_is_seen_twice_in_a_row_is_shown_and_eight_clean_runs_are_clean() -> None:
    assert [decide(n, n, sure=0.99) for n in range(3)] == [Decision.OPEN, Decision.OPEN, Decision.SHOWN]
    assert [decide(0, n, sure=0.99) for n in (7, 8)] == [Decision.OPEN, Decision.NOT_SHOWN]
    assert count_lacking_runs(0, 3, sure=0.99) == 5
    assert count_lacking_runs(2, 2, sure=0.99) == 0
    assert count_lacking_runs(0, 0, sure=0.99) == 8


@pytest.mark.parametrize(
    ("rate", "right"), [(0.0, Decision.NOT_SHOWN), (0.05, Decision.NOT_SHOWN), (0.5, Decision.SHOWN)]
)
def test_an_answer_is_wrong_as_seldom_as_promised(rate: float, right: Decision) -> None:
    random, wrong = Random(3), 0  # noqa: S311 - no secret
    for _ in range(1000):
        seen = runs = 0
        while (found := decide(seen, runs, sure=0.99)) is Decision.OPEN:
            seen, runs = seen + (random.random() < rate), runs + 1
        wrong += found is not right
    assert wrong <= 12
