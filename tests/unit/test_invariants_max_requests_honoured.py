from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from harness.core.observations import WorkerLife
from harness.judge.invariants.max_requests_honoured import is_recycle
from tests.unit.events import ARBITER, CELL, Record, healthy

NAME = "max-requests-honoured"
MOST = CELL.max_requests + CELL.connections + 2
THREADS = CELL.threads
"""What a thread worker may take before it looks at its count."""
LEAST = CELL.max_requests - CELL.threads - 2


def _ends(record: Record, served: int, at_s: float = 3.0, *, announced: bool = False) -> Record:
    """Worker 103 ends after so many requests; 105 takes its place."""
    record.remove("served", by_pid={"103": {"200": 60}}).served(at_s - 0.1, 103, served)
    if announced:
        record.log(at_s - 0.05, 103, "restarting", "Autorestarting worker after current request.")
    record.log(at_s, 103, "exiting").live(at_s + 0.1, 104).boots(at_s + 0.2, 105).live(at_s + 0.3, 104, 105)
    return record.cut("workers", after_s=5.9).live(5.96, 104, 105, final=True)


def test_it_holds_where_workers_restart_in_time() -> None:
    judgement = healthy().ask(NAME)
    assert (judgement.state, judgement.reason) == (State.HOLDS, "2 workers restarted after 100 to 104 requests each")


@pytest.mark.parametrize(("served", "state"), [(MOST + THREADS, State.HOLDS), (MOST + THREADS + 1, State.VIOLATED)])
def test_a_worker_that_served_too_many_and_lives_is_found(served: int, state: State) -> None:
    record = healthy().served(4.5, 104, served - 40)
    judgement = record.ask(NAME)
    assert judgement.state is state
    assert [finding.id for finding in judgement.findings] == [FindingId.MAX_REQUESTS_IGNORED] * (
        state is State.VIOLATED
    )


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent", "eventlet", "tornado", "asgi"])
@pytest.mark.parametrize(("served", "late"), [(MOST, False), (MOST + 1, True), (36 * MOST, True)])
def test_a_worker_that_restarted_late_is_found(worker: str, served: int, *, late: bool, announced: bool) -> None:
    record = _ends(healthy(), served, announced=announced).with_cell(worker=worker, threads=1)
    assert record.found() == [FindingId.RECYCLED_LATE] * late


def test_each_thread_may_take_a_request_before_the_worker_looks_at_its_count() -> None:
    """Seen on 19.8.1 with 5 threads on a busy machine: 92 requests, where the limit and the clients' make 91."""
    for worker, threads, late in (("gthread", 5, False), ("gthread", 4, True), ("gthread", 1, True), ("sync", 5, True)):
        record = _ends(healthy(), MOST + 5, announced=True).with_cell(worker=worker, threads=threads)
        assert record.found() == [FindingId.RECYCLED_LATE] * late


def test_a_late_restart_is_told_with_its_bound() -> None:
    (finding,) = _ends(healthy().with_cell(max_requests_jitter=5), 873).ask(NAME).findings
    assert finding.detail == (
        "worker 103 restarted after 873 requests; 119 is the most it may "
        "(limit 100, jitter 5, 12 in its clients' hands, 2 for its threads) (1 such workers)"
    )
    assert finding.evidence == {"workers": [[103, 873]], "most": 119}
    assert finding.at_s == pytest.approx(3.1, abs=1e-3)


def test_jitter_lets_a_worker_restart_later() -> None:
    record = _ends(healthy(), MOST + 50)
    assert record.found() == [FindingId.RECYCLED_LATE]
    assert record.with_cell(max_requests_jitter=50).found() == []


@pytest.mark.parametrize(
    ("alive", "found"),
    [
        (MOST, [FindingId.RECYCLED_LATE]),
        (400, [FindingId.RECYCLED_LATE]),
        (401, [FindingId.MAX_REQUESTS_IGNORED, FindingId.RECYCLED_LATE]),
    ],
)
def test_a_worker_that_lives_where_others_restart_late_ignores_its_limit_only_beyond_them(
    alive: int, found: list[FindingId]
) -> None:
    assert _ends(healthy(), 400).served(4.5, 104, alive - 40).found() == found


def test_a_worker_that_ends_with_the_arbiter_did_not_restart_late() -> None:
    assert _ends(healthy(), 400).log(2.9, ARBITER, "stopping").ask(NAME).findings == ()


def test_without_a_limit_no_worker_is_late() -> None:
    assert _ends(healthy().with_cell(max_requests=0), 5000).found() == [FindingId.RECYCLED_EARLY]


@pytest.mark.parametrize("jitter", [0, 100])
def test_a_jitter_alone_is_no_limit(jitter: int) -> None:
    cell = {"max_requests": 0, "max_requests_jitter": jitter}
    assert _steady().with_cell(**cell).ask(NAME).state is State.HOLDS
    assert healthy().with_cell(**cell).found() == [FindingId.RECYCLED_EARLY]


def test_jitter_allows_more() -> None:
    record = healthy().served(4.5, 104, MOST + 50 - 40)
    assert record.ask(NAME).state is State.VIOLATED
    assert record.with_cell(max_requests_jitter=50).ask(NAME).state is State.HOLDS


@pytest.mark.parametrize(("served", "early"), [(LEAST, False), (LEAST - 1, True)])
def test_a_worker_that_ends_short_of_its_limit_is_found(served: int, *, early: bool) -> None:
    judgement = _ends(healthy(), served, announced=True).ask(NAME)
    assert [finding.id for finding in judgement.findings] == [FindingId.RECYCLED_EARLY] * early


