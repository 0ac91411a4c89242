from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.stack.load.pace import Schedule, deal_out

START_NS = 10**15
rates = st.integers(1, 100_000)


@given(rates, st.integers(1, 8), st.floats(0.001, 2.0))
def test_all_processes_together_keep_the_rate(rate: int, processes: int, seconds: float) -> None:
    end_ns = START_NS + int(seconds * 1e9)
    parts = [deal_out(rate, processes=processes, process=one, start_ns=START_NS) for one in range(processes)]
    due = sum(part.due(end_ns) for part in parts)
    assert abs(due - rate * seconds) <= 1


@given(rates, st.integers(1, 8), st.integers(0, 5_000))
def test_starts_are_evenly_spaced_over_the_processes(rate: int, processes: int, number: int) -> None:
    parts = [deal_out(rate, processes=processes, process=one, start_ns=START_NS) for one in range(processes)]
    for one, part in enumerate(parts):
        exact_ns = START_NS + (number * processes + one) * 1e9 / rate
        assert abs(part.at_ns(number) - exact_ns) <= 1_000


@given(rates, st.integers(0, 10**10))
def test_due_counts_the_starts_before_a_moment(rate: int, later_ns: int) -> None:
    schedule = deal_out(rate, processes=1, process=0, start_ns=START_NS)
    due = schedule.due(START_NS + later_ns)
    assert due == 0 or schedule.at_ns(due - 1) < START_NS + later_ns
    assert schedule.at_ns(due) >= START_NS + later_ns


def test_nothing_is_due_before_the_start() -> None:
    assert Schedule(first_ns=START_NS, step_ns=1e9).due(START_NS) == 0
    assert Schedule(first_ns=START_NS, step_ns=1e9).due(START_NS - 10**9) == 0
    assert Schedule(first_ns=START_NS, step_ns=1e9).due(START_NS + 1) == 1
