"""Probes that wait at one time: the same as when each of them is looked at."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.core.events.clients import Probe
from harness.judge.event_table import EventTable
from harness.judge.waits import list_waits

MOMENTS = st.none() | st.integers(0, 12)
PROBES = st.builds(
    Probe,
    at_ns=st.integers(0, 9),
    via=st.just("direct"),
    outcome=st.sampled_from(("200", "timeout")),
    took_ns=st.integers(0, 5),
    id=st.none(),
)


def waits(probe: Probe, at_ns: int) -> bool:
    return probe.at_ns <= at_ns and (probe.outcome == "timeout" or at_ns <= probe.at_ns + probe.took_ns)


@given(st.lists(PROBES), MOMENTS, MOMENTS)
def test_the_most_within_a_span(probes: list[Probe], since_ns: int | None, until_ns: int | None) -> None:
    span = range(since_ns or 0, (20 if until_ns is None else until_ns) + 1)
    most = max((sum(waits(probe, at_ns) for probe in probes) for at_ns in span), default=0)
    assert list_waits(probes).count_most(since_ns, until_ns) == most


@given(st.lists(PROBES))
def test_of_a_table_they_are_found_once(probes: list[Probe]) -> None:
    table = EventTable(Probe)
    for probe in probes:
        table.append(probe)
    assert list_waits(table) == list_waits(probes)
    assert list_waits(table) is list_waits(table)
