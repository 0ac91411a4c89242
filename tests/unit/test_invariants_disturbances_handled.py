"""What gunicorn was asked to do, and what may be lost while it does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from harness.judge.invariants.disturbances_handled import MEANINGS
from harness.judge.meddling import find_meddling
from tests.unit.events import ARBITER, CELL, Record, healthy

DISTURBED = replace(CELL, disturb="reload", max_requests=0)


def _reloaded(**ended: Any) -> Record:
    """A good record in which the workers that restart do so because of a HUP from 0.5 s to 4 s."""
    record = healthy()
    record.cell = DISTURBED
    record.remove("log", state="restarting")
    record.add(0.5, "disturbance", state="began", name="reload", number=1, of=1, seed=3)
    record.add(0.5, "harness-signalled", who="arbiter", pid=ARBITER, signal=1, reason="reload")
    return record.add(4.0, "disturbance", state="ended", name="reload", number=1, **ended)


def test_workers_that_a_reload_ends_are_no_early_recycles() -> None:
    verdict = _reloaded().judge()
    assert verdict.invariants["max-requests-honoured"] is State.HOLDS
    assert verdict.invariants["disturbances-handled"] is State.HOLDS
    assert verdict.strength["disturbances"] == 1


def test_a_worker_that_ends_outside_of_a_disturbance_is_one() -> None:
    record = _reloaded().remove("disturbance", state="began").remove("disturbance", state="ended")
    assert record.judge().invariants["max-requests-honoured"] is State.VIOLATED


@pytest.mark.parametrize(("said_s", "state"), [(1.2, State.HOLDS), (1.9, State.VIOLATED)])
def test_a_worker_that_said_in_the_window_that_it_exits_was_ended_by_the_disturbance(
    said_s: float, state: State
) -> None:
    """Seen in a container: it said so at once, and was gone 0.6 s later, after the window. Worker 102 ends at 2.1 s."""
    record = _reloaded().remove("disturbance", state="ended").remove("log", state="exiting", pid=102)
    record.add(1.5, "disturbance", state="ended", name="reload", number=1).log(said_s, 102, "exiting")
    assert record.judge().invariants["max-requests-honoured"] is state


def test_what_the_harness_sends_is_never_interference() -> None:
    record = _reloaded().log(0.6, ARBITER, "asked", "Handling signal: hup")
    assert find_meddling(record.observe()) == ()


@pytest.mark.parametrize("missing", list(MEANINGS))
def test_what_is_awaited_in_vain_is_a_finding(missing: str) -> None:
    record = _reloaded(missing=missing, within_s=2.0, detail="1 of 2")
    verdict = record.judge()
    assert verdict.invariants["disturbances-handled"] is State.VIOLATED
    found = next(one for one in verdict.findings if one.evidence.get("awaited") == missing)
    assert found.id is MEANINGS[missing]
    assert "1 of 2" in found.detail


def test_a_machine_that_stood_still_explains_it() -> None:
    record = _reloaded(missing="new workers", within_s=2.0).add(1.0, "stall", gap_ns=2_000_000_000)
    assert record.judge().invariants["disturbances-handled"] is State.UNKNOWN


def test_a_failure_is_told_with_the_disturbance_in_which_it_fell() -> None:
    record = _reloaded().answers(1.0, s502=3).answers(4.5, s502=1)
    finding = next(one for one in record.judge().findings if one.id is FindingId.FAILED_RESPONSES)
    assert finding.evidence["by_disturbance"] == {"reload (1 of 1)": 3, "no disturbance": 1}


def test_fewer_disturbances_than_asked_for_are_never_a_holds() -> None:
    record = _reloaded().with_cell(times=2)
    verdict = record.judge()
    assert any("1 of 2 disturbances" in reason for reason in verdict.reasons)


def _disturbed(name: str, **ended: Any) -> Record:
    """A good record whose workers end while a disturbance lasts, from 0.5 s to 4 s."""
    record = healthy().remove("log", state="restarting")
    record.cell = replace(DISTURBED, disturb=name)
    record.add(0.5, "disturbance", state="began", name=name, number=1, of=1, seed=3)
    return record.add(4.0, "disturbance", state="ended", name=name, number=1, **ended)


def _moved(record: Record, at_s: float) -> Record:
    """The path goes, and another file comes."""
    record.remove("socket", action="snapshot").socket(5.95, "snapshot", 8)
    return record.socket(at_s, "deleted").socket(at_s + 0.2, "created", 8)


@pytest.mark.parametrize("name", ["stop", "kill-arbiter", "remove-socket", "rebind"])
def test_the_path_may_go_and_come_where_a_disturbance_brings_that_about(name: str) -> None:
    assert _moved(_disturbed(name), 1.0).ask("socket-survives").state is State.HOLDS


@pytest.mark.parametrize("name", ["reload", "upgrade", "rollback", "second-master", "kill-worker", "socket-activation"])
def test_the_path_has_to_stay_through_all_others(name: str) -> None:
    judgement = _moved(_disturbed(name), 1.0).ask("socket-survives")
    assert [one.id for one in judgement.findings] == [FindingId.SOCKET_DELETED, FindingId.SOCKET_REPLACED]


def test_a_watcher_may_tell_of_it_when_the_disturbance_is_over() -> None:
    assert _moved(_disturbed("stop").removal(3.9, ARBITER), 4.3).ask("socket-survives").state is State.HOLDS
    assert _moved(_disturbed("stop"), 4.3).ask("socket-survives").state is State.VIOLATED


def test_a_path_that_goes_after_the_disturbance_is_no_part_of_it() -> None:
    record = _disturbed("stop").socket(1.0, "deleted").socket(1.2, "created", 8)
    record.remove("socket", action="snapshot").socket(4.6, "deleted").socket(5.95, "snapshot", None)
    judgement = record.ask("socket-survives")
    assert [one.id for one in judgement.findings] == [FindingId.SOCKET_DELETED]


def test_who_removed_the_path_is_told_by_its_part() -> None:
    record = _moved(_disturbed("upgrade"), 1.0).add(0.7, "arbiter", state="started", pid=900, role="new master")
    record.removal(0.999, ARBITER)
    culprit = record.ask("socket-survives").findings[0].culprit
    assert culprit is not None
    assert culprit.role == "old master"


@pytest.mark.parametrize(
    ("name", "lost"),
    [("stop", True), ("kill-worker", True), ("rebind", True), ("reload", False), ("hang-worker", False)],
)
def test_what_may_be_lost_is_lost_there_and_only_there(name: str, lost: bool) -> None:
    inside, outside = _disturbed(name).answers(1.0, s502=3), _disturbed(name).answers(4.5, s502=3)
    assert inside.ask("requests-answered").state is (State.HOLDS if lost else State.VIOLATED)
    assert outside.ask("requests-answered").state is State.VIOLATED


def test_what_gunicorn_had_begun_to_run_is_answered_at_a_stop() -> None:
    record = _disturbed("stop").answers(1.0, s502=3)
    record.add(6.2, "ledger", state="closed", counts={"requests": 10, "failed_after_gunicorn": 2})
    assert record.ask("requests-answered").findings[0].evidence == {"begun": 2}


def test_a_worker_that_the_harness_killed_has_not_crashed() -> None:
    record = _disturbed("kill-worker").log(1.1, 101, "signalled", "Worker (pid:101) was sent SIGKILL!")
    assert record.ask("workers-exit-cleanly").state is State.VIOLATED
    record.add(1.0, "harness-signalled", who="worker", pid=101, signal=9, reason="kill a worker")
    assert record.ask("workers-exit-cleanly").state is State.HOLDS


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"status": 0}, []),
        ({"status": 1}, [FindingId.ARBITER_CRASHED]),
        ({"status": 0, "path": 7}, [FindingId.SOCKET_LEFT_BEHIND]),
        ({"status": 0, "path": 99}, []),
    ],
)
def test_an_ordered_end_is_whole(fields: dict[str, Any], found: list[FindingId]) -> None:
    record = _disturbed("stop").add(1.0, "arbiter", state="ended", pid=ARBITER, took_ns=10**8, **fields)
    record.add(1.0, "left-processes", arbiter=ARBITER, live=[], after_ns=10**8)
    assert [one.id for one in record.ask("disturbances-handled").findings] == found


def test_an_arbiter_that_was_killed_has_no_status_of_its_own_but_leaves_nobody() -> None:
    record = _disturbed("kill-arbiter")
    record.add(0.9, "harness-signalled", who="arbiter", pid=ARBITER, signal=9, reason="kill the arbiter")
    record.add(1.0, "arbiter", state="ended", pid=ARBITER, took_ns=10**8, status=-9)
    assert record.ask("disturbances-handled").state is State.HOLDS
    record.add(1.0, "left-processes", arbiter=ARBITER, live=[101, 102], after_ns=5 * 10**9)
    assert [one.id for one in record.ask("disturbances-handled").findings] == [FindingId.PROCESSES_LEFT_BEHIND]


def test_who_waits_for_a_start_has_lost_nothing_but_time() -> None:
    waited, refused = (_disturbed("socket-activation").answers(1.0, **lost) for lost in ({"timeout": 2}, {"s502": 2}))
    assert waited.ask("requests-answered").state is State.HOLDS
    assert refused.ask("requests-answered").state is State.VIOLATED


@pytest.mark.parametrize(("name", "state"), [("socket-activation", State.HOLDS), ("reload", State.VIOLATED)])
def test_late_answers_whose_time_the_load_does_not_tell_are_lost_time(name: str, state: State) -> None:
    """Seen where a restart took 2.1 s: each of the load's 20 connections waited for longer than a client does."""
    record = _disturbed(name).reload_ended(statuses={"200": 980}, errors={"timeout": 20}, late=20)
    judgement = record.ask("requests-answered")
    assert judgement.state is state
    assert ("20 answers that came late" in judgement.reason) is (state is State.HOLDS)