def test_lines_that_the_access_log_lost_when_the_load_ended_are_no_early_restart() -> None:
    """At the end of the load every open connection is closed, and what was in hand may never be logged."""
    assert _ends(healthy(), 100 - CELL.connections - 2, 4.95, announced=True).ask(NAME).findings == ()
    assert _ends(healthy(), 100 - CELL.connections - 3, 4.95, announced=True).ask(NAME).findings


@pytest.mark.parametrize(("served", "early"), [(LEAST - 2, False), (LEAST - 3, True)])
def test_probes_that_waited_too_long_may_be_counted_and_never_logged(served: int, *, early: bool) -> None:
    record = _ends(healthy(), served, announced=True)
    record.probe(2.3, "direct", "timeout", 2.0).probe(2.9, "proxy", "timeout", 2.0).probe(3.5, "proxy", "timeout", 2.0)
    assert bool(record.ask(NAME).findings) is early


@pytest.mark.parametrize("watcher", ["tallies", "workers", "logs"])
def test_a_worker_that_was_badly_watched_is_not_accused(watcher: str) -> None:
    record = _ends(healthy(), 10).remove("watcher", name=watcher, state="stopped")
    assert record.ask(NAME).state is State.UNKNOWN


def test_workers_of_an_arbiter_that_stops_are_not_accused() -> None:
    assert _ends(healthy(), 10).log(2.9, ARBITER, "stopping").ask(NAME).findings == ()
    ended = _ends(healthy(), 10).add(5.0, "arbiter", state="exited", pid=ARBITER, status=1)
    assert ended.ask(NAME).findings == ()


def test_a_crash_is_no_early_restart() -> None:
    record = _ends(healthy(), 10).log(2.95, 103, "crashed", "Exception in worker process")
    assert record.ask(NAME).findings == ()


def test_a_worker_that_was_killed_is_no_early_restart() -> None:
    record = _ends(healthy(), 10).remove("log", pid=103, state="exiting")
    assert record.ask(NAME).findings == ()
    assert record.found() == [FindingId.WORKER_CRASHED]


def test_without_a_limit_no_worker_may_restart() -> None:
    judgement = healthy().with_cell(max_requests=0).ask(NAME)
    (finding,) = judgement.findings
    assert finding.id is FindingId.RECYCLED_EARLY
    assert finding.evidence == {"workers": [[101, 100], [102, 104]]}


def _steady() -> Record:
    """No worker restarts, whatever they serve."""
    record = healthy().with_cell(max_requests=0).cut("log", after_s=0.0).cut("workers", after_s=0.0)
    return record.cut("served", after_s=0.0).served(4.0, 101, 9000).live(5.96, 101, 102, final=True)


def test_without_a_limit_and_a_restart_it_holds() -> None:
    assert _steady().ask(NAME).state is State.HOLDS


def test_without_a_limit_and_without_load_it_is_unknown() -> None:
    assert _steady().remove("load").ask(NAME).state is State.UNKNOWN


def test_where_nobody_came_to_the_limit_it_is_unknown() -> None:
    judgement = _steady().with_cell(max_requests=20_000).ask(NAME)
    assert (judgement.state, judgement.reason) == (State.UNKNOWN, "no worker came to the end of 20000 requests")


def test_a_worker_that_booted_as_the_window_closed_did_not_end_early() -> None:
    assert healthy().boots(5.97, 105).ask(NAME).findings == ()


@pytest.mark.parametrize(
    ("ended", "announced", "served", "limit", "recycled"),
    [
        (True, True, 5, 100, True),
        (True, False, 100, 100, True),
        (True, False, 99, 100, False),
        (False, True, 100, 100, False),
        (False, False, 500, 100, False),
        (True, False, 5, 0, False),
        (True, True, 5, 0, True),
    ],
)
def test_what_counts_as_a_recycle(*, ended: bool, announced: bool, served: int, limit: int, recycled: bool) -> None:
    life = WorkerLife(
        pid=1, booted_ns=1, ended_ns=9 if ended else None, served=served, restart_ns=8 if announced else None
    )
    assert is_recycle(replace(CELL, max_requests=limit), life) is recycled


def test_the_first_of_those_that_ended_early_is_told() -> None:
    (finding,) = healthy().with_cell(max_requests=0).ask(NAME).findings
    assert finding.detail == "worker 101 ended after 100 requests, but max_requests is 0 (2 such workers)"
    assert finding.at_s == pytest.approx(1.1, abs=1e-3)


@pytest.mark.parametrize(("worker", "early"), [("gthread", True), ("gevent", False), ("asgi", False)])
def test_an_async_worker_may_have_all_open_connections_in_hand(worker: str, *, early: bool) -> None:
    record = _ends(healthy(), CELL.max_requests - CELL.connections - 2, announced=True).with_cell(worker=worker)
    assert bool(record.ask(NAME).findings) is early


def test_an_access_log_that_names_no_worker_accuses_none_and_acquits_none() -> None:
    record = healthy().cut("served", after_s=-1.0)
    judgement = record.ask(NAME)
    assert (judgement.state, judgement.findings) == (State.UNKNOWN, ())
    assert "access log" in judgement.reason


@pytest.mark.parametrize(("given_up", "early"), [(2, True), (3, False)])
def test_requests_that_were_given_up_before_the_first_answer_count_and_leave_no_line(
    given_up: int, *, early: bool
) -> None:
    record = _ends(healthy(), CELL.max_requests - CELL.threads - 2 - 3, announced=True)
    assert bool(record.add(-0.1, "readiness", given_up=given_up).ask(NAME).findings) is early


def test_a_worker_that_was_given_no_time_to_end_has_not_ignored_its_limit() -> None:
    record = healthy().served(4.5, 104, 400).add(6.05, "interrupted", phase="load")
    assert record.found() == [FindingId.MAX_REQUESTS_IGNORED], "it never said that it restarts"
    assert record.log(4.6, 104, "restarting").found() == []
