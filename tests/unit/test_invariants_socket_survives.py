from __future__ import annotations

from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from tests.unit.events import ARBITER, CELL, INODE, SOCKET, STOP_STACK, Record, healthy

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
    assert finding.detail.endswith("not seen by the tracer; alive then: arbiter 100; workers 103, 104")


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
    assert finding.detail.endswith(f"by an unknown process: {why}; alive then: arbiter 100; workers 103, 104")
    assert "outside" not in finding.detail
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


def test_a_replacement_before_the_arbiters_end_counts_although_its_watcher_told_it_later() -> None:
    record = healthy().removal(2.9, 101, call="os.rename", effect="replaced").socket(3.2, "created", 9)
    record.add(3.0, "arbiter", state="exited", pid=ARBITER, status=1)
    assert FindingId.SOCKET_REPLACED in [finding.id for finding in record.ask(NAME).findings]


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


# --- who replaced it ------------------------------------------------------------------------------------------


def test_who_renamed_another_file_over_the_path_is_named_and_nothing_was_deleted() -> None:
    record = healthy().removal(2.999, 101, call="os.rename", effect="replaced").socket(3.0, "created", 9)
    (finding,) = record.ask(NAME).findings
    assert finding.id is FindingId.SOCKET_REPLACED
    assert finding.culprit is not None
    assert (finding.culprit.pid, finding.culprit.role, finding.culprit.call) == (101, "worker", "os.rename")
    assert finding.detail.endswith(f"now names inode 9, by worker 101 with {finding.culprit.call}")
    assert finding.at_s == pytest.approx(2.999, abs=1e-6)


def test_who_binds_the_path_anew_is_named_and_so_is_who_removed_it_before() -> None:
    record = healthy().removal(2.998, 102, effect="removed").call(2.999, ARBITER, "socket.bind", "bound", "x")
    deleted, replaced = record.socket(3.0, "deleted").socket(3.001, "created", 9).ask(NAME).findings
    assert deleted.culprit is not None
    assert (deleted.culprit.pid, deleted.culprit.call) == (102, "os.unlink")
    assert replaced.culprit is not None
    assert (replaced.culprit.role, replaced.culprit.call) == ("arbiter", "socket.bind")


def test_where_a_bind_can_t_be_seen_who_removed_the_first_file_stands_for_it() -> None:
    record = healthy().removal(2.999, ARBITER, effect="removed").socket(3.0, "deleted").socket(3.001, "created", 9)
    _, replaced = record.ask(NAME).findings
    assert replaced.culprit is not None
    assert (replaced.culprit.role, replaced.culprit.call) == ("arbiter", "os.unlink")


def test_the_first_bind_replaces_nothing() -> None:
    assert healthy().call(-1.95, ARBITER, "socket.bind", "bound", "x").ask(NAME).state is State.HOLDS


def test_of_two_that_delete_it_one_after_the_other_each_is_named_for_its_own() -> None:
    record = healthy().removal(2.9, 101, effect="removed").removal(2.95, 102, effect="removed")
    first, _ = record.socket(3.0, "deleted").socket(3.001, "created", 9).socket(3.002, "deleted").ask(NAME).findings
    assert first.culprit is not None
    assert first.culprit.pid == 101, "the watcher was late, and the first to go was the first that was removed"


def test_a_rename_over_the_path_is_no_reason_for_its_later_deletion() -> None:
    record = healthy().removal(2.9, 101, call="os.rename", effect="replaced").socket(2.91, "created", 9)
    deleted = record.gone(3.5).ask(NAME).findings[0]
    assert deleted.id is FindingId.SOCKET_DELETED
    assert deleted.culprit is None


# --- what no traced call explains -----------------------------------------------------------------------------


def test_the_earliest_witness_tells_when_it_went() -> None:
    (finding,) = healthy().removal(2.9, 101, effect="removed").gone(3.0).ask(NAME).findings
    assert finding.at_s == pytest.approx(2.9, abs=1e-6)


