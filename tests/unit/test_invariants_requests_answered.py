from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from tests.unit.events import CELL, Record, healthy

NAME = "requests-answered"


def test_it_holds_where_all_was_answered() -> None:
    judgement = healthy().ask(NAME)
    assert (judgement.state, judgement.findings) == (State.HOLDS, ())
    assert "all 980 requests" in judgement.reason


def test_a_client_error_of_the_app_is_an_answer() -> None:
    record = healthy().answers(3.0, s404=5).reload_ended(statuses={"200": 980, "404": 5})
    assert record.ask(NAME).state is State.HOLDS


def test_failed_responses_are_counted_and_placed() -> None:
    record = healthy().answers(0.98, s502=3, s200=1).answers(1.02, s502=2).answers(3.5, s500=1)
    record.reload_ended(statuses={"200": 981, "502": 5, "500": 1})
    judgement = record.ask(NAME)
    (finding,) = judgement.findings
    assert (judgement.state, finding.id) == (State.VIOLATED, FindingId.FAILED_RESPONSES)
    assert finding.at_s == pytest.approx(0.98, abs=1e-3)
    assert finding.evidence == {
        "failed": 6,
        "requests": 987 + 84,
        "bursts": 2,
        "bursts_near_a_recycle": 1,
        "restarts_cover": 0.12,
        "near_by_chance": 0.2256,
    }
    assert "1 of them while a worker restarted, which says little: restarts cover 12% of the load" in finding.detail
    assert "502 x 5, 500 x 1 in 2 bursts, 1 of them while a worker restarted" in finding.detail


def test_a_failure_in_a_bucket_that_also_has_successes_counts() -> None:
    assert healthy().answers(3.0, s200=100, s502=1).ask(NAME).state is State.VIOLATED


def test_a_status_that_was_counted_zero_times_is_no_failure() -> None:
    assert healthy().answers(3.0, s502=0).ask(NAME).state is State.HOLDS


@pytest.mark.parametrize("outcome", ["502", "closed", "timeout", "refused", "missing", "other"])
@pytest.mark.parametrize("via", ["proxy", "direct"])
def test_a_failed_probe_counts_on_both_ways(via: str, outcome: str) -> None:
    (finding,) = healthy().probe(3.0, via, outcome).ask(NAME).findings
    assert finding.evidence["failed"] == 1
    assert f"{outcome} x 1" in finding.detail


@pytest.mark.parametrize("error", ["closed", "refused", "timeout"])
def test_errors_that_only_the_load_counted_have_no_time_but_count(error: str) -> None:
    (finding,) = healthy().reload_ended(statuses={"200": 980}, errors={error: 4}).ask(NAME).findings
    assert finding.at_s is None
    assert finding.evidence["failed"] == 4


def test_more_time_outs_than_requests_are_still_a_verdict() -> None:
    record = healthy().cut("probe", after_s=-1.0).cut("answers", after_s=-1.0)
    (finding,) = record.reload_ended(statuses={}, errors={"timeout": 400}).ask(NAME).findings
    assert "400 of 400 requests failed (100.00%)" in finding.detail


def test_what_the_proxy_made_good_is_said_although_nobody_noticed() -> None:
    record = healthy().add(1.0, "proxy_errors", reasons={"reset": 12, "retried": 12})
    judgement = record.ask(NAME)
    assert judgement.state is State.HOLDS
    assert judgement.reason.endswith("; the proxy asked gunicorn again 12 times to bring that about")
    assert "again" not in healthy().ask(NAME).reason


def test_what_the_outage_explains_is_no_failed_response() -> None:
    judgement = healthy().removal(2.999, 101).gone(3.0).outage(3.2).ask(NAME)
    assert (judgement.state, judgement.findings) == (State.VIOLATED, ())
    assert "all of them belong to the permanent outage" in judgement.reason


