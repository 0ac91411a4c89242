from __future__ import annotations

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from tests.unit.events import Record, healthy

NAME = "workers-respawn"


def _at_the_end(record: Record, *pids: int, since_s: float = 4.9) -> Record:
    return record.remove("workers", final=True).live(since_s, *pids).live(5.96, *pids, final=True)


def test_it_holds_with_all_workers() -> None:
    judgement = healthy().ask(NAME)
    assert (judgement.state, judgement.reason) == (State.HOLDS, "2 of 2 workers lived after settling")


def test_it_holds_with_more_workers_than_configured() -> None:
    assert _at_the_end(healthy().boots(3.0, 105), 103, 104, 105).ask(NAME).state is State.HOLDS


@pytest.mark.parametrize("left", [(), (103,)])
def test_a_missing_worker_is_a_violation(left: tuple[int, ...]) -> None:
    judgement = _at_the_end(healthy(), *left).ask(NAME)
    (finding,) = judgement.findings
    assert (judgement.state, finding.id) == (State.VIOLATED, FindingId.WORKERS_NOT_RESPAWNED)
    assert finding.evidence == {"live": len(left), "configured": 2}


def test_a_worker_that_ended_in_the_last_moment_has_not_had_the_time_to_be_replaced() -> None:
    assert _at_the_end(healthy(), 103, since_s=5.9).ask(NAME).state is State.HOLDS
    assert _at_the_end(healthy(), 103, since_s=4.9).ask(NAME).state is State.VIOLATED


def test_a_child_that_is_no_worker_replaces_none() -> None:
    assert _at_the_end(healthy(), 103, 999).ask(NAME).state is State.VIOLATED


@pytest.mark.parametrize(
    "record",
    [
        _at_the_end(healthy(), 103).remove("watcher", name="workers", state="stopped"),
        _at_the_end(healthy(), 103).add(3.0, "watcher", name="logs", state="died", detail="x"),
        _at_the_end(healthy(), 103).remove("phase", name="settle"),
        _at_the_end(healthy(), 103).add(6.05, "interrupted", phase="settle"),
        healthy().remove("workers"),
    ],
)
def test_a_worker_that_may_have_been_missed_is_unknown(record: Record) -> None:
    assert record.ask(NAME).state is State.UNKNOWN


@pytest.mark.parametrize(("restart_s", "state"), [(5.5, State.UNKNOWN), (4.9, State.VIOLATED)])
def test_workers_that_still_restart_at_the_end_may_be_few(restart_s: float, state: State) -> None:
    record = _at_the_end(healthy(), 103).log(restart_s, 104, "restarting").log(restart_s + 0.01, 104, "exiting")
    assert record.ask(NAME).state is state
