from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from harness.judge.outage import (
    ENOUGH_PROBES,
    ENOUGH_UNEXPLAINED,
    count_outcomes,
    covered_from_ns,
    find_outage,
    has_lasting_cause,
    is_gone_for_good,
    probe_failures,
    proxy_in_doubt,
)
from harness.judge.timeline import since_load_s
from harness.judge.vanishing import CLOCK_STEP_NS, arbiter_end_ns, find_removal, find_vanishing
from tests.unit.events import ARBITER, INODE, STOP_STACK, Record, fields_of, healthy

SLOT_S = 0.04


def _trailing(record: Record, count: int, outcome: str = "502", via: str = "proxy", took_s: float = 0.001) -> Record:
    """The last probes of the settle phase on one way, replaced."""
    record.cut("probe", after_s=5.9 - count * SLOT_S, via=via)
    return record.probes((5.9 - SLOT_S * step for step in range(count)), outcome, via, took_s=took_s)


def test_a_healthy_run_has_nothing_of_all_this() -> None:
    seen = healthy().observe()
    assert (find_vanishing(seen), find_outage(seen), covered_from_ns(seen)) == (None, None, None)
    assert not proxy_in_doubt(seen)
    assert not has_lasting_cause(seen)


@pytest.mark.parametrize("action", ["deleted", "moved"])
def test_the_path_vanished(action: str) -> None:
    vanishing = find_vanishing(healthy().gone(3.0, action).observe())
    assert vanishing is not None
    assert vanishing.action == action


def test_a_path_that_is_not_there_at_the_end_vanished_although_no_event_said_so() -> None:
    record = healthy().remove("socket", action="snapshot").socket(5.95, "snapshot", None)
    assert is_gone_for_good(record.observe())


def test_what_vanished_before_the_bind_was_somebody_elses() -> None:
    assert find_vanishing(healthy().socket(-0.45, "deleted").observe()) is None
    assert find_vanishing(Record().socket(1.0, "deleted").observe()) is None


@pytest.mark.parametrize("end_s", [2.95, 3.0, 3.09])
def test_the_arbiter_cleans_up_after_itself(end_s: float) -> None:
    said = healthy().gone(3.0).log(end_s, ARBITER, "stopping")
    ended = healthy().gone(3.0).add(end_s, "arbiter", state="exited", pid=ARBITER, status=3)
    assert find_vanishing(said.observe()) is None
    assert find_vanishing(ended.observe()) is None


def test_an_arbiter_that_ends_later_did_not_do_it() -> None:
    record = healthy().gone(3.0).add(3.2, "arbiter", state="exited", pid=ARBITER, status=3)
    assert find_vanishing(record.observe()) is not None


def test_a_watcher_that_tells_late_of_a_deletion_does_not_make_it_the_arbiters_own() -> None:
    record = healthy().removal(2.9, 101).gone(3.2).add(3.05, "arbiter", state="exited", pid=ARBITER, status=3)
    assert find_vanishing(record.observe()) is not None


def test_a_log_that_is_read_late_does_not_make_the_arbiters_own_end_a_deletion() -> None:
    record = healthy().gone(3.0).log(3.3, ARBITER, "asked-to-stop")
    assert find_vanishing(record.observe()) is not None
    record.add(2.99, "signal-received", pid=ARBITER, ppid=1, signal=signal.SIGTERM)
    assert find_vanishing(record.observe()) is None
    assert since_load_s(record.observe(), arbiter_end_ns(record.observe()) or 0) == pytest.approx(2.99, abs=1e-3)


@pytest.mark.parametrize(
    ("at_s", "pid", "number"),
    [(1.0, ARBITER, signal.SIGTERM), (2.99, ARBITER, signal.SIGHUP), (2.99, 101, signal.SIGTERM)],
)
def test_another_signal_says_nothing_of_the_arbiters_end(at_s: float, pid: int, number: int) -> None:
    record = healthy().log(3.0, ARBITER, "asked-to-stop").add(at_s, "signal-received", pid=pid, ppid=1, signal=number)
    assert since_load_s(record.observe(), arbiter_end_ns(record.observe()) or 0) == pytest.approx(3.0, abs=1e-3)