def test_who_starts_a_command_that_names_the_path_is_named_and_that_nobody_saw_it() -> None:
    record = healthy().call(2.99, 101, "subprocess.Popen", "command", "rm", "-f", "/tmp/x/gunicorn.sock")  # noqa: S108
    (finding,) = record.gone(3.0).ask(NAME).findings
    assert finding.culprit is not None
    assert (finding.culprit.pid, finding.culprit.call) == (101, "subprocess.Popen")
    assert "not seen by the tracer; just before, worker 101 started `rm -f /tmp/x/gunicorn.sock`" in finding.detail


def test_of_two_that_start_such_a_command_the_first_is_named_and_the_other_is_told() -> None:
    record = healthy().call(2.97, 101, "os.system", "command", "rm x").call(2.98, 102, "os.system", "command", "rm x")
    (finding,) = record.gone(3.0).ask(NAME).findings
    assert finding.culprit is not None
    assert finding.culprit.pid == 101
    assert "with os.system (so did 102);" in finding.detail


@pytest.mark.parametrize("at_s", [1.5, 3.2])
def test_a_command_of_another_time_is_nobodys_guilt(at_s: float) -> None:
    (finding,) = healthy().call(at_s, 101, "os.system", "command", "ls").gone(3.0).ask(NAME).findings
    assert finding.culprit is None
    assert "os.system" not in finding.detail


def test_a_traced_call_outranks_a_command() -> None:
    record = healthy().call(2.98, 102, "os.system", "command", "ls /tmp/x").removal(2.99, 101, effect="removed")
    (finding,) = record.gone(3.0).ask(NAME).findings
    assert finding.culprit is not None
    assert finding.culprit.pid == 101


def test_a_c_function_that_was_looked_up_is_told_and_nobody_is_blamed() -> None:
    (finding,) = healthy().call(2.99, 101, "ctypes.dlsym", "symbol", "unlink").gone(3.0).ask(NAME).findings
    assert finding.culprit is None
    assert "worker 101 looked up the C function unlink" in finding.detail


def test_who_was_alive_is_told() -> None:
    record = healthy().gone(3.0).add(3.001, "processes", live=[[ARBITER, 1, "python"], [130, 103, "rm"]])
    (finding,) = record.ask(NAME).findings
    assert finding.detail.endswith(
        "not seen by the tracer; alive then: arbiter 100; workers 103, 104; rm 130, a child of 103"
    )


def test_who_was_alive_long_after_is_not() -> None:
    (finding,) = healthy().gone(3.0).add(4.5, "processes", live=[[130, 103, "rm"]]).ask(NAME).findings
    assert "rm" not in finding.detail


def test_a_folder_that_was_moved_takes_the_path_along() -> None:
    record = healthy().removal(2.999, ARBITER, call="os.rename", effect="removed")
    record.remove("socket", action="snapshot").add(3.0, "socket", action="deleted", inode=None, whole_folder=True)
    (finding,) = record.ask(NAME).findings
    assert finding.id is FindingId.SOCKET_DELETED
    assert "with a folder around it" in finding.detail
    assert finding.detail.endswith("by arbiter 100 with os.rename")


# --- whether its clients may use it ---------------------------------------------------------------------------


def reachable(**rights: Any) -> Record:
    """All is well, and as whom the proxy comes is known."""
    return healthy().clients(**rights).path(-0.4, "snapshot")


