from __future__ import annotations

import signal
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.judge.culprits import is_apps
from harness.judge.meddling import By, find_meddling
from tests.unit.events import ARBITER, CELL, Record, healthy

KILL, TERM, HUP, STOP = (int(number) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP))
GUNICORNS = [
    ["gunicorn/arbiter.py", 189, "run", "self.manage_workers()"],
    ["gunicorn/arbiter.py", 600, "kill_worker", "os.kill(pid, sig)"],
]
APPS = [
    ["gunicorn/arbiter.py", 608, "spawn_worker", "worker.init_process()"],
    ["gunicorn/workers/sync.py", 184, "handle_request", "respiter = self.wsgi(environ, resp.start_response)"],
    ["noting.py", 150, "__call__", "body = self._app(environ, start)"],
    ["mine.py", 10, "app", "os.kill(os.getpid(), signal.SIGKILL)"],
    ["lib/python3.11/random.py", 3, "helper", ""],
]


def _traced(record: Record | None = None) -> Record:
    """A healthy run whose tracer tells of signals."""
    record = (record or healthy()).remove("tracer")
    return record.add(-0.44, "tracer", pid=ARBITER, ppid=1, python="3.11.7", signals=True)


def _sent(record: Record, at_s: float, target: int, number: int, stack: list[Any], *, pid: int = ARBITER) -> Record:
    parent = 1 if pid == ARBITER else ARBITER
    return record.add(
        at_s, "signal-sent", pid=pid, ppid=parent, call="os.kill", target=target, signal=number, stack=stack
    )


def _killed(record: Record, at_s: float = 3.0, pid: int = 103) -> Record:
    """A worker ends by SIGKILL, and another one comes."""
    record.add(at_s, "child-ended", pid=ARBITER, ppid=1, child=pid, status=-KILL)
    record.log(at_s, pid, "signalled", f"Worker (pid:{pid}) was sent SIGKILL! Perhaps out of memory?")
    record.remove("workers", final=True).live(at_s, 104).boots(at_s + 0.1, 105).live(at_s + 0.11, 104, 105)
    return record.live(5.96, 104, 105, final=True)


def _notes(record: Record) -> dict[str, str]:
    return {note.id: note.detail for note in record.judge().notes}


def test_nothing_is_said_of_a_run_in_which_nobody_meddled() -> None:
    record = _traced()
    assert find_meddling(record.observe()) == ()
    assert record.judge().outcome is Outcome.HOLDS


def test_a_worker_killed_by_nobody_of_the_run_is_interference() -> None:
    record = _killed(_traced())
    verdict = record.judge()
    assert (verdict.outcome, verdict.findings) == (Outcome.INCONCLUSIVE, ())
    assert "SIGKILL, which no process of gunicorn had sent" in _notes(record)["interference"]


def test_a_worker_killed_by_its_arbiter_has_crashed() -> None:
    record = _sent(_killed(_traced()), 2.9, 103, KILL, GUNICORNS)
    assert record.found() == [FindingId.WORKER_CRASHED]
    assert "interference" not in _notes(record)


def test_a_worker_that_the_app_killed_is_the_apps() -> None:
    record = _sent(_killed(_traced()), 2.9, 103, KILL, APPS, pid=103)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
    assert _notes(record)["app-errors"] == "the app sent SIGKILL to its own worker with os.kill"


@pytest.mark.parametrize("number", [KILL, TERM])
def test_what_the_harness_itself_sends_is_no_interference(number: int) -> None:
    record = _traced().add(2.9, "harness-signalled", who="worker", pid=103, signal=number, reason="a test")
    record.add(3.0, "child-ended", pid=ARBITER, ppid=1, child=103, status=-number)
    record.add(2.9, "harness-signalled", who="arbiter", pid=ARBITER, signal=HUP, reason="a test")
    record.add(3.0, "signal-received", pid=ARBITER, ppid=1, signal=HUP)
    assert find_meddling(record.observe()) == ()


def test_a_signal_that_came_twice_and_was_sent_once_is_interference() -> None:
    record = _traced().add(2.9, "harness-signalled", who="arbiter", pid=ARBITER, signal=HUP, reason="a test")
    for at_s in (3.0, 3.1):
        record.add(at_s, "signal-received", pid=ARBITER, ppid=1, signal=HUP)
    assert [entry.what for entry in find_meddling(record.observe())] == [
        "the arbiter got SIGHUP, which no process of gunicorn had sent"
    ]


def test_a_segmentation_fault_is_nobodys_signal() -> None:
    record = _killed(_traced()).remove("child-ended")
    record.add(3.0, "child-ended", pid=ARBITER, ppid=1, child=103, status=-int(signal.SIGSEGV))
    assert record.found() == [FindingId.WORKER_CRASHED]


