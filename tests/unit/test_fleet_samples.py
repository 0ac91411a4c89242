"""Samples of the fleet, kept as changes: the same numbers as from whole samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.judge.fleet_samples import FleetSamples

PIDS = st.integers(-2, 6) | st.just(2**70)
TIMES = st.integers(0, 9) | st.just(2**70)


@given(st.lists(st.tuples(TIMES, st.sets(PIDS))), st.sets(PIDS))
def test_what_changed_tells_as_much_as_whole_samples(samples: list[tuple[int, set[int]]], workers: set[int]) -> None:
    kept, before = FleetSamples(), set[int]()
    for at_ns, live in samples:
        kept.append(at_ns, came=live - before, went=before - live)
        before = live
    told = [(sample.at_ns, sample.workers, sample.children) for sample in kept.replay(workers)]
    assert told == [(at_ns, len(live & workers), len(live)) for at_ns, live in samples]