def test_an_arbiter_that_unlinks_in_its_stop_may_take_its_time_to_say_so() -> None:
    record = healthy().removal(2.999, ARBITER, stack=STOP_STACK).gone(3.0)
    assert find_vanishing(record.observe()) is None
    assert find_vanishing(record.log(4.9, ARBITER, "stopping").observe()) is None


def test_an_arbiter_that_unlinks_while_it_goes_on_is_no_excuse() -> None:
    reload = [["gunicorn/arbiter.py", 390, "reload", "l.close()"], *STOP_STACK[-1:]]
    assert find_vanishing(healthy().removal(2.999, ARBITER, stack=reload).gone(3.0).observe()) is not None


def test_a_worker_with_a_method_called_stop_is_no_excuse() -> None:
    record = healthy().removal(2.999, 101, stack=STOP_STACK).gone(3.0)
    assert find_vanishing(record.observe()) is not None


def test_the_call_that_removed_the_path_is_the_last_successful_one_before_it_was_gone() -> None:
    record = healthy().removal(2.9, 101, failed="EPERM").removal(2.99, 102).removal(2.995, 103, failed="ENOENT")
    seen = record.gone(3.0).removal(3.001, 104).observe()
    vanishing, removal = find_vanishing(seen), None
    assert vanishing is not None
    removal = find_removal(seen, vanishing)
    assert removal is not None
    assert removal.culprit.pid == 102


def test_a_slow_watcher_does_not_lose_the_culprit() -> None:
    seen = healthy().removal(1.0, 101).gone(4.0).add(1.0, "stall", gap_ns=3_000_000_000).observe()
    vanishing = find_vanishing(seen)
    assert vanishing is not None
    assert find_removal(seen, vanishing) is not None


@pytest.mark.parametrize(("at_s", "failed"), [(2.99, "ENOENT"), (3.05, None), (-0.55, None)])
def test_a_call_that_cannot_have_done_it_is_not_named(at_s: float, failed: str | None) -> None:
    seen = healthy().removal(at_s, 101, failed=failed).gone(3.0).observe()
    vanishing = find_vanishing(seen)
    assert vanishing is not None
    assert find_removal(seen, vanishing) is None


def test_away_and_back_is_not_gone_for_good() -> None:
    record = healthy().socket(3.0, "moved").socket(3.5, "created", INODE)
    assert find_vanishing(record.observe()) is not None
    assert not is_gone_for_good(record.observe())
    assert is_gone_for_good(record.gone(4.0).observe())


def test_an_outage_begins_with_the_last_success() -> None:
    seen = healthy().gone(3.0).outage(3.5).observe()
    outage = find_outage(seen)
    assert outage is not None
    assert since_load_s(seen, outage.onset_ns) == pytest.approx(3.4, abs=0.01)
    assert outage.last_success_ns == outage.onset_ns


def test_an_outage_without_any_success_begins_with_the_first_failure_on_any_way() -> None:
    record = healthy().outage(0.0).probe(0.001, "direct", "timeout", took_s=2.0)
    outage = find_outage(record.observe())
    assert outage is not None
    assert outage.last_success_ns is None
    assert since_load_s(record.observe(), outage.onset_ns) == pytest.approx(0.001, abs=1e-4)
    assert not [p for p in probe_failures(record.observe()) if p.at_ns < outage.onset_ns]


@pytest.mark.parametrize(("count", "found"), [(ENOUGH_UNEXPLAINED - 1, False), (ENOUGH_UNEXPLAINED, True)])
def test_an_outage_that_nothing_explains_takes_many_failures(count: int, *, found: bool) -> None:
    assert (find_outage(_trailing(healthy(), count).observe()) is not None) is found


@pytest.mark.parametrize(("count", "found"), [(ENOUGH_PROBES - 1, False), (ENOUGH_PROBES, True)])
def test_an_outage_with_a_lasting_cause_takes_few(count: int, *, found: bool) -> None:
    gone = _trailing(healthy().gone(3.0), count)
    dead = _trailing(healthy().add(4.0, "arbiter", state="exited", pid=ARBITER, status=1), count)
    assert (find_outage(gone.observe()) is not None) is found
    assert (find_outage(dead.observe()) is not None) is found