def test_failures_before_the_deletion_are_reported_beside_the_outage() -> None:
    record = healthy().answers(1.0, s502=3).gone(3.0).outage(3.2)
    (finding,) = record.ask(NAME).findings
    assert finding.evidence["failed"] == 3
    assert finding.at_s == pytest.approx(1.0, abs=1e-3)


def test_failures_between_the_deletion_and_the_last_success_belong_to_the_outage() -> None:
    record = healthy().gone(3.0).answers(3.05, s502=30, s200=10).outage(3.5)
    assert record.ask(NAME).findings == ()


def test_errors_without_a_time_are_left_to_the_outage() -> None:
    record = healthy().gone(3.0).outage(3.2).reload_ended(statuses={"200": 5, "502": 5}, errors={"closed": 9})
    assert record.ask(NAME).findings == ()


def test_a_probe_that_hung_into_the_outage_belongs_to_it() -> None:
    record = healthy().gone(3.0).outage(3.2).probe(2.5, "direct", "timeout", took_s=2.0)
    assert record.ask(NAME).findings == ()


def test_the_direct_probe_alone_misses_a_path_that_was_deleted() -> None:
    """The proxy's open connections may go on: then no client failed, and the deletion is a finding of its own."""
    record = healthy().gone(3.0).cut("probe", after_s=3.0, via="direct")
    record.probes((3.0 + step / 20 for step in range(58)), "missing", "direct")
    judgement = record.ask(NAME)
    assert judgement.findings == ()
    assert judgement.reason == "requests failed; all of them belong to the deleted socket file"
    assert record.found() == [FindingId.SOCKET_DELETED]


def test_the_direct_probe_may_miss_the_path_before_its_watcher_tells_of_the_deletion() -> None:
    record = healthy().removal(2.7, 101).gone(3.0).cut("probe", after_s=2.7, via="direct")
    record.probes((2.72 + step / 20 for step in range(63)), "missing", "direct")
    assert record.ask(NAME).findings == ()


def test_the_direct_probe_before_the_deletion_is_not_explained_by_it() -> None:
    record = healthy().gone(3.0).outage(3.2).probe(1.0, "direct", "closed")
    (finding,) = record.ask(NAME).findings
    assert finding.evidence["failed"] == 1


def _proxy_fails(record: Record, since_s: float) -> Record:
    """Through the proxy nothing is answered any more; straight at gunicorn all is."""
    record.cut("probe", after_s=since_s, via="proxy").cut("answers", after_s=since_s)
    record.probes((since_s + step / 25 for step in range(int((5.9 - since_s) * 25))), "502", "proxy")
    return record.answers(since_s, s502=10)


def test_a_proxy_that_may_be_at_fault_makes_it_unknown() -> None:
    assert _proxy_fails(healthy(), 3.0).ask(NAME).state is State.UNKNOWN


def test_the_earlier_failures_of_a_doubtful_proxy_are_doubtful_too() -> None:
    assert _proxy_fails(healthy().answers(1.0, s502=5), 3.0).ask(NAME).state is State.UNKNOWN


def test_what_failed_straight_at_gunicorn_is_not_the_proxys_fault() -> None:
    record = _proxy_fails(healthy().probe(1.0, "direct", "closed"), 3.0)
    assert record.ask(NAME).state is State.VIOLATED


def test_time_outs_of_a_stalled_machine_are_unknown_not_violated() -> None:
    record = healthy().reload_ended(statuses={"200": 980}, errors={"timeout": 7})
    assert record.ask(NAME).state is State.VIOLATED
    stalled = record.add(2.0, "stall", gap_ns=2_500_000_000).ask(NAME)
    assert (stalled.state, stalled.findings) == (State.UNKNOWN, ())


def test_a_stall_before_the_load_excuses_nothing() -> None:
    record = healthy().reload_ended(statuses={"200": 980}, errors={"timeout": 7})
    assert record.add(-5.0, "stall", gap_ns=2_500_000_000).ask(NAME).state is State.VIOLATED


def test_a_stall_excuses_no_answer_that_came() -> None:
    record = healthy().answers(3.0, s502=1).add(2.0, "stall", gap_ns=2_500_000_000)
    assert record.ask(NAME).state is State.VIOLATED


