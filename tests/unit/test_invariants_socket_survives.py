from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from tests.unit.events import ARBITER, CELL, INODE, STOP_STACK, Record, healthy

NAME = "socket-survives"


def test_it_holds_where_nothing_happened_to_the_path() -> None:
    assert healthy().ask(NAME).state is State.HOLDS


def test_a_worker_that_deletes_the_path_is_named_with_its_call_and_stack() -> None:
    (finding,) = healthy().removal(2.999, 101).gone(3.0).ask(NAME).findings
    assert finding.id is FindingId.SOCKET_DELETED
    assert finding.at_s == pytest.approx(3.0, abs=1e-3)
    assert finding.culprit is not None
    assert (finding.culprit.pid, finding.culprit.role, finding.culprit.call) == (101, "worker", "os.unlink")
    assert finding.detail == "the socket file was deleted while the arbiter lived, by worker 101 with os.unlink"
    assert finding.evidence == {"came_back": False, "later_attempts_on_the_missing_file": 0}


def test_of_two_workers_the_one_whose_call_succeeded_is_named() -> None:
    record = (
        healthy().removal(2.9, 101).gone(2.901).removal(2.95, 102, failed="ENOENT").removal(3.5, 103, failed="ENOENT")
    )
    (finding,) = record.ask(NAME).findings
    assert finding.culprit is not None
    assert finding.culprit.pid == 101
    assert finding.evidence["later_attempts_on_the_missing_file"] == 2


def test_an_attempt_that_failed_is_never_the_culprit() -> None:
    (finding,) = healthy().removal(2.999, 101, failed="ENOENT").gone(3.0).ask(NAME).findings
    assert finding.culprit is None
    assert finding.detail.endswith("removed from outside gunicorn: no Python code of its processes did it")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (healthy(CELL.__class__(spec="1", trace=False)), "the unlink tracer was off"),
        (healthy().remove("tracer"), "the unlink tracer was died: it was never loaded by the arbiter"),
        (
            healthy().add(1.0, "watcher", name="logs", state="died", detail="JSONDecodeError"),
            "the unlink tracer was died: its file was not read to the end",
        ),
    ],
)
def test_where_the_tracer_may_have_missed_it_nobody_outside_is_accused(record: Record, why: str) -> None:
    (finding,) = record.gone(3.0).ask(NAME).findings
    assert finding.detail.endswith(f"by an unknown process: {why}")
    assert finding.culprit is None


def test_renamed_away_and_back_is_a_deletion_but_no_replacement() -> None:
    record = healthy().removal(2.999, 101, call="os.rename").socket(3.0, "moved").socket(3.5, "created", INODE)
    (finding,) = record.ask(NAME).findings
    assert finding.id is FindingId.SOCKET_DELETED
    assert "was renamed away" in finding.detail
    assert finding.evidence["came_back"] is True


def test_deleted_and_bound_again_is_both() -> None:
    record = healthy().socket(3.0, "deleted").socket(3.5, "created", 8)
    deleted, replaced = record.remove("socket", action="snapshot").socket(5.9, "snapshot", 8).ask(NAME).findings
    assert (deleted.id, replaced.id) == (FindingId.SOCKET_DELETED, FindingId.SOCKET_REPLACED)
    assert replaced.at_s == pytest.approx(3.5, abs=1e-3)
    assert replaced.evidence == {"inodes": [INODE, 8, 8]}


def test_another_file_renamed_over_the_path_is_a_replacement_alone() -> None:
    (finding,) = healthy().socket(3.0, "created", 9).ask(NAME).findings
    assert finding.id is FindingId.SOCKET_REPLACED
    assert finding.detail == f"the path was bound as inode {INODE} and now names inode 9"


def test_another_inode_at_the_end_is_a_replacement_although_no_event_said_so() -> None:
    record = healthy().remove("socket", action="snapshot").socket(5.95, "snapshot", 9)
    assert [finding.id for finding in record.ask(NAME).findings] == [FindingId.SOCKET_REPLACED]


def test_no_file_at_the_end_is_a_deletion_although_no_event_said_so() -> None:
    record = healthy().remove("socket", action="snapshot").socket(5.95, "snapshot", None)
    assert [finding.id for finding in record.ask(NAME).findings] == [FindingId.SOCKET_DELETED]


def test_an_inode_that_nobody_could_read_is_no_replacement() -> None:
    assert healthy().socket(3.0, "created", None).ask(NAME).state is State.HOLDS


def test_what_others_bind_after_the_arbiters_end_is_no_replacement() -> None:
    record = healthy().add(3.0, "arbiter", state="exited", pid=ARBITER, status=1).socket(3.05, "deleted")
    assert record.socket(3.5, "created", 9).ask(NAME).state is State.HOLDS


def test_the_arbiters_own_end_is_no_deletion() -> None:
    record = healthy().removal(2.999, ARBITER, stack=STOP_STACK).gone(3.0).log(3.0, ARBITER, "stopping")
    judgement = record.ask(NAME)
    assert judgement.state is State.HOLDS
    assert judgement.reason.endswith("from bind to the arbiter's own end")


@pytest.mark.parametrize(
    "record",
    [
        healthy().remove("watcher", name="socket", state="stopped"),
        healthy().remove("watcher", name="socket", state="stopped").remove("watcher", name="socket"),
        healthy().add(3.0, "watcher", name="socket", state="died", detail="the kernel's inotify queue overflowed"),
        healthy().remove("socket", action="created"),
    ],
)
def test_a_watcher_that_may_have_missed_something_makes_it_unknown(record: Record) -> None:
    assert record.ask(NAME).state is State.UNKNOWN


def test_what_a_watcher_saw_before_it_died_counts() -> None:
    record = healthy().gone(3.0).add(3.5, "watcher", name="socket", state="died", detail="overflow")
    assert record.ask(NAME).state is State.VIOLATED


def test_it_does_not_apply_to_tcp() -> None:
    assert healthy(CELL.__class__(spec="1", bind="tcp")).ask(NAME).state is State.HOLDS
