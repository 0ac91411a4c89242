from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.events.base import UnknownEvent
from harness.core.model import Outcome
from harness.judge.lives import SILENT_END
from harness.judge.timeline import MUTE, find_blind, observe, since_load_s
from tests.unit.events import ARBITER, CELL, INODE, Record, at_ns, healthy


@given(st.integers())
def test_the_order_of_arrival_changes_nothing(seed: int) -> None:
    record = healthy().gone(3.0).removal(2.999, 101).outage(3.5)
    assert record.shuffled(seed).observe() == record.observe()


def test_nothing_in_the_record_is_nothing_observed() -> None:
    seen = observe(CELL, [])
    assert (seen.arbiter_pid, seen.lives, seen.load, seen.live_at_end, seen.watchers) == (None, (), None, None, {})


def test_kinds_that_nobody_knows_are_told_and_change_nothing_else() -> None:
    strange = UnknownEvent(at_ns=at_ns(7.0), name="phases-of-the-moon", said={"name": "full"})
    seen = observe(CELL, [*healthy().events, strange, strange])
    assert seen.defects == ("the record has events of the kind phases-of-the-moon, which this version does not know",)
    assert replace(seen, defects=()) == healthy().observe()


def test_what_happened_after_the_window_does_not_count() -> None:
    record = healthy().socket(6.01, "deleted").removal(6.005, ARBITER).log(6.01, 103, "signalled", "killed")
    record.probe(6.02, "proxy", "closed").live(6.03).add(6.04, "arbiter", state="exited", pid=ARBITER, status=-9)
    assert record.observe() == healthy().observe()


def test_a_probe_that_the_teardown_cut_off_does_not_count() -> None:
    record = healthy().probe(5.9, "direct", "closed", took_s=0.2)
    assert record.observe().probes == healthy().observe().probes


def test_a_probe_that_ended_within_the_window_counts() -> None:
    assert len(healthy().probe(5.9, "direct", "closed", took_s=0.05).observe().probes) == 85


def test_a_record_that_was_cut_short_is_read_to_its_end() -> None:
    record = healthy().remove("phase", name="closed").remove("phase", name="ended").socket(6.2, "deleted")
    assert record.observe().socket[-1].action == "deleted"


def test_faults_and_interruptions_count_even_after_the_window() -> None:
    seen = healthy().add(6.05, "interrupted", phase="load").add(6.06, "fault", outcome="error", what="x").observe()
    assert (seen.interrupted, seen.fault) == ("load", {"outcome": "error", "what": "x"})


@pytest.mark.parametrize(
    ("pid", "ppid", "role"), [(ARBITER, 1, "arbiter"), (101, ARBITER, "worker"), (555, 101, "other")]
)
def test_who_removed_the_path_is_told_by_the_process_tree(pid: int, ppid: int, role: str) -> None:
    (removal,) = healthy().removal(3.0, pid, ppid=ppid).observe().removals
    assert removal.culprit.role == role
    assert removal.culprit.stack[-1] == "gunicorn/sock.py:123 close"
    assert removal.culprit.source[-1] == "os.unlink(self.cfg_addr)"


def test_the_role_is_known_even_where_the_trace_is_older_than_the_word_of_the_start() -> None:
    record = Record().removal(-0.46, 101).add(-0.45, "arbiter", state="started", pid=ARBITER)
    assert record.observe().removals[0].culprit.role == "worker"


def test_a_watcher_that_died_stays_dead() -> None:
    record = healthy().add(3.0, "watcher", name="prober", state="died", detail="RuntimeError: x")
    assert record.observe().watchers["prober"] == "died: RuntimeError: x"
    assert find_blind(record.observe(), "logs", "prober") == (
        "the watcher prober did not see the whole run: died: RuntimeError: x"
    )
    assert find_blind(record.observe(), "logs", "workers") is None


def test_the_tracer_saw_the_run_where_the_arbiter_loaded_it() -> None:
    assert healthy().observe().watchers["tracer"] == "stopped"


@pytest.mark.parametrize(
    ("record", "state"),
    [
        (healthy().remove("tracer"), "died: it was never loaded by the arbiter"),
        (healthy().remove("tracer").add(0.0, "tracer", pid=101), "died: it was never loaded by the arbiter"),
        (healthy().add(1.0, "tracer-problem", text="OSError(2)"), "died: OSError(2)"),
        (healthy().remove("watcher", name="logs", state="stopped"), "died: its file was not read to the end"),
        (healthy(CELL.__class__(spec="1", trace=False)), "off"),
    ],
)
def test_the_tracer_is_not_believed_where_it_can_have_missed_something(record: Record, state: str) -> None:
    assert record.observe().watchers["tracer"] == state