@pytest.mark.parametrize(
    "record",
    [
        healthy().remove("load"),
        healthy().reload_ended(statuses={}),
        healthy().reload_ended(statuses={"200": 980}, failed="wrk left no result"),
        healthy().remove("watcher", name="prober", state="stopped"),
        healthy().cut("answers", after_s=-1.0).reload_ended(statuses={"404": 980}),
    ],
)
def test_where_nobody_looked_it_is_unknown(record: Record) -> None:
    judgement = record.ask(NAME)
    assert judgement.state is State.UNKNOWN
    assert judgement.reason


def test_failures_that_were_seen_count_although_the_load_failed() -> None:
    record = healthy().answers(3.0, s502=1).reload_ended(statuses={}, failed="wrk left no result")
    assert record.ask(NAME).state is State.VIOLATED


@pytest.mark.parametrize(("at_s", "near"), [(0.85, 0), (0.91, 1), (1.1, 1), (1.19, 1), (1.25, 0), (3.5, 0)])
def test_a_burst_is_near_a_recycle_while_a_worker_restarts(at_s: float, near: int) -> None:
    """Worker 101 says at 1.0 s that it restarts, and is gone at 1.1 s; the watchers may lag by 0.1 s."""
    (finding,) = healthy().answers(at_s, s502=1).ask(NAME).findings
    assert finding.evidence["bursts_near_a_recycle"] == near


def test_without_a_word_of_the_restart_the_end_of_the_worker_counts() -> None:
    record = healthy().remove("log", pid=101, state="restarting").answers(0.95, s502=1).answers(1.15, s502=1)
    (finding,) = record.ask(NAME).findings
    assert (finding.evidence["bursts"], finding.evidence["bursts_near_a_recycle"]) == (2, 1)


def test_connections_that_were_closed_or_refused_count_as_requests() -> None:
    (finding,) = healthy().reload_ended(statuses={"200": 980}, errors={"closed": 3, "refused": 2}).ask(NAME).findings
    assert finding.evidence["requests"] == 980 + 84 + 5


def test_late_answers_on_a_machine_that_others_use_are_unknown() -> None:
    late = healthy().reload_ended(statuses={"200": 500}, errors={"timeout": 72})
    assert late.ask(NAME).state is State.VIOLATED
    busy = late.add(4.9, "machine", foreign_share=0.6).ask(NAME)
    assert (busy.state, busy.findings) == (State.UNKNOWN, ())
    assert "60%" in busy.reason


def test_a_busy_machine_excuses_no_other_failure() -> None:
    record = healthy().reload_ended(statuses={"200": 500, "502": 1}, errors={"timeout": 72}).answers(3.0, s502=1)
    assert record.add(4.9, "machine", foreign_share=0.9).ask(NAME).state is State.VIOLATED


def test_failures_of_the_restart_that_deletes_the_socket_belong_to_the_outage() -> None:
    """The worker says that it restarts, fails some requests, and removes the file half a second later."""
    record = healthy().add(2.5, "log", pid=101, level="INFO", state="restarting", text="Autorestarting worker")
    record.answers(2.6, s502=3).removal(2.999, 101).gone(3.0).outage(3.2)
    assert record.ask(NAME).findings == ()


def test_errors_with_a_time_are_placed_and_counted_once() -> None:
    record = healthy().answers(1.02, closed=3).answers(3.5, refused=1)
    record.reload_ended(statuses={"200": 980}, errors={"closed": 5, "refused": 1}, late=0)
    (finding,) = record.ask(NAME).findings
    assert finding.at_s == pytest.approx(1.02, abs=1e-3)
    assert finding.evidence["failed"] == 6, "three with a time, two without one, and one more"
    assert "closed x 5, refused x 1 in 2 bursts, 1 of them while a worker restarted" in finding.detail


