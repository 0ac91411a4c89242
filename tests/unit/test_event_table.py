"""Events that come by the hundred thousand: the same events, in the same order, in a fraction of the memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.events.base import Event
from harness.core.events.clients import Answers, AnswerTimes, Probe
from harness.core.events.course import Phase
from harness.core.events.doings import ChildEnded
from harness.core.events.servers import GunicornLine, LiveWorkers, Proxied, Served
from harness.judge import event_table
from harness.judge.event_table import EventTable, OrderedEvents

TIMES = st.integers(0, 5)
IDS = st.none() | st.sampled_from(("p1", "d007", "p", "p\u0661", "w12345678901234567890", "é5"))
PROBES = st.builds(
    Probe,
    at_ns=TIMES,
    via=st.sampled_from(("proxy", "direct")),
    outcome=st.sampled_from(("200", "timeout")),
    took_ns=st.integers(0, 2**62),
    id=IDS,
    by_app=st.none() | st.booleans(),
    wrong=st.none() | st.just("body"),
)
ANSWERS = st.builds(Answers, at_ns=TIMES, outcomes=st.dictionaries(st.sampled_from(("200", "502")), st.integers(0, 9)))
OTHERS = st.one_of(
    st.builds(Phase, at_ns=TIMES, name=st.just("load")),
    st.builds(Served, at_ns=TIMES, by_pid=st.just({7: {"200": 1}})),
    st.builds(AnswerTimes, at_ns=TIMES, took=st.just({12: 3})),
    st.builds(LiveWorkers, at_ns=TIMES, live=st.just(((7, 8),)), final=st.just(False)),
    st.builds(GunicornLine, at_ns=TIMES, text=st.text(max_size=5), pid=st.none(), state=st.none(), level=st.none()),
    st.builds(
        GunicornLine,
        at_ns=TIMES,
        text=st.just("WORKER TIMEOUT"),
        pid=st.just(7),
        state=st.just("timed-out"),
        level=st.none(),
    ),
    st.builds(
        ChildEnded, at_ns=TIMES, pid=st.integers(1, 9), ppid=st.just(1), child=st.just(2**70), status=st.integers(-9, 9)
    ),
)


@given(st.lists(PROBES | ANSWERS | OTHERS))
def test_they_come_back_whole_in_the_order_of_their_times(events: list[Event]) -> None:
    assert list(OrderedEvents(events)) == sorted(events, key=lambda event: event.at_ns)


@given(st.lists(PROBES))
def test_a_table_is_a_sequence_of_its_events(probes: list[Probe]) -> None:
    table = EventTable(Probe)
    for probe in probes:
        table.append(probe)
    assert table == probes
    assert table[1:] == probes[1:]
    assert table[-1:] == probes[-1:]


def test_rests_beyond_those_kept_ready_come_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_table, "MOST_READY", 1)
    answers = [Answers(at_ns=at, outcomes={"200": at}) for at in range(20 * event_table.BLOCK + 5)]
    assert list(OrderedEvents(answers)) == answers
    table = EventTable(Answers)
    for row in answers:
        table.append(row)
    assert [table[-at] for at in (1, 5, 6, 7, 5000)] == [answers[-at] for at in (1, 5, 6, 7, 5000)]


def test_a_line_whose_state_says_all_keeps_no_words() -> None:
    line = GunicornLine(at_ns=1, text="[7] Booting worker with pid: 7", pid=7, state="booted", level="INFO")
    assert list(OrderedEvents([line])) == [replace(line, text="")]


def test_what_no_judge_asks_for_is_left_out() -> None:
    assert list(OrderedEvents([Proxied(at_ns=1, statuses={"200": 1})])) == []


def test_an_event_takes_less_room_than_its_line() -> None:
    count = 20_000

    def make() -> Iterator[Event]:
        for at in range(count):
            yield Answers(at_ns=at * 10**7, outcomes={"200": at % 50})
            yield Probe(at_ns=at * 10**7, via="proxy", outcome="200", took_ns=at * 997, id=f"p{at}")

    tracemalloc.start()
    kept = OrderedEvents(make())
    taken_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sum(1 for _ in kept) == 2 * count
    assert taken_bytes < 2 * count * 80
