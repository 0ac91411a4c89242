from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from harness.judge.lives import SILENT_END
from tests.unit.events import ARBITER, SOCKET, Record, healthy

NAME = "workers-exit-cleanly"
MISSING = f"FileNotFoundError: [Errno 2] No such file or directory: '{SOCKET}'"


def _crashes(record: Record, at_s: float, exception: str | None = MISSING, pid: int = 103) -> Record:
    record.log(at_s, pid, "crashed", "Exception in worker process")
    if exception is not None:
        record.log(at_s, None, None, "Traceback (most recent call last):").log(at_s, None, None, exception)
    return record


def test_it_holds_where_every_worker_went_by_itself() -> None:
    judgement = healthy().ask(NAME)
    assert (judgement.state, judgement.reason) == (State.HOLDS, "no worker ended by an exception or a signal")


def test_an_exception_is_a_crash() -> None:
    judgement = _crashes(healthy(), 3.0, "ValueError: x").ask(NAME)
    (finding,) = judgement.findings
    assert (judgement.state, finding.id) == (State.VIOLATED, FindingId.WORKER_CRASHED)
    assert finding.detail == "worker 103 ended by: ValueError: x (1 such workers)"
    assert finding.at_s == pytest.approx(3.0, abs=1e-3)


@pytest.mark.parametrize("state", ["signalled", "failed", "timed-out"])
def test_what_the_arbiter_says_of_a_dead_worker_is_a_crash(state: str) -> None:
    assert healthy().log(3.0, 103, state, "so it ended").ask(NAME).state is State.VIOLATED


def test_a_worker_that_the_arbiter_terminated_has_not_crashed() -> None:
    record = healthy().log(3.0, 103, "terminated", "Worker (pid:103) was sent SIGTERM!").live(3.1, 104)
    assert record.ask(NAME).state is State.HOLDS


def test_a_worker_that_vanished_without_a_word_was_killed() -> None:
    record = healthy().remove("log", pid=102, state="exiting")
    (finding,) = record.ask(NAME).findings
    assert SILENT_END in finding.detail
    assert finding.at_s == pytest.approx(2.1, abs=1e-3)


def test_a_worker_that_went_down_with_its_arbiter_has_not_crashed() -> None:
    record = healthy().cut("log", after_s=3.0).add(3.05, "arbiter", state="exited", pid=ARBITER, status=-9).live(3.1)
    assert record.remove("workers", final=True).live(5.96, final=True).ask(NAME).state is State.HOLDS


def test_a_crash_on_the_file_that_was_already_gone_belongs_to_that_finding() -> None:
    record = _crashes(healthy().gone(3.0), 3.2)
    judgement = record.ask(NAME)
    assert judgement.state is State.HOLDS
    assert judgement.reason.startswith("1 worker failed on the socket file that was already gone")


def test_so_it_does_on_python_2() -> None:
    record = _crashes(healthy().gone(3.0), 3.2, f"OSError: [Errno 2] No such file or directory: '{SOCKET}'")
    assert record.ask(NAME).state is State.HOLDS


def test_so_it_does_where_the_traceback_was_torn_apart_by_other_lines() -> None:
    record = _crashes(healthy().gone(3.0), 3.2, None).removal(3.19, 103, failed="ENOENT")
    assert record.ask(NAME).state is State.HOLDS


def test_so_it_does_where_the_arbiter_removed_the_file_at_its_own_end() -> None:
    record = _crashes(healthy().gone(3.0).log(3.0, ARBITER, "stopping"), 3.2)
    assert record.ask(NAME).state is State.HOLDS


def test_the_same_exception_before_the_file_was_gone_is_a_crash() -> None:
    assert _crashes(healthy().gone(3.0), 2.85).ask(NAME).state is State.VIOLATED