def test_errors_with_a_time_belong_to_the_outage_that_explains_them() -> None:
    record = healthy().gone(3.0).outage(3.2).answers(3.4, closed=7)
    record.reload_ended(statuses={"200": 500, "502": 490}, errors={"closed": 7}, late=0)
    assert record.ask(NAME).findings == ()
    assert record.answers(2.0, closed=1).reload_ended(statuses={"200": 500}, errors={"closed": 8}).ask(NAME).findings


def test_time_outs_with_a_time_say_nothing_where_the_machine_stood_still() -> None:
    record = healthy().answers(3.0, timeout=4).reload_ended(statuses={"200": 980}, errors={"timeout": 4}, late=4)
    assert record.ask(NAME).state is State.VIOLATED
    assert record.add(2.5, "stall", gap_ns=600_000_000).ask(NAME).state is State.UNKNOWN


def test_a_request_that_hung_is_a_request_and_one_that_was_late_is_not_two() -> None:
    record = healthy().answers(3.0, timeout=6).reload_ended(statuses={"200": 980}, errors={"timeout": 6}, late=2)
    (finding,) = record.ask(NAME).findings
    assert (finding.evidence["failed"], finding.evidence["requests"]) == (6, 980 + 4 + 84)


def test_one_burst_is_no_bursts() -> None:
    assert "in 1 burst, 0 of them" in healthy().answers(3.0, s502=1).ask(NAME).findings[0].detail


MANY = 300


def test_late_answers_of_a_service_that_has_too_many_clients_say_nothing_of_restarts() -> None:
    record = healthy().with_cell(connections=MANY).slow(answers=400)
    judgement = record.probe(3.0, "proxy", "timeout", took_s=2.0).ask(NAME)
    assert judgement.state is State.UNKNOWN
    assert "11 answers came too late, but 300 clients ask for more" in judgement.reason


def test_late_answers_of_a_service_that_serves_less_than_the_prober_asks_say_nothing_of_restarts() -> None:
    judgement = healthy().with_cell(connections=2).slow(answers=40).ask(NAME)
    assert judgement.state is State.UNKNOWN
    assert "fewer than 40 requests a second are served" in judgement.reason


@pytest.mark.parametrize(
    ("cell", "answers"),
    [({}, 2000), ({"threads": 150}, 400), ({"rate_per_s": 8}, 400), ({"rate_per_s": 8}, 40)],
    ids=["quick", "all can be in hand", "an open loop", "a slow open loop"],
)
def test_late_answers_count_where_clients_need_not_wait_for_each_other(cell: dict[str, int], answers: int) -> None:
    record = healthy().with_cell(**{"connections": MANY, **cell}).slow(answers=answers)
    assert record.ask(NAME).state is State.VIOLATED


def test_a_service_that_hangs_is_no_overload() -> None:
    record = healthy().cut("probe", after_s=1.0).with_cell(connections=MANY).slow(answers=400, until_s=1.0)
    assert record.ask(NAME).state is State.VIOLATED


def test_other_failures_count_however_slow_the_service_is() -> None:
    assert healthy().slow(answers=40).answers(3.0, s502=1).found() == [FindingId.FAILED_RESPONSES]


@pytest.mark.parametrize("queue", [CELL.connections - 1, CELL.connections, None])
def test_a_queue_too_short_for_all_clients_refuses_them_restart_or_not(queue: int | None) -> None:
    record = healthy().add(-0.1, "readiness", given_up=0, queue=queue).answers(3.0, s502=5)
    short = queue is not None and queue < CELL.connections
    assert record.ask(NAME).state is (State.UNKNOWN if short else State.VIOLATED)
    assert record.probe(3.0, "proxy", "closed").ask(NAME).state is State.VIOLATED, "it had been accepted"


def test_a_short_queue_deletes_no_socket() -> None:
    record = healthy().add(-0.1, "readiness", given_up=0, queue=1).removal(2.999, 101).gone(3.0).outage(3.2)
    assert record.found() == [FindingId.SOCKET_DELETED, FindingId.PERMANENT_OUTAGE]