def test_one_success_at_the_end_ends_an_outage() -> None:
    record = healthy().gone(3.0).outage(3.5).probe(5.93, "proxy", "200")
    assert find_outage(record.observe()) is None


def test_a_client_error_of_the_app_is_no_outage() -> None:
    assert find_outage(_trailing(healthy(), 22, "404").observe()) is None


def test_timeouts_of_a_machine_that_stood_still_are_no_outage() -> None:
    hung = _trailing(healthy(), 22, "timeout", took_s=0.01)
    assert find_outage(hung.observe()) is not None
    assert find_outage(hung.add(4.9, "stall", gap_ns=1_100_000_000).observe()) is None


def test_a_stall_excuses_no_answer_that_came() -> None:
    record = _trailing(healthy(), 22, "502").add(4.9, "stall", gap_ns=1_100_000_000)
    assert find_outage(record.observe()) is not None


def test_without_a_proxy_the_direct_way_is_the_clients() -> None:
    record = _trailing(healthy().with_cell(proxy="none"), 22, "refused", "direct")
    assert find_outage(record.observe()) is not None
    assert not proxy_in_doubt(record.observe())


def test_failures_of_the_direct_probe_are_no_outage_of_the_clients() -> None:
    assert find_outage(_trailing(healthy(), 22, "missing", "direct").observe()) is None


def test_a_proxy_that_fails_while_gunicorn_answers_is_in_doubt() -> None:
    assert proxy_in_doubt(_trailing(healthy(), 22).observe())


def test_a_proxy_that_ended_is_in_doubt() -> None:
    record = _trailing(_trailing(healthy(), 22), 22, "timeout", "direct")
    assert not proxy_in_doubt(record.observe())
    assert proxy_in_doubt(record.add(4.0, "proxy", state="exited", pid=9, status=-11).observe())


def test_a_proxy_is_not_blamed_for_a_path_that_is_gone() -> None:
    assert not proxy_in_doubt(_trailing(healthy().gone(3.0), 22).observe())


def test_a_proxy_is_in_doubt_where_the_path_has_come_back() -> None:
    record = _trailing(healthy(), 22).socket(1.0, "moved").socket(1.1, "created", INODE)
    assert proxy_in_doubt(record.observe())


def test_the_deletion_covers_the_failures_between_it_and_the_last_success() -> None:
    seen = healthy().gone(3.0).outage(3.5).observe()
    assert since_load_s(seen, covered_from_ns(seen) or 0) == pytest.approx(2.9, abs=1e-3)


def test_a_deletion_that_was_told_late_covers_from_the_traced_call_on() -> None:
    seen = healthy().removal(2.7, 555).gone(3.0).outage(3.5).observe()
    assert since_load_s(seen, covered_from_ns(seen) or 0) == pytest.approx(2.6, abs=1e-3)


def test_the_deletion_covers_what_failed_until_the_record_was_cut_short() -> None:
    """Interrupted before it settled: nobody knows how it would have gone on, but nobody was answered again either."""
    seen = healthy().gone(3.0).outage(3.5).cut("probe", after_s=5.0).observe()
    assert find_outage(seen) is None
    assert since_load_s(seen, covered_from_ns(seen) or 0) == pytest.approx(2.9, abs=1e-3)


def test_a_deletion_after_which_clients_were_answered_again_covers_nothing() -> None:
    assert covered_from_ns(healthy().gone(3.0).observe()) is None


def test_a_deletion_that_was_made_good_covers_nothing() -> None:
    record = _trailing(healthy(), 22).socket(1.0, "moved").socket(1.1, "created", INODE)
    assert since_load_s(record.observe(), covered_from_ns(record.observe()) or 0) == pytest.approx(5.01, abs=0.04)


def test_probes_before_the_load_and_those_of_a_stalled_machine_are_nobodys_failures() -> None:
    record = healthy().probe(-0.05, "direct", "missing").probe(2.0, "proxy", "timeout", took_s=2.0)
    assert len(probe_failures(record.observe())) == 1
    assert probe_failures(record.add(3.0, "stall", gap_ns=600_000_000).observe()) == []
    assert probe_failures(Record().probe(1.0, "direct", "closed").observe()) == []