def test_a_watcher_that_tells_late_of_a_deletion_that_was_traced_makes_no_crash() -> None:
    record = _crashes(healthy().gone(3.0).removal(2.85, 102), 2.9)
    assert record.ask(NAME).state is State.HOLDS


def test_a_traced_deletion_after_the_exception_excuses_no_crash() -> None:
    record = _crashes(healthy().gone(3.0).removal(2.95, 102), 2.9)
    assert record.ask(NAME).state is State.VIOLATED


def test_a_deletion_that_nobody_traced_may_be_told_a_moment_late() -> None:
    assert _crashes(healthy().gone(3.0), 2.93).ask(NAME).state is State.HOLDS
    stalled = healthy().add(2.75, "stall", gap_ns=240_000_000).gone(3.0)
    assert _crashes(stalled, 2.8).ask(NAME).state is State.HOLDS


def test_the_same_exception_where_the_file_was_never_gone_is_a_crash() -> None:
    assert _crashes(healthy(), 3.2).ask(NAME).state is State.VIOLATED


@pytest.mark.parametrize(
    "exception",
    [
        "FileNotFoundError: [Errno 2] No such file or directory: '/etc/app.conf'",
        f"PermissionError: [Errno 13] Permission denied: '{SOCKET}'",
        "RuntimeError: x",
        None,
    ],
)
def test_another_exception_after_the_file_was_gone_is_a_crash(exception: str | None) -> None:
    assert _crashes(healthy().gone(3.0), 3.2, exception).ask(NAME).state is State.VIOLATED


def test_one_own_crash_among_those_that_follow_the_deletion_is_found() -> None:
    record = _crashes(_crashes(healthy().gone(3.0), 3.2), 3.3, "RuntimeError: x", pid=104)
    (finding,) = record.ask(NAME).findings
    assert finding.evidence == {"workers": [[104, "RuntimeError: x"]]}


def test_a_time_out_on_a_machine_that_stood_still_is_nobodys_crash() -> None:
    record = healthy().log(4.0, 103, "timed-out", "WORKER TIMEOUT (pid:103)")
    record.remove("log", state="timed-out").log(4.0, 103, "timed-out", "WORKER TIMEOUT (pid:103)")
    assert record.ask(NAME).state is State.VIOLATED
    assert record.add(-40.0, "stall", gap_ns=31_000_000_000).ask(NAME).state is State.HOLDS


@pytest.mark.parametrize("gap_ns", [600_000_000, 9_000_000_000])
def test_a_short_stall_makes_no_time_out(gap_ns: int) -> None:
    record = healthy().log(4.0, 103, "timed-out", "WORKER TIMEOUT (pid:103)").add(1.0, "stall", gap_ns=gap_ns)
    assert record.ask(NAME).state is State.VIOLATED


@pytest.mark.parametrize("watcher", ["logs", "workers"])
def test_where_nobody_watched_to_the_end_it_is_unknown(watcher: str) -> None:
    assert healthy().remove("watcher", name=watcher, state="stopped").ask(NAME).state is State.UNKNOWN


def test_a_crash_counts_whoever_died_later() -> None:
    record = _crashes(healthy(), 3.0, "ValueError: x").remove("watcher", name="logs", state="stopped")
    assert record.ask(NAME).state is State.VIOLATED


def test_an_attempt_of_another_worker_or_of_later_excuses_no_crash() -> None:
    record = _crashes(healthy().gone(3.0), 3.2, "RuntimeError: x")
    assert record.removal(3.1, 104, failed="ENOENT").removal(3.3, 103, failed="ENOENT").ask(NAME).findings


def test_the_first_crash_is_told_and_all_are_listed() -> None:
    (finding,) = _crashes(_crashes(healthy(), 3.5, "B: 2", 103), 3.0, "A: 1", 104).ask(NAME).findings
    assert finding.detail.startswith("worker 104 ended by: A: 1 (2 such workers)")
    assert finding.evidence == {"workers": [[103, "B: 2"], [104, "A: 1"]]}