def test_the_worker_that_a_request_kept_for_too_long_has_not_crashed() -> None:
    record = _disturbed("hang-worker").log(3.1, 101, "timed-out", "WORKER TIMEOUT (pid:101)")
    assert record.ask("workers-exit-cleanly").state is State.VIOLATED
    record.add(0.6, "harness-asked", hang_s=7, outcome="closed", took_ns=3 * 10**9, worker=102)
    assert record.ask("workers-exit-cleanly").state is State.VIOLATED
    record.add(0.6, "harness-asked", hang_s=7, outcome="closed", took_ns=3 * 10**9, worker=101)
    assert record.ask("workers-exit-cleanly").state is State.HOLDS


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"bound_ns": 10, "gone_ns": 30, "answered_ns": 20}, []),
        ({"bound_ns": 10, "answered_ns": 20}, [FindingId.SOCKET_LEFT_BEHIND]),
        ({"bound_ns": 10, "gone_ns": 5, "answered_ns": 20}, [FindingId.SOCKET_DELETED]),
        ({"bound_ns": 10, "gone_ns": 30, "answered_ns": 20, "failed": {"refused": 1}}, [FindingId.FAILED_RESPONSES]),
        ({"gone_ns": 30}, [FindingId.SIGNAL_IGNORED]),
    ],
)
def test_a_move_to_another_path_is_whole(fields: dict[str, Any], found: list[FindingId]) -> None:
    record = _disturbed("rebind")
    for back in (False, True):
        record.add(1.0, "path-moved", told_ns=10**12, back=back, **{"asked": 9, "failed": {}} | fields)
    assert [one.id for one in record.ask("disturbances-handled").findings] == found