def _told_ends(status: int, *states: str) -> Record:
    """The log has no lines of these states; the tracer saw the arbiter get the exit statuses of both that ended."""
    record = healthy()
    for state in states:
        record.remove("log", state=state)
    for at_s, pid in ((1.05, 101), (2.05, 102)):
        record.add(at_s, "child-ended", pid=ARBITER, ppid=1, child=pid, status=status)
    return record


def test_a_worker_whose_exit_status_was_seen_has_not_crashed_in_silence() -> None:
    assert [life.crash for life in _told_ends(0, "exiting").observe().lives] == [None] * 4
    assert [life.crash for life in _told_ends(-9, "exiting").observe().lives] == [SILENT_END, SILENT_END, None, None]


def test_a_log_that_keeps_silent_hides_nothing_that_the_tracer_saw() -> None:
    silent = ("booted", "restarting", "exiting")
    assert _told_ends(0, *silent).observe().watchers["logs"] == "stopped"
    assert _told_ends(0, *silent).remove("child-ended", child=102).observe().watchers["logs"] == MUTE


def test_only_the_arbiter_can_say_that_the_arbiter_stops() -> None:
    assert healthy().log(3.0, 101, "stopping", "Shutting down: Master").observe().arbiter_stopping_ns is None
    seen = healthy().log(3.0, ARBITER, "stopping").log(4.0, ARBITER, "stopping").observe()
    assert since_load_s(seen, seen.arbiter_stopping_ns or 0) == pytest.approx(3.0, abs=1e-3)
    assert seen.arbiter_asked_ns is None


def test_a_line_without_pid_is_no_line_of_an_unknown_arbiter() -> None:
    assert Record().log(0.0, None, "stopping").observe().arbiter_stopping_ns is None


@pytest.mark.parametrize(("state", "stops"), [("asked", False), ("asked-to-stop", True)])
def test_a_signal_from_somebody_else_is_told_apart_from_an_own_end(state: str, *, stops: bool) -> None:
    seen = healthy().log(3.0, ARBITER, state).observe()
    assert seen.arbiter_asked_ns is not None
    assert (seen.arbiter_stopping_ns is not None) is stops


def test_the_first_end_of_arbiter_and_proxy_counts() -> None:
    record = healthy().add(3.0, "arbiter", state="exited", pid=ARBITER, status=3).add(3.0, "proxy", state="exited")
    record.add(4.0, "arbiter", state="exited", pid=ARBITER, status=-9).add(4.0, "proxy", state="exited")
    seen = record.observe()
    assert seen.arbiter_status == 3
    assert since_load_s(seen, seen.proxy_exit_ns or 0) == pytest.approx(3.0, abs=1e-3)


def test_an_access_log_that_contradicts_app_and_clients_makes_a_record_that_can_t_be_believed() -> None:
    counts = {"requests": 980, "answered": 980}
    record = healthy().gone(3.0)
    assert record.add(6.2, "ledger", state="closed", counts=counts).judge().outcome is Outcome.VIOLATED
    record.add(6.3, "ledger", state="closed", counts=counts, disagreements={"other_status": 300})
    verdict = record.judge()
    assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
    assert "another status than their clients got" in verdict.reasons[0]


def test_times_are_counted_from_the_load_else_from_the_first_phase() -> None:
    assert since_load_s(healthy().observe(), at_ns(1.5)) == pytest.approx(1.5)
    assert since_load_s(Record().phases(boot=-2.0).observe(), at_ns(0.0)) == pytest.approx(2.0)
    assert since_load_s(Record().observe(), 42) == 0.0


def test_changes_of_the_socket_come_in_order_with_their_inode() -> None:
    assert [(change.action, change.inode) for change in healthy().observe().socket] == [
        ("created", INODE),
        ("snapshot", INODE),
    ]


def test_tallies_of_the_proxys_log_are_summed() -> None:
    record = healthy().add(1.0, "proxy_errors", reasons={"connect": 2}).add(2.0, "proxy_errors", reasons={"connect": 3})
    assert record.observe().proxy_errors == {"connect": 5}


def test_the_last_word_of_the_load_is_kept_and_its_start_is_none() -> None:
    load = healthy().add(0.0, "load", state="started", client="wrk", pid=9).observe().load
    assert load is not None
    assert (load.requests, load.failed) == (980, None)


def test_events_are_not_changed_by_being_observed() -> None:
    record = healthy()
    before = copy.deepcopy(record.events)
    record.observe()
    assert record.events == before


def test_the_control_requests_that_were_asked_and_answered() -> None:
    seen = healthy().remove("control").add(-0.05, "control", asked=30, answered=29).observe()
    assert (seen.control_asked, seen.control_answered) == (30, 29)


def test_where_there_was_no_load_the_first_of_all_phases_counts() -> None:
    seen = Record().phases(boot=-1.0, prepare=-2.0, closed=3.0).observe()
    assert since_load_s(seen, at_ns(0.0)) == pytest.approx(2.0)