def test_an_older_record_whose_tracer_does_not_tell_of_signals_is_judged_as_it_was() -> None:
    record = _killed(healthy()).remove("child-ended")
    assert record.found() == [FindingId.WORKER_CRASHED]


def test_without_the_tracer_nobody_knows_who_killed_a_worker() -> None:
    record = _killed(healthy()).remove("child-ended").remove("watcher", name="tracer").remove("tracer")
    record.add(-0.5, "watcher", name="tracer", state="off")
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
    (entry,) = find_meddling(record.observe())
    assert entry.by is By.UNKNOWN


@pytest.mark.parametrize("pid", [ARBITER, 103])
def test_a_signal_that_arrives_and_was_not_sent_comes_from_outside(pid: int) -> None:
    record = _traced().add(3.0, "signal-received", pid=pid, ppid=1 if pid == ARBITER else ARBITER, signal=TERM)
    assert record.judge().outcome is Outcome.INCONCLUSIVE
    assert "got SIGTERM, which no process of gunicorn had sent" in _notes(record)["interference"]


def test_a_signal_that_the_arbiter_sent_is_its_own() -> None:
    record = _sent(_traced(), 2.9, 103, TERM, GUNICORNS).add(3.0, "signal-received", pid=103, ppid=ARBITER, signal=TERM)
    assert record.judge().outcome is Outcome.HOLDS


def test_a_second_signal_that_nobody_sent_is_told_from_the_first() -> None:
    record = _sent(_traced(), 2.9, 103, TERM, GUNICORNS)
    for at_s in (3.0, 3.5):
        record.add(at_s, "signal-received", pid=103, ppid=ARBITER, signal=TERM)
    (entry,) = find_meddling(record.observe())
    assert entry.by is By.OUTSIDE


def test_a_signal_after_the_window_has_closed_is_not_looked_at() -> None:
    record = _traced().add(6.05, "signal-received", pid=103, ppid=ARBITER, signal=TERM)
    assert record.judge().outcome is Outcome.HOLDS


@pytest.mark.parametrize("stack", [GUNICORNS, APPS])
def test_who_asked_the_arbiter_to_reload_is_known_from_the_tracer(stack: list[Any]) -> None:
    record = _sent(_traced(), 2.9, ARBITER, HUP, stack, pid=103)
    record.add(2.91, "signal-received", pid=ARBITER, ppid=1, signal=HUP)
    record.log(3.0, ARBITER, "asked", "Handling signal: hup").gone(3.2).outage(3.3)
    if stack is APPS:
        assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
        assert "the app sent SIGHUP to the arbiter" in _notes(record)["app-errors"]
    else:
        assert FindingId.SOCKET_DELETED in record.found()


def test_what_happened_well_before_the_interference_counts() -> None:
    record = _killed(_traced().gone(1.0).outage(1.1), at_s=4.0)
    assert FindingId.SOCKET_DELETED in record.found()


def test_an_arbiter_that_somebody_killed_is_not_gunicorns_outage() -> None:
    record = _traced().outage(3.0, direct="refused").add(3.0, "arbiter", state="exited", pid=ARBITER, status=-KILL)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])


def test_an_arbiter_that_crashes_is() -> None:
    record = _traced().outage(3.0, direct="refused")
    record.add(3.0, "arbiter", state="exited", pid=ARBITER, status=-int(signal.SIGSEGV))
    assert FindingId.PERMANENT_OUTAGE in record.found()


@pytest.mark.parametrize("who", ["arbiter", "worker", "proxy", "load"])
def test_a_process_that_was_stopped_says_nothing_of_gunicorn(who: str) -> None:
    record = _traced().add(2.0, "stopped", who=who, pid=103).answers(2.5, timeout=20)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
    assert "was stopped (SIGSTOP)" in _notes(record)["interference"]


def test_a_worker_that_gunicorn_stopped_is_its_own_doing() -> None:
    record = _sent(_traced(), 1.9, 103, STOP, GUNICORNS).add(2.0, "stopped", who="worker", pid=103)
    assert find_meddling(record.observe()) == ()


@pytest.mark.parametrize(("stack", "found"), [(GUNICORNS, [FindingId.WORKER_CRASHED]), (APPS, [])])
def test_a_process_that_ends_at_once(stack: list[Any], found: list[FindingId]) -> None:
    record = _traced().add(3.0, "exit", pid=103, ppid=ARBITER, call="os._exit", status=4, stack=stack)
    record.log(3.0, 103, "failed", "Worker (pid:103) exited with code 4")
    assert record.found() == found


def test_a_socket_file_that_the_app_removed_is_not_gunicorns() -> None:
    record = _traced().removal(3.0, 103, stack=APPS).gone(3.0).outage(3.05)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
    assert "the app itself called os.unlink on the socket file" in _notes(record)["app-errors"]


