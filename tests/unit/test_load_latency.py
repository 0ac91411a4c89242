from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stack.load.latency import bucket_us, summarise, upper_us

DAY_NS = 86_400 * 10**9


@given(st.integers(0, DAY_NS))
def test_a_bucket_holds_its_duration_and_is_narrow(took_ns: int) -> None:
    lower, upper = bucket_us(took_ns), upper_us(bucket_us(took_ns))
    assert lower <= took_ns // 1000 <= upper
    assert upper - lower <= lower / 64
    assert bucket_us(lower * 1000) == bucket_us(upper * 1000) == lower
    assert bucket_us((upper + 1) * 1000) == upper + 1


def test_there_are_few_buckets() -> None:
    bucket, count = 0, 0
    while bucket <= DAY_NS // 1000:
        bucket, count = upper_us(bucket) + 1, count + 1
    assert count < 2_100


def test_a_clock_that_steps_back_is_no_duration() -> None:
    assert bucket_us(-5) == 0


@given(st.lists(st.integers(0, 10**10), min_size=1, max_size=300))
def test_percentiles_are_those_of_the_durations(durations_ns: list[int]) -> None:
    found = summarise(Counter(map(bucket_us, durations_ns)))
    ordered = sorted(durations_ns)
    for name, share in {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}.items():
        rank = next(rank for rank in range(1, len(ordered) + 1) if rank >= share * len(ordered))
        exact_us = ordered[rank - 1] // 1000
        assert exact_us <= round(found[name] * 1000) <= exact_us * (1 + 1 / 64)


def test_nothing_counted_gives_no_percentiles() -> None:
    assert summarise({}) == {}


def test_one_slow_request_in_a_hundred_is_the_maximum_and_not_the_99th_percentile() -> None:
    found = summarise({bucket_us(10**6): 99, bucket_us(2 * 10**9): 1})
    assert found["p99"] == pytest.approx(1.0, rel=0.02)
    assert found["max"] == pytest.approx(2000.0, rel=0.02)
