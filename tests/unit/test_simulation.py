from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.judge.scenarios.simulation import (
    Change,
    Forecast,
    Service,
    Spread,
    find_jitter,
    forecast,
    simulate,
    span_s,
)

FEW = settings(max_examples=60)
WRITE_UP = Service(workers=64, max_requests=36, jitter=36, boot_s=1.0, service_s=0.1)


def run(service: Service, lives: float = 2.5, seed: int = 0) -> list[Change]:
    return list(
        simulate(
            service,
            duration_s=span_s(service, lives),
            rng=random.Random(seed),  # noqa: S311 - no secret
        )
    )


def worst(service: Service, lives: float = 2.5) -> float:
    return forecast(service, duration_s=span_s(service, lives), repetitions=10).mean


services = st.builds(
    Service,
    workers=st.integers(1, 40),
    max_requests=st.integers(1, 60),
    jitter=st.integers(0, 60),
    boot_s=st.floats(0, 5),
    service_s=st.floats(0.001, 1),
    threads=st.integers(1, 4),
    rate_per_s=st.none() | st.floats(1, 500),
    spread=st.sampled_from(Spread),
    spawn_pause_s=st.floats(0, 0.2),
)


@FEW
@given(services, st.integers(0, 1000))
def test_each_change_is_one_worker_that_goes_or_comes(service: Service, seed: int) -> None:
    changes = run(service, seed=seed)
    away = [0, *(change.away for change in changes)]
    assert all(abs(after - before) == 1 for before, after in pairwise(away))
    assert min(away) >= 0
    assert max(away) <= service.workers
    times = [change.at_s for change in changes]
    assert times == sorted(times)
    assert all(0 <= at_s <= span_s(service, 2.5) for at_s in times)


@FEW
@given(services, st.integers(0, 1000))
def test_nobody_is_away_for_less_than_a_boot(service: Service, seed: int) -> None:
    """Workers come back in the order in which they went: the k-th to come was away for a boot at least."""
    left: list[float] = []
    came: list[float] = []
    before = 0
    for change in run(service, seed=seed):
        (left if change.away > before else came).append(change.at_s)
        before = change.away
    least_s = service.boot_s + service.service_s
    assert all(back - gone >= least_s - 1e-6 for gone, back in zip(left, came, strict=False))


@FEW
@given(services)
def test_the_same_seed_gives_the_same_answer(service: Service) -> None:
    duration_s = span_s(service, 2.5)
    first = forecast(service, duration_s=duration_s, repetitions=3, seed=7)
    assert first == forecast(service, duration_s=duration_s, repetitions=3, seed=7)
    assert list(first.worst) == sorted(first.worst)
    assert first.worst[0] <= first.mean <= first.worst[-1]


def test_without_jitter_workers_in_step_all_go_at_once() -> None:
    service = replace(WRITE_UP, jitter=0)
    assert set(forecast(service, duration_s=span_s(service, 1.5)).worst) == {64}
    changes = run(service)
    assert [change.at_s for change in changes[:64]] == [pytest.approx(3.5)] * 64, "35 requests of 0.1 s before the last"


def test_jitter_spreads_the_restarts_of_the_write_up() -> None:
    assert worst(replace(WRITE_UP, jitter=18)) > worst(WRITE_UP)
    assert worst(WRITE_UP) < 40


def test_requests_spread_at_random_already_spread_the_restarts() -> None:
    together = replace(WRITE_UP, jitter=0, max_requests=400, spawn_pause_s=0.0)
    assert worst(replace(together, spread=Spread.RANDOM)) < 0.8 * worst(together)


def test_the_arbiter_forks_one_after_the_other() -> None:
    """64 forks with pauses of 0.05 s on average take three seconds on top of the boot."""
    service = replace(WRITE_UP, jitter=0)
    back = next(change.at_s for change in run(service, lives=2.0) if change.away == 0)
    assert 3.6 + 1.0 + 2.0 < back < 3.6 + 1.0 + 4.5
    at_once = replace(service, spawn_pause_s=0.0)
    assert next(c.at_s for c in run(at_once, lives=1.5) if c.away == 0) == pytest.approx(4.6)


def test_workers_that_share_a_fixed_rate_hurry_when_others_are_away() -> None:
    """Two workers, 10 requests a second in all: one alone gets all ten."""
    service = Service(workers=2, max_requests=10, jitter=0, boot_s=5.0, service_s=0.01, rate_per_s=10, spawn_pause_s=0)
    first, second = (change.at_s for change in run(service)[:2])
    assert second - first < (2.0 - 0.9) / 2 + 0.11, "what is left of its turn, at double the speed"
    slow = replace(service, service_s=0.2)
    assert slow.speed(1) == slow.speed(2) == 5.0, "but no worker serves more than it can"


def test_a_forecast_tells_quantiles() -> None:
    found = Forecast(service=WRITE_UP, duration_s=1.0, worst=tuple(range(1, 21)))
    assert (found.mean, found.quantile(0.95), found.quantile(1.0), found.quantile(0.0)) == (10.5, 19, 20, 1)


def test_the_jitter_found_is_the_smallest_that_is_enough() -> None:
    found = find_jitter(WRITE_UP, most_away=0.6, lives=2.0, repetitions=10)
    assert found is not None
    assert found.quantile(0.95) <= 0.6 * 64
    less = replace(WRITE_UP, jitter=found.service.jitter - 1)
    assert forecast(less, duration_s=span_s(less, 2.0), repetitions=10).quantile(0.95) > 0.6 * 64


def test_no_jitter_helps_against_a_bound_below_the_average() -> None:
    assert find_jitter(WRITE_UP, most_away=0.02, lives=2.0, repetitions=5) is None


def test_no_jitter_is_needed_where_all_may_go() -> None:
    found = find_jitter(WRITE_UP, most_away=1.0, lives=2.0, repetitions=5)
    assert found is not None
    assert found.service.jitter == 0
