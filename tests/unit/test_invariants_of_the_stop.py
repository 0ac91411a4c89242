"""What the ordered stop and the looks before it say: of processes, paths, times and open files that are left."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.judge.story import tell
from tests.unit.events import ARBITER, INODE, STOP_STACK, Record, healthy

NAMES = ("leaves-nothing-behind", "stops-in-time", "descriptors-flat")
FILES = {"file": 4, "socket": 1, "deleted file": 2}
SLEEP, ZOMBIE = [200, 1, "sleep", "S"], [201, ARBITER, "gunicorn", "Z"]
WORKER = [104, 1, "gunicorn", "S"]


def _stopped(record: Record | None = None, **said: Any) -> Record:
    """A healthy run that was stopped in order after its window, which took 0.3 s and left nothing."""
    record = record or healthy()
    record.add(-0.01, "open-files", stage="before", arbiter=FILES, arbiter_threads=1, workers=[[101, 9, 1]])
    record.add(5.5, "open-files", stage="settled", arbiter=FILES, arbiter_threads=1)
    record.add(5.51, "strays", processes=[], waited_ns=0)
    record.phases(stop=6.01)
    record.add(
        6.02, "harness-signalled", who="arbiter", pid=ARBITER, signal=int(signal.SIGTERM), reason="the ordered stop"
    )
    took_ns = said.pop("took_ns", 300_000_000)
    fields = {"status": 0, "waited_ns": took_ns or 31_500_000_000, "stalled_ns": 0, "graceful_s": 30.0} | said
    return record.add(6.03, "stop", state="ended", took_ns=took_ns, **fields)


def _counted(record: Record, after: dict[str, int], threads: int = 1) -> Record:
    record.remove("open-files", stage="settled")
    return record.add(5.5, "open-files", stage="settled", arbiter=after, arbiter_threads=threads)


def _strays(*processes: list[Any]) -> Record:
    record = _stopped().remove("strays")
    return record.add(5.51, "strays", processes=list(processes), waited_ns=1_000_000_000)


def test_a_run_that_leaves_nothing_holds() -> None:
    record = _stopped()
    assert record.judge().outcome is Outcome.HOLDS
    assert [record.judge().invariants[name] for name in NAMES] == [State.HOLDS] * 3
    assert not record.judge().notes


def test_an_older_record_says_nothing_of_the_stop() -> None:
    verdict = healthy().judge()
    assert verdict.outcome is Outcome.HOLDS
    assert not set(NAMES) & verdict.invariants.keys()


def test_a_stop_that_nobody_could_watch_is_told() -> None:
    record = healthy().add(6.03, "stop", state="skipped", reason="they live in a container")
    assert record.judge().outcome is Outcome.HOLDS
    assert [(note.id, note.detail) for note in record.judge().notes] == [
        ("stop-failed", "the ordered stop was not judged: they live in a container")
    ]


@pytest.mark.parametrize("process", [SLEEP, ZOMBIE, WORKER])
def test_a_process_without_a_worker_is_left_behind(process: list[Any]) -> None:
    record = _strays(process)
    assert record.found() == [FindingId.PROCESSES_LEFT_BEHIND]
    assert str(process[0]) in record.judge().findings[0].detail


def test_what_the_users_app_has_started_is_not_gunicorns() -> None:
    assert _strays(SLEEP).with_cell(app="mine:app").found() == []
    assert _strays(SLEEP, WORKER).with_cell(app="mine:app").found() == [FindingId.PROCESSES_LEFT_BEHIND]


def test_a_process_that_outlives_the_arbiter_is_left_behind() -> None:
    assert _stopped(left=[WORKER]).found() == [FindingId.PROCESSES_LEFT_BEHIND]
    assert _stopped(left=[SLEEP]).with_cell(app="mine:app").found() == []


def test_the_same_process_is_told_once() -> None:
    record = (
        _strays(SLEEP)
        .remove("stop")
        .add(6.03, "stop", state="ended", took_ns=5, status=0, waited_ns=5, stalled_ns=0, left=[SLEEP])
    )
    assert record.found() == [FindingId.PROCESSES_LEFT_BEHIND]


@pytest.mark.parametrize("said", [{"inode": INODE}, {"sockets": ["/x/gunicorn.ctl"]}])
def test_a_path_that_gunicorn_had_bound_is_left_behind(said: dict[str, Any]) -> None:
    assert _stopped(**said).found() == [FindingId.SOCKET_LEFT_BEHIND]


def test_another_file_under_the_same_name_is_not_gunicorns() -> None:
    assert _stopped(inode=INODE + 1).found() == []


@pytest.mark.parametrize("status", [1, -int(signal.SIGTERM)])
def test_after_the_path_was_lost_a_stop_that_fails_follows_from_that(status: int) -> None:
    record = _stopped(healthy().gone(3.0).removal(3.0, 102), status=status, left=[WORKER], took_ns=40_000_000_000)
    assert record.found() == [FindingId.SOCKET_DELETED]
    assert {note.id for note in record.judge().notes} == {"stop-failed"}


def test_an_arbiter_that_fails_and_leaves_nothing_is_a_note() -> None:
    record = _stopped(status=3)
    assert record.judge().outcome is Outcome.HOLDS
    assert [note.detail for note in record.judge().notes] == ["the arbiter's ordered end had exit status 3"]


def test_an_arbiter_that_somebody_else_kills_meanwhile_says_nothing() -> None:
    record = _stopped(status=-int(signal.SIGKILL), left=[WORKER], inode=INODE)
    assert (record.judge().outcome, record.found()) == (Outcome.INCONCLUSIVE, [])


@pytest.mark.parametrize("took_ns", [None, 31_400_000_000])
def test_a_late_end_is_overdue(took_ns: int | None) -> None:
    assert _stopped(took_ns=took_ns).found() == [FindingId.STOP_OVERDUE]


def test_an_end_within_graceful_timeout_and_a_second_is_in_time() -> None:
    assert _stopped(took_ns=30_900_000_000).ask("stops-in-time").state is State.HOLDS


@pytest.mark.parametrize("said", [{"stalled_ns": 600_000_000}, {"held": True}])
def test_a_late_end_may_be_the_machines_or_somebody_elses(said: dict[str, Any]) -> None:
    assert _stopped(took_ns=31_400_000_000, **said).ask("stops-in-time").state is State.UNKNOWN


def test_without_a_known_graceful_timeout_no_end_is_late() -> None:
    record = healthy().add(6.03, "stop", state="ended", took_ns=None, status=None, waited_ns=5, stalled_ns=0)
    assert "stops-in-time" not in record.judge().invariants


@pytest.mark.parametrize(("grown", "found"), [(5, []), (8, [FindingId.DESCRIPTORS_LEAKED])])
def test_open_files_that_grow_with_the_restarts_are_a_leak(grown: int, found: list[FindingId]) -> None:
    assert _counted(_stopped(), {**FILES, "file": 4 + grown}).found() == found
    assert _counted(_stopped(), FILES, threads=1 + grown).found() == found


def test_a_few_more_after_many_restarts_are_no_leak() -> None:
    record = healthy()
    for number in range(40):
        record.boots(2.5 + number / 100, 300 + number).restarts(3.0 + number / 100, 300 + number, served=100)
    judgement = _counted(_stopped(record), {**FILES, "file": 12}).ask("descriptors-flat")
    assert judgement.state is State.HOLDS


def test_without_restarts_nothing_is_said_of_open_files() -> None:
    record = _stopped().remove("open-files", stage="before")
    record.add(3.0, "open-files", stage="before", arbiter={}, arbiter_threads=1)
    assert "descriptors-flat" not in record.judge().invariants


def _kills(at_s: float, target: int = 104) -> Record:
    """In the stop the arbiter sends SIGKILL to a worker, which ends by it."""
    number = int(signal.SIGKILL)
    record = _stopped()
    record.add(at_s, "signal-sent", pid=ARBITER, ppid=1, call="os.kill", target=target, signal=number, stack=STOP_STACK)
    return record.add(at_s + 0.01, "child-ended", pid=ARBITER, ppid=1, child=target, status=-number)


def test_an_arbiter_that_kills_its_workers_at_once_has_crashed_them() -> None:
    record = _kills(6.1)
    assert record.found() == [FindingId.WORKER_CRASHED]
    culprit = record.judge().findings[0].culprit
    assert culprit is not None
    assert (culprit.role, culprit.pid, culprit.call) == ("arbiter", ARBITER, "os.kill")


def test_after_graceful_timeout_it_may() -> None:
    """That the worker ended by it is not known here."""
    assert _kills(36.03).found() == []


def _unwilling(*, ended_s: float = 30.01, stalled_ns: int = 0, held: bool = False, killed_s: float = 30.0) -> Record:
    """A worker that ends only when graceful_timeout is over and the arbiter sends it SIGKILL."""
    ended = [[104, int(ended_s * 1e9)]]
    record = _stopped(took_ns=30_050_000_000, ended=ended, stalled_ns=stalled_ns, held=held)
    said = {"pid": ARBITER, "ppid": 1, "call": "os.kill", "target": 104, "signal": int(signal.SIGKILL)}
    return record.add(6.03 + killed_s, "signal-sent", stack=STOP_STACK, **said)


def _hanging(record: Record) -> Record:
    return record.add(5.9, "harness-asked", hang_s=60, outcome="closed", took_ns=1, worker=104)


def test_a_worker_that_only_a_kill_can_end_is_no_clean_exit() -> None:
    (finding,) = _unwilling().judge().findings
    assert finding.id is FindingId.WORKER_CRASHED
    assert "worker 104 did not end within graceful_timeout" in finding.detail
    assert finding.culprit is None


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(_unwilling(ended_s=29.5), id="it had ended before, and was not reaped yet"),
        pytest.param(_unwilling(stalled_ns=16_000_000_000), id="the machine stood still"),
        pytest.param(_unwilling(held=True), id="somebody stopped the arbiter"),
        pytest.param(_unwilling().add(5.0, "stopped", who="worker", pid=104), id="somebody stopped it (SIGSTOP)"),
        pytest.param(_hanging(_unwilling()), id="it has a request of our own, which hangs"),
    ],
)
def test_who_else_may_have_kept_a_worker(record: Record) -> None:
    assert FindingId.WORKER_CRASHED not in record.found()


def test_what_is_signalled_in_the_stop_is_nobodys_interference() -> None:
    record = _stopped().add(6.1, "child-ended", pid=ARBITER, ppid=1, child=104, status=-int(signal.SIGTERM))
    assert record.judge().outcome is Outcome.HOLDS
    assert not record.judge().notes


def test_temporary_files_that_stay_are_a_note() -> None:
    (note,) = _stopped(files=["/x/wgunicorn-1"]).judge().notes
    assert (note.id, note.evidence) == ("files-left-behind", {"files": ["/x/wgunicorn-1"]})


def test_the_story_tells_of_the_stop() -> None:
    told = [moment.what for moment in tell(_stopped().observe())]
    assert told[-2:] == ["the arbiter is told to end (SIGTERM), without load", "the arbiter has ended with status 0"]
