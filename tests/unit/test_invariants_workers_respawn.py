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


@pytest.mark.parametrize(("since_s", "surplus"), [(4.9, False), (3.97, False), (3.95, True), (3.0, True)])
def test_more_workers_than_configured_may_live_for_as_long_as_a_handover_takes(
    since_s: float, *, surplus: bool
) -> None:
    judgement = _at_the_end(healthy().boots(3.0, 105), 103, 104, 105, since_s=since_s).ask(NAME)
    assert judgement.state is (State.VIOLATED if surplus else State.HOLDS)
    assert [finding.id for finding in judgement.findings] == [FindingId.WORKERS_SURPLUS] * surplus


def test_a_surplus_that_is_over_is_one_all_the_same() -> None:
    record = healthy().boots(2.3, 105).live(2.4, 103, 104, 105).live(4.6, 103, 104)
    (finding,) = record.ask(NAME).findings
    assert finding.detail == "up to 3 workers lived at a time for 2.2 s; 2 are configured"
    assert finding.at_s == pytest.approx(2.4, abs=1e-3)


def test_short_surpluses_do_not_add_up() -> None:
    record = healthy().boots(2.3, 105)
    for at_s in (2.4, 3.6, 4.8):
        record.live(at_s, 103, 104, 105).live(at_s + 1.1, 103, 104)
    assert record.ask(NAME).state is State.HOLDS


def test_a_child_that_is_no_worker_is_none_too_many() -> None:
    assert _at_the_end(healthy(), 103, 104, 999, since_s=2.3).ask(NAME).state is State.HOLDS


def test_whoever_outlives_the_arbiter_is_on_its_own() -> None:
    """The sampler's last word was "2 of 2 live", and the arbiter's children can't be listed any more."""
    record = healthy().add(5.5, "arbiter", state="exited", pid=100, status=3)
    (finding,) = record.ask(NAME).findings
    assert finding.detail == "the arbiter ended with status 3: nobody keeps 2 workers alive any more"
    assert finding.evidence == {"live": 0, "configured": 2}


def _settles_long(record: Record, until_s: float = 9.0) -> Record:
    """The settle phase takes longer, and one worker restarts in its last second."""
    record.remove("phase", name="closed").remove("phase", name="ended").remove("workers", final=True)
    for name in ("logs", "tallies", "workers", "prober", "socket"):
        record.remove("watcher", name=name, state="stopped").add(until_s - 0.01, "watcher", name=name, state="stopped")
    return record.phases(closed=until_s).log(until_s - 0.5, 104, "restarting").log(until_s - 0.49, 104, "exiting")


def test_an_arbiter_that_replaces_each_worker_and_never_the_missing_one_has_given_up() -> None:
    record = (
        _settles_long(healthy()).live(4.0, 104).live(8.6).live(8.7, 105).live(8.99, 105, final=True).boots(8.7, 105)
    )
    assert [finding.id for finding in record.ask(NAME).findings] == [FindingId.WORKERS_NOT_RESPAWNED]


@pytest.mark.parametrize("more", [{}, {"stalls": True}])
def test_an_arbiter_that_still_comes_further_has_not(more: dict[str, bool]) -> None:
    record = _settles_long(healthy())
    if more:
        record.live(4.0, 104).live(8.7, 105).live(8.99, 105, final=True).boots(8.7, 105)
        record.add(6.0, "stall", gap_ns=10**9)
    else:
        record.live(4.0).boots(8.7, 105).live(8.7, 105).live(8.99, 105, final=True)
    assert record.ask(NAME).state is State.UNKNOWN


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
