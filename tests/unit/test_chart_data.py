from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report.chart import draw_timeline, place_moments
from harness.report.chart_data import MOST_BINS, MOST_PROBES, find_bin_s, tabulate
from harness.report.chart_lives import MOST_LANES, MOST_LIVES
from tests.unit.events import healthy
from tests.unit.runs import bursts, deleted


def test_a_calm_run_has_no_first_failure_and_one_socket() -> None:
    tables = tabulate(healthy().observe())
    assert tables.focus_s is None
    assert tables.gone_s is None
    assert [(row["state"], row["what"]) for row in tables.socket] == [("present", "present")]
    assert [row["pid"] for row in tables.workers] == [101, 102, 103, 104]
    assert [row["lane"] for row in tables.workers] == [0, 1, 2, 3]
    assert [row["fate"] for row in tables.workers][:2] == ["recycled (max_requests)"] * 2
    assert [row["served"] for row in tables.workers] == [100, 104, 60, 40]
    assert {row["failed"] for row in tables.answers} == {False}


def test_a_deleted_socket_is_told_with_who_did_it() -> None:
    tables = tabulate(deleted().observe())
    assert tables.focus_s == tables.gone_s == 3.0
    assert [row["what"] for row in tables.socket] == ["present", "deleted by worker 101 with os.unlink"]
    assert tables.socket[0]["to"] == tables.socket[1]["from"] == 3.0
    assert tables.socket[-1]["to"] == tables.to_s


def test_failures_are_stacked_apart_from_successes() -> None:
    record = bursts().answers(1.0, closed=3, s201=4)
    rows = [row for row in tabulate(record.observe()).answers if row["from"] == 1.0]
    assert [(row["outcome"], row["failed"], row["count"]) for row in rows] == [
        ("200", False, 10),
        ("201", False, 4),
        ("502", True, 7),
        ("closed", True, 3),
    ]
    assert [row["low"] for row in rows] == [0.0, rows[0]["high"], 0.0, rows[2]["high"]]


def test_no_request_gets_lost_in_the_bins() -> None:
    tables = tabulate(deleted().observe())
    assert sum(int(str(row["count"])) for row in tables.answers) == sum(
        sum(row.outcomes.values()) for row in deleted().observe().answers
    )


@given(st.floats(min_value=0.001, max_value=1e6))
def test_bins_are_few_and_not_too_wide(span_s: float) -> None:
    width_s = find_bin_s(span_s)
    assert span_s / width_s <= MOST_BINS
    assert width_s == 0.01 or span_s / width_s >= MOST_BINS / 3


def test_a_long_run_stays_small() -> None:
    record = healthy()
    for step in range(30_000):
        record.answers(step / 10, s200=17, s502=step % 7)
        record.probe(step / 10, "proxy", "200" if step % 5 else "502")
    for worker in range(1000):
        record.boots(3 * worker, 1000 + worker).restarts(3 * worker + 2.5, 1000 + worker, served=500)
        record.live(3 * worker + 0.1, 1000 + worker).live(3 * worker + 2.9)
    record.remove("phase", name="closed").phases(closed=3001.0)
    observations = record.observe()
    tables = tabulate(observations)
    assert len(tables.answers) <= 2 * MOST_BINS
    assert len(tables.probes) <= MOST_PROBES
    assert tables.workers_share
    assert tables.lanes < MOST_LANES
    spec = json.dumps(draw_timeline(tables, []))
    assert len(spec) < 800_000


def test_of_many_lives_those_that_failed_are_seen_and_the_others_joined() -> None:
    record = healthy()
    for worker in range(3 * MOST_LIVES):
        at_s = worker / 1000
        record.boots(at_s, 1000 + worker).restarts(at_s + 0.0005, 1000 + worker, served=500)
    record.log(2.5, 3500, "crashed", "[2026-01-01 00:00:02 +0000] [3500] [ERROR] Exception in worker process")
    tables = tabulate(record.observe())
    assert tables.workers_joined
    assert len(tables.workers) <= 2 * MOST_LIVES
    assert [row["crash"] for row in tables.workers if row["fate"] == "failed"] == ["unhandled exception"]
    assert {mark["pid"] for mark in tables.marks if mark["event"] == "failure"} == {3500}
    assert sum(int(str(row["served"])) for row in tables.workers) == sum(life.served for life in record.observe().lives)


def test_workers_that_share_a_lane_never_overlap() -> None:
    record = healthy()
    for worker in range(60):
        record.boots(worker / 20, 1000 + worker).restarts(worker / 20 + 0.3, 1000 + worker, served=500)
    tables = tabulate(record.observe())
    by_lane: dict[object, list[tuple[float, float]]] = {}
    for row in tables.workers:
        by_lane.setdefault(row["lane"], []).append((float(str(row["from"])), float(str(row["to"]))))
    assert len(by_lane) == tables.lanes
    assert all(one[1] <= other[0] for spans in by_lane.values() for one, other in pairwise(spans))


def test_moments_that_are_close_get_rows_of_their_own() -> None:
    story = [{"at_s": at_s, "what": what} for at_s, what in ((0.0, "a"), (0.01, "b fails"), (5.0, "c"))]
    rows = place_moments([*story, {"what": "no time"}, "nonsense"], 6.0)
    assert [(row["number"], row["lane"], row["bad"]) for row in rows] == [
        ("1", 0, False),
        ("2", 1, True),
        ("3", 0, False),
    ]


def test_only_numbers_reach_the_expressions_of_the_chart() -> None:
    with pytest.raises(ValueError, match="live of workers must be"):
        healthy().add(0.5, "workers", live=[["'+alert(1)+'", 1]], final=False)
    with pytest.raises(ValueError, match="by_pid of served must be"):
        healthy().add(0.5, "served", by_pid={"'+alert(1)+'": {"200": 1}})
    record = healthy().log(0.6, None, "'+alert(1)+'", "'+alert(1)+'").served(0.7, 103, 1)
    spec = json.dumps(draw_timeline(tabulate(record.observe()), []))
    assert "alert" not in spec.split('"values"')[0]
    assert '"labelExpr": "[' in spec
    assert "alert" not in spec[spec.index("labelExpr") : spec.index("labelExpr") + 100]