@pytest.mark.parametrize(
    ("sockets", "threads", "leaked"),
    [
        ([4, 4, 4, 4], [2] * 4, False),
        ([4, 8, 8, 8], [2, 3, 3, 3], False),  # a server of the arbiter's own that started late
        ([4, 5, 4, 5], [2] * 4, False),
        ([4, 7, 7, 10], [2] * 4, True),
        ([4, 5, 6, 7], [2] * 4, True),
        ([4, 4, 4, 4], [2, 3, 3, 4], True),
        ([4, 10], [2, 3], False),  # once says nothing
    ],
)
def test_what_grows_with_each_reload_is_a_leak(sockets: list[int], threads: list[int], *, leaked: bool) -> None:
    record = _disturbed("reload")
    for at, (count, number) in enumerate(zip(sockets, threads, strict=True)):
        record.add(0.4 + at, "arbiter-files", pid=ARBITER, files={"socket": count, "file": 6}, threads=number)
    state = record.judge().invariants.get("descriptors-flat", State.HOLDS)
    assert state is (State.VIOLATED if leaked else State.HOLDS)


def test_each_arbiter_is_compared_with_itself() -> None:
    record = _disturbed("upgrade")
    for at, count in enumerate([4, 12, 20, 28]):
        record.add(0.4 + at, "arbiter-files", pid=ARBITER + at, files={"socket": count}, threads=1)
    assert "descriptors-flat" not in record.judge().invariants


@pytest.mark.parametrize(("name", "found"), [("socket-activation", [FindingId.SOCKET_DELETED]), ("stop", [])])
def test_an_inherited_path_is_not_the_arbiters_to_remove(name: str, found: list[FindingId]) -> None:
    record = _disturbed(name).socket(1.0, "deleted").remove("socket", action="snapshot").socket(5.95, "snapshot", 7)
    record.removal(0.999, ARBITER, stack=[["gunicorn/arbiter.py", 1, "stop", "unlink"]])
    assert [one.id for one in record.ask("socket-survives").findings] == found
