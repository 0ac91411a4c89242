from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.model import CLIENT_ERRORS
from harness.stack.answers import WRONG_ANSWERS
from harness.stack.load.latency import bucket_us
from harness.stack.load.result import BUCKET_NS, NS_PER_TENTH, LoadTally, parse_result, render_result

SUMMARY = "summary requests=3 connect=1 read=0 write=0 timeout=2\n"
counts = st.integers(1, 10**6)
tallies = st.builds(
    LoadTally,
    outcomes=st.dictionaries(
        st.tuples(st.integers(0, 10**12), st.sampled_from(["200", "404", "502", *CLIENT_ERRORS])), counts
    ).map(Counter),
    own=st.dictionaries(st.tuples(st.integers(0, 10**12), st.sampled_from(["404", "503"])), counts).map(Counter),
    wrong=st.dictionaries(st.tuples(st.integers(0, 10**12), st.sampled_from([*WRONG_ANSWERS])), counts).map(Counter),
    took=st.dictionaries(st.tuples(st.integers(0, 10**11), st.integers(0, 25).map(str)), counts).map(Counter),
    late=st.integers(0, 99),
    latency=st.dictionaries(st.integers(0, 10**11).map(bucket_us), counts).map(Counter),
    pace=st.dictionaries(st.sampled_from(["due", "delayed", "unstarted"]), counts).map(Counter),
)


@given(tallies)
def test_what_is_written_is_read(tally: LoadTally) -> None:
    report = parse_result(render_result(tally))
    assert report is not None
    total: Counter[str] = Counter()
    for (_, outcome), count in tally.outcomes.items():
        total[outcome] += count
    assert report.statuses + report.errors == total
    assert report.requests == sum(report.statuses.values())
    rows = {row.at_ns // BUCKET_NS: row for row in report.answers}
    assert {(at, outcome): n for at, row in rows.items() for outcome, n in row.outcomes.items()} == tally.outcomes
    assert {(at, status): n for at, row in rows.items() for status, n in (row.by_app or {}).items()} == tally.own
    assert {(at, kind): n for at, row in rows.items() for kind, n in (row.wrong or {}).items()} == tally.wrong
    assert {(at // NS_PER_TENTH, power): n for at, row in report.took.items() for power, n in row.items()} == tally.took
    assert (dict(report.pace), bool(report.latency_ms)) == (tally.pace, bool(tally.latency))
    if sum(report.errors.values()):
        assert report.late == tally.late


@given(tallies, st.integers(1, 60))
def test_a_torn_result_is_none(tally: LoadTally, missing: int) -> None:
    assert parse_result(render_result(tally)[:-missing]) is None


def test_timed_errors_and_late_answers() -> None:
    report = parse_result("answers 1 200 3\nerrors 1 refused 1\nerrors 2 timeout 2\nlate 1\n" + SUMMARY)
    assert report is not None
    assert (report.requests, report.errors, report.late) == (3, {"refused": 1, "timeout": 2}, 1)
    assert [row.outcomes for row in report.answers] == [{"200": 3, "refused": 1}, {"timeout": 2}]


def test_totals_alone_are_wrks_and_all_its_time_outs_were_late_answers() -> None:
    report = parse_result("answers 1 200 3\n" + SUMMARY)
    assert report is not None
    assert (report.errors, report.late) == ({"refused": 1, "timeout": 2, "closed": 0}, 2)
    assert (report.latency_ms, report.pace) == ({}, {})


def test_the_tallies_of_all_processes_are_summed() -> None:
    total = LoadTally()
    for _ in range(2):
        total.add(LoadTally(outcomes=Counter({(1, "200"): 2}), late=1, latency=Counter({5: 2}), pace=Counter(due=3)))
    assert total == LoadTally(outcomes=Counter({(1, "200"): 4}), late=2, latency=Counter({5: 4}), pace=Counter(due=6))


def test_an_outcome_that_nobody_knows_is_not_written() -> None:
    with pytest.raises(ValueError, match="no client error is called 'odd'"):
        render_result(LoadTally(outcomes=Counter({(1, "odd"): 1})))
