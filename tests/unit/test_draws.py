from __future__ import annotations

import random

import pytest

from harness.core.observations import WorkerLife
from harness.judge.scenarios.draws import SIGNIFICANT_P, chi_square_p, chi_square_tail, count_bins, examine_draws


def life(limit: int | None, served: int | None = None) -> WorkerLife:
    ended = served is not None
    return WorkerLife(
        pid=1,
        booted_ns=1,
        ended_ns=3 if ended else None,
        served=served or 0,
        restart_ns=2 if ended else None,
        ready_ns=1,
        limit=limit,
    )


def drawn(count: int, low: int, high: int, seed: int = 1) -> list[int]:
    rng = random.Random(seed)  # noqa: S311 - no secret
    return [rng.randint(low, high) for _ in range(count)]


def test_uniform_draws_are_not_accused() -> None:
    found = examine_draws([life(36 + value) for value in drawn(200, 0, 36)], max_requests=36, jitter=36)
    assert found.p is not None
    assert found.p > 0.01
    assert found.bins == 37
    assert found.outside == ()


@pytest.mark.parametrize(
    "limits",
    [
        [36] * 100,  # the jitter is ignored
        [36 + value // 2 for value in drawn(200, 0, 36)],  # only its lower half is used
        [36 + min(drawn(2, 0, 36, seed)) for seed in range(200)],  # low ones are preferred
    ],
)
def test_other_draws_are(limits: list[int]) -> None:
    found = examine_draws([life(limit) for limit in limits], max_requests=36, jitter=36)
    assert found.p is not None
    assert found.p < SIGNIFICANT_P


def test_one_honest_run_in_a_thousand_is_accused() -> None:
    """Of 300 honest runs 0.3 are expected; more than 4 has a chance below one in ten thousand."""
    accused = sum(
        chi_square_p(drawn(150, 0, 36, seed), values=37, bins=count_bins(150, 37)) < SIGNIFICANT_P
        for seed in range(300)
    )
    assert accused <= 4


@pytest.mark.parametrize(
    ("freedom", "statistic", "p"),
    [(1, 3.841, 0.05), (2, 5.991, 0.05), (9, 16.919, 0.05), (10, 29.588, 0.001), (36, 67.985, 0.001)],
)
def test_the_tail_is_that_of_the_printed_tables(freedom: int, statistic: float, p: float) -> None:
    assert chi_square_tail(statistic, freedom=freedom) == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize("freedom", [1, 2, 9, 36])
def test_draws_as_even_as_can_be_say_nothing(freedom: int) -> None:
    assert chi_square_tail(0.0, freedom=freedom) == 1.0


def test_bins_of_unequal_width_are_no_evidence() -> None:
    every = list(range(37)) * 10
    assert chi_square_p(every, values=37, bins=10) == pytest.approx(1.0, abs=0.01)


def test_too_few_draws_are_no_test() -> None:
    assert examine_draws([life(40)] * 14, max_requests=36, jitter=36).p is None
    assert examine_draws([life(36)] * 100, max_requests=36, jitter=0).p is None


def test_limits_outside_of_the_range_are_named() -> None:
    found = examine_draws([life(35), life(36), life(72), life(73)], max_requests=36, jitter=36)
    assert found.outside == (35, 73)


def test_lives_are_compared_with_what_they_drew() -> None:
    found = examine_draws([life(40, 40), life(50, 49), life(60), life(None, 3)], max_requests=36, jitter=36)
    assert (found.ended, found.exact, found.fewest_served, found.most_served) == (2, 1, 40, 49)
    assert found.most_over == 0
    assert examine_draws([life(40, 43), life(50, 49)], max_requests=36, jitter=36).most_over == 3