@pytest.mark.parametrize(("stall_s", "excused"), [(1.4, False), (1.5, True), (3.99, True), (4.01, False)])
def test_a_stall_excuses_only_the_time_outs_that_it_overlaps(stall_s: float, *, excused: bool) -> None:
    record = healthy().probe(2.0, "proxy", "timeout", took_s=2.0).add(stall_s, "stall", gap_ns=550_000_000)
    assert (probe_failures(record.observe()) == []) is excused


def test_outcomes_are_counted_by_client() -> None:
    record = healthy().reload_ended(statuses={"200": 9, "502": 1}, errors={"closed": 2}).probe(1.1, "direct", "missing")
    assert count_outcomes(record.observe()) == {
        "wrk": {"200": 9, "502": 1, "closed": 2},
        "probe-proxy": {"200": 42},
        "probe-direct": {"200": 42, "missing": 1},
    }


def test_of_two_calls_that_succeeded_the_later_is_the_cause() -> None:
    """The first was a rename onto the path, say."""
    seen = healthy().removal(2.0, 101, call="os.replace").removal(2.999, 102).gone(3.0).observe()
    vanishing = find_vanishing(seen)
    assert vanishing is not None
    removal = find_removal(seen, vanishing)
    assert removal is not None
    assert removal.culprit.pid == 102


def test_the_clocks_of_tracer_and_watcher_may_differ_by_a_step() -> None:
    record = healthy().gone(3.0)
    change = next(event for event in record.events if fields_of(event).get("action") == "deleted")
    record.removal(3.0, 101)
    record.events[-1] = replace(record.events[-1], at_ns=change.at_ns + CLOCK_STEP_NS)
    vanishing = find_vanishing(record.observe())
    assert vanishing is not None
    assert find_removal(record.observe(), vanishing) is not None


@pytest.mark.parametrize("said_s", [3.0, 5.0])
def test_the_arbiters_end_is_the_first_word_of_it(said_s: float) -> None:
    record = healthy().log(said_s, ARBITER, "stopping").add(4.0, "arbiter", state="exited", pid=ARBITER, status=1)
    assert since_load_s(record.observe(), arbiter_end_ns(record.observe()) or 0) == pytest.approx(
        min(said_s, 4.0), abs=1e-3
    )


def test_a_bucket_of_successes_and_failures_is_both() -> None:
    mixed = healthy().gone(3.0).outage(3.5)
    mixed.answers(3.7, s200=1, s502=9)
    outage = find_outage(mixed.observe())
    assert outage is not None
    assert since_load_s(mixed.observe(), outage.onset_ns) == pytest.approx(3.7, abs=1e-3)
    never = healthy().cut("answers", after_s=-1.0).cut("probe", after_s=-1.0)
    _trailing(never.answers(2.0, s404=1, s502=9), 22)
    outage = find_outage(never.observe())
    assert outage is not None
    assert since_load_s(never.observe(), outage.onset_ns) == pytest.approx(2.0, abs=1e-3)


@pytest.mark.parametrize(("outcome", "is_outage"), [("timeout", False), ("502", True)])
def test_time_outs_behind_the_queue_of_an_overload_are_no_outage(outcome: str, *, is_outage: bool) -> None:
    slow = healthy().with_cell(connections=300).slow(answers=400)
    assert (find_outage(_trailing(slow, 22, outcome).observe()) is not None) is is_outage
    swamped = healthy().with_cell(connections=2).slow(answers=40)
    assert (find_outage(_trailing(swamped, 22, outcome).observe()) is not None) is is_outage


def test_time_outs_of_a_service_that_hangs_are_an_outage() -> None:
    hangs = healthy().cut("probe", after_s=1.0).with_cell(connections=300).slow(answers=400, until_s=1.0)
    assert find_outage(_trailing(hangs, 22, "timeout").observe()) is not None
    gone = healthy().with_cell(connections=300).slow(answers=400).gone(3.0)
    assert find_outage(_trailing(gone, 22, "timeout").observe()) is not None