def test_a_mode_that_shuts_the_proxy_out_makes_it_unreachable_and_who_gave_it_is_named() -> None:
    record = reachable().call(2.999, 101, "os.chmod", "rights", SOCKET, mode=0).path(3.0, mode=0)
    (finding,) = record.ask(NAME).findings
    assert finding.id is FindingId.SOCKET_UNREACHABLE
    assert finding.at_s == pytest.approx(2.999, abs=1e-6)
    assert finding.culprit is not None
    assert (finding.culprit.pid, finding.culprit.call) == (101, "os.chmod")
    assert finding.evidence["until_s"] is None
    assert finding.detail == (
        "the socket file is there, but the proxy (user 65534) may not connect: "
        "its mode is 0000 and its owner is 0:0, by worker 101 with os.chmod"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"mode": 0o755},
        {"mode": 0o660},
        {"folder_mode": 0o40700},
        {"folder_mode": 0o40766},
        {"mode": 0o277, "owner": [65534, 0]},
    ],
)
def test_what_shuts_the_proxy_out_and_nobody_was_seen_to_do(change: dict[str, Any]) -> None:
    finding = reachable().path(3.0, **change).ask(NAME).findings[:1]
    if change == {"mode": 0o277, "owner": [65534, 0]}:
        assert finding == (), "to connect, nobody has to read"
        return
    assert finding[0].id is FindingId.SOCKET_UNREACHABLE
    assert finding[0].culprit is None
    assert "not seen by the tracer" in finding[0].detail


@pytest.mark.parametrize(
    "record",
    [
        reachable().path(3.0, mode=0o666),
        reachable().path(3.0, mode=0o722),
        reachable().path(3.0, folder_mode=0o40711),
        reachable().path(3.0, mode=0o700, owner=[65534, 0]),
        reachable(groups=[65534, 33]).path(3.0, mode=0o770, owner=[0, 33]),
        reachable(overrides=True).path(3.0, mode=0),
        reachable().path(3.0, mode=0, inode=None),
        reachable().path(-0.8, mode=0),
        reachable().add(3.0, "arbiter", state="exited", pid=ARBITER, status=1).path(3.1, mode=0),
        healthy().path(3.0, mode=0),
        healthy().clients().path(-0.4, "snapshot", mode=0o700).path(3.0, mode=0),
        reachable().call(2.999, 101, "os.chmod", "rights", SOCKET, mode=0o777),
        reachable().call(2.999, 101, "os.chmod", "rights", SOCKET, mode=0, failed="EPERM"),
        reachable()
        .call(2.998, 101, "os.chown", "rights", SOCKET)
        .call(2.999, 101, "os.chmod", "rights", SOCKET, mode=0o700)
        .path(3.0, mode=0o700, owner=[65534, 65534]),
    ],
)
def test_what_leaves_the_way_open_is_no_fault(record: Record) -> None:
    """Also: what was so before, who passes over modes, an older record, rules that don't explain the first answer."""
    assert record.ask(NAME).state is State.HOLDS


def test_a_moment_that_only_the_tracer_saw_counts() -> None:
    record = reachable().call(2.9, 101, "os.chmod", "rights", SOCKET, mode=0)
    (finding,) = record.call(2.901, 101, "os.chmod", "rights", SOCKET, mode=0o777).ask(NAME).findings
    assert finding.id is FindingId.SOCKET_UNREACHABLE
    assert finding.evidence["until_s"] == pytest.approx(2.901, abs=1e-6)


def test_another_file_is_replaced_and_not_unreachable() -> None:
    findings = reachable().path(3.0, "created", mode=0, inode=9).ask(NAME).findings
    assert [finding.id for finding in findings] == [FindingId.SOCKET_REPLACED]


def test_shut_for_good_it_is_the_releases_outage_although_gunicorn_answers_directly() -> None:
    record = reachable().path(3.0, mode=0).outage(3.0, proxied="502", direct="200")
    record.remove("socket", action="snapshot", inode=INODE).path(-0.4, "snapshot").path(5.94, "snapshot", mode=0)
    verdict = record.judge()
    assert {finding.id for finding in verdict.findings} == {FindingId.SOCKET_UNREACHABLE, FindingId.PERMANENT_OUTAGE}


def test_shut_for_a_moment_its_failures_are_told_beside_it() -> None:
    record = reachable().path(3.0, mode=0).path(3.2, mode=0o777).answers(3.1, s502=4)
    verdict = record.judge()
    assert {finding.id for finding in verdict.findings} == {FindingId.SOCKET_UNREACHABLE, FindingId.FAILED_RESPONSES}
