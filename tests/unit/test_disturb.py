"""The table of disturbances, and when recycling has shown enough."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.clock import now_ns
from harness.core.events.servers import LiveWorkers
from harness.core.model import Cell
from harness.disturb import DISTURBANCES, list_turns, read_names, recycle
from harness.disturb.course import Course, Loss, PathRule, ServiceUnderLoad
from harness.engine.cell_rules import find_contradiction
from harness.watch.progress import Progress
from tests.unit.events import event

LONG_AGO_NS = 10**9


def begin(progress: Progress, **cell: Any) -> Course:
    service = SimpleNamespace(cell=Cell(spec="1.0", **cell), progress=progress, sink=None, arbiter_pid=1)
    return recycle.begin(cast(ServiceUnderLoad, service))


def hear(progress: Progress, kind: str, at_ns: int = 1, **fields: Any) -> None:
    progress.hear(event(at_ns, kind, **fields))


def restart(progress: Progress, *pids: int) -> None:
    """These workers have said that they restart, and are gone."""
    for pid in pids:
        hear(progress, "log", pid=pid, state="restarting", text="", level="INFO")


def delete(progress: Progress, at_ns: int) -> None:
    hear(progress, "socket", at_ns, action="deleted", inode=None)


@pytest.mark.parametrize("name", DISTURBANCES)
def test_each_row_says_what_it_does_and_what_may_be_lost(name: str) -> None:
    row = DISTURBANCES[name]
    assert row.SUMMARY
    assert row.MAY_LOSE in Loss
    assert row.PATH in PathRule


@pytest.mark.parametrize(
    ("text", "names"),
    [("recycle", ("recycle",)), (" reload, scale,", ("reload", "scale")), ("scale,scale", ("scale",) * 2)],
)
def test_names_are_read_in_their_order(text: str, names: tuple[str, ...]) -> None:
    assert read_names(text) == names


def test_all_are_those_that_the_harness_brings_about_beside_others() -> None:
    assert set(read_names("all")) == set(DISTURBANCES) - {"recycle", "socket-activation"}


def _refuse(**cell: Any) -> str:
    problem = find_contradiction(Cell(spec="1.0", **cell))
    return "" if problem is None else problem.what


def test_an_inherited_listener_is_for_the_whole_run() -> None:
    assert "inherits its listener in the whole run" in _refuse(disturb="reload,socket-activation")
    assert _refuse(disturb="socket-activation", times=2) == _refuse(disturb="all") == ""


@pytest.mark.parametrize("name", ["rebind", "remove-socket", "socket-activation"])
def test_without_a_path_there_is_none_to_disturb(name: str) -> None:
    assert "a path is bound with --bind unix alone" in _refuse(disturb=name, bind="tcp")


@pytest.mark.parametrize("name", sorted(name for name, one in DISTURBANCES.items() if one.NEEDS))
def test_what_a_container_can_not_do_is_refused_with_its_reason(name: str) -> None:
    refused = _refuse(disturb=name, backend="docker")
    assert name in refused
    assert any(need.value in refused for need in DISTURBANCES[name].NEEDS)


@pytest.mark.parametrize("name", ["recycle", "reload", "scale", "reopen-logs"])
def test_what_takes_only_a_signal_to_the_arbiter_can_be_had_in_a_container(name: str) -> None:
    assert _refuse(disturb=name, backend="docker") == ""


@pytest.mark.parametrize("text", ["", ",", "reload,recyle", "all,reload"])
def test_an_unknown_name_is_refused(text: str) -> None:
    with pytest.raises(KeyError):
        read_names(text)


def test_each_is_done_so_many_times_one_round_after_the_other() -> None:
    cell = Cell(spec="1.0", disturb="recycle,reload,scale", times=2)
    assert list_turns(cell) == ("reload", "scale", "reload", "scale")


@pytest.mark.parametrize(("wanted", "complete"), [(3, False), (2, True), (0, True)])
def test_recycling_is_complete_after_as_many_restarts_as_are_wanted(wanted: int, complete: bool) -> None:
    progress = Progress()
    restart(progress, 10, 11)
    assert begin(progress, recycles=wanted).is_complete() is complete


def test_no_restart_is_never_enough() -> None:
    assert not begin(Progress(), recycles=0).is_complete()


def test_without_a_limit_restarts_are_not_what_is_waited_for() -> None:
    progress = Progress()
    restart(progress, 10, 11)
    assert not begin(progress, recycles=2, max_requests=0).is_complete()


def test_a_deleted_socket_file_is_looked_at_longer_than_the_restarts() -> None:
    progress = Progress()
    restart(progress, 10, 11)
    course = begin(progress, recycles=2)
    delete(progress, now_ns())
    assert not course.is_complete()
    assert not course.is_down_for_good()


def test_the_service_is_down_for_good_once_nobody_is_answered_any_more() -> None:
    progress = Progress()
    delete(progress, LONG_AGO_NS)
    course = recycle.Recycling(
        service=cast(ServiceUnderLoad, SimpleNamespace(cell=Cell(spec="1.0"), progress=progress)), began_ns=LONG_AGO_NS
    )
    assert course.is_down_for_good()
    progress.last_success_ns = now_ns()
    assert not course.is_down_for_good()


def test_a_service_without_any_worker_is_down_for_good_after_a_while() -> None:
    progress = Progress()
    course = recycle.Recycling(
        service=cast(ServiceUnderLoad, SimpleNamespace(cell=Cell(spec="1.0"), progress=progress)), began_ns=LONG_AGO_NS
    )
    assert course.is_down_for_good()
    progress.hear(LiveWorkers(at_ns=now_ns(), live=((11, 1),)))  # one that boots for as long as it likes
    assert not course.is_down_for_good()
    assert not begin(Progress()).is_down_for_good()  # it has been quiet for a moment only


def test_silence_before_the_load_does_not_count() -> None:
    progress = Progress()
    delete(progress, LONG_AGO_NS)
    assert not begin(progress).is_down_for_good()