@pytest.mark.parametrize("what", ["raised", "length", "slow", "ended", "thread"])
def test_the_apps_own_faults_are_a_note(what: str) -> None:
    record = _traced().add(2.95, "app-fault", pid=103, what=what, detail="ValueError: x").answers(3.0, s500=3)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])
    assert "app-errors" in _notes(record)


def test_the_apps_exceptions_excuse_no_deleted_socket() -> None:
    record = _traced().add(1.0, "app-fault", pid=103, what="raised", detail="ValueError: x")
    record.removal(3.0, 103).gone(3.0).outage(3.05)
    assert FindingId.SOCKET_DELETED in record.found()


def test_a_request_that_its_workers_end_cut_off_is_no_fault_of_the_app() -> None:
    record = _killed(_traced()).add(2.95, "app-fault", pid=103, what="unfinished", detail="w9")
    record.remove("child-ended").add(3.0, "child-ended", pid=ARBITER, ppid=1, child=103, status=-11)
    assert record.found() == [FindingId.WORKER_CRASHED]


def test_a_request_that_the_app_keeps_for_long_is() -> None:
    record = _killed(_traced()).add(1.5, "app-fault", pid=103, what="unfinished", detail="w9")
    record.remove("child-ended").add(3.0, "child-ended", pid=ARBITER, ppid=1, child=103, status=-11)
    assert record.found() == []


@pytest.mark.parametrize(
    ("files", "apps"),
    [
        ([], False),
        (["gunicorn/arbiter.py"], False),
        (["gunicorn/workers/sync.py", "mine.py"], True),
        (["gunicorn/workers/ggevent.py", "gevent/greenlet.py"], False),
        (["gunicorn/workers/sync.py", "noting.py", "lib/python3.11/os.py"], False),
        (["mine.py", "lib/python3.11/threading.py"], True),
        (["<string>"], False),
    ],
)
def test_whose_call_it_is(files: list[str], apps: bool) -> None:
    assert is_apps(files) is apps


def _slower(after_ms: float, *, foreign_share: float = 0.0, load_ms: float | None = None) -> Record:
    """30 controls of 2 ms; all probes after the load take ``after_ms``, and so did the load's answers."""
    record = healthy(CELL).remove("control").cut("probe", after_s=5.0)
    record.add(-0.05, "control", asked=30, answered=30, took_ns=[2_000_000 + 10_000 * n for n in range(30)])
    record.probes((5.01 + 0.04 * step for step in range(22)), "200", took_s=after_ms / 1e3)
    record.add(4.995, "machine", foreign_share=foreign_share)
    power = int((load_ms or after_ms) * 1000).bit_length()
    for tenth in range(49):
        record.add(tenth / 10, "answer-times", took={str(10 if tenth < 10 else power): 20})
    return record


def test_answers_that_take_longer_after_restarts_are_a_note() -> None:
    record = _slower(30.0)
    verdict = record.judge()
    assert verdict.outcome is Outcome.HOLDS
    (note,) = [note for note in verdict.notes if note.id == "slower-after-restart"]
    assert note.evidence["after_ms"] == 30.0
    assert note.evidence["before_ms"] == pytest.approx(2.1, abs=0.1)


@pytest.mark.parametrize(
    ("after_ms", "foreign_share", "load_ms"),
    [(2.2, 0.0, None), (6.0, 0.0, None), (8.0, 0.5, None), (30.0, 0.0, 1.0)],
)
def test_a_small_or_doubtful_difference_is_none(after_ms: float, foreign_share: float, load_ms: float | None) -> None:
    record = _slower(after_ms, foreign_share=foreign_share, load_ms=load_ms)
    assert "slower-after-restart" not in _notes(record)


@pytest.mark.parametrize(("lasts_s", "said"), [(0.38, False), (None, True)])
def test_on_a_busy_machine_probes_that_waited_for_one_thing_count_as_one(lasts_s: float | None, *, said: bool) -> None:
    """Eight probes in a row on each way: all answered when a worker was back, or each after 30 ms of its own."""
    record = _slower(30.0, foreign_share=0.5).cut("probe", after_s=5.0)
    for step in range(8):
        took_s = 0.03 if lasts_s is None else lasts_s - step * 0.043  # one after the other, once the worker is back
        record.probes([5.01 + step / 20], "200", took_s=took_s)
    assert ("slower-after-restart" in _notes(record)) is said


def test_one_fast_probe_after_the_load_is_enough_to_say_nothing() -> None:
    record = _slower(30.0).probe(5.9, "direct", took_s=0.002)
    assert "slower-after-restart" not in _notes(record)
