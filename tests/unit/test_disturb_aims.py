"""Moments at which disturbances are aimed: reached, told, and repeated by a seed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.clock import now_ns
from harness.core.events.disturbances import DisturbanceBegan, DisturbanceEnded
from harness.core.model import Cell, State
from harness.disturb import aims, list_needs, reload
from harness.disturb.aims import AIMS
from harness.disturb.course import Pending, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.series import Series, Turn
from harness.engine.cell_rules import find_contradiction
from harness.engine.options import fit_disturbances
from harness.watch.progress import Progress
from tests.unit.events import CELL, Record, event, healthy


class Service(SimpleNamespace):
    """A service with workers 10 and 11, whose limit is 64 requests."""

    def __init__(self) -> None:
        progress, told = Progress(), list[Any]()
        super().__init__(
            cell=Cell(spec="1", max_requests=64, workers=2),
            progress=progress,
            told=told,
            sink=SimpleNamespace(emit=told.append),
            look_at_files=lambda: None,
            boot_s=0.1,
            graceful_s=1.0,
            signal_arbiter=lambda number, reason: told.append((number, reason)),
            ask_slowly=lambda hang_s, _reason: SimpleNamespace(
                is_taken=lambda: ("asked", hang_s) in told, is_over=lambda: True
            ),
        )
        for pid in (10, 11):
            self.hear("log", pid=pid, state="booted", text="", level="INFO")
        self.live(10, 11)

    def hear(self, kind: str, **fields: Any) -> None:
        self.progress.hear(event(1, kind, **fields))

    def live(self, *pids: int) -> None:
        self.hear("workers", live=[[pid, pid] for pid in pids], final=False)

    def series(self, aim: str, log: list[str], seed: int = 1) -> Series:
        def disturb(_service: ServiceUnderLoad) -> Steps:
            log.append("acts")
            yield Pending(what=None, within_s=0.0)

        return Series(cast(ServiceUnderLoad, self), [Turn(name="reload", disturb=disturb)], seed=seed, aim=aim)


def _advance(series: Series, times: int = 10) -> None:
    for _ in range(times):
        series.advance()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.disturb.series.PAUSE_S", (0.0, 0.0))
    monkeypatch.setattr("harness.disturb.series.OFFSET_S", (0.0, 0.0))


@pytest.mark.parametrize(
    ("aim", "moment"),
    [
        ("before-restart", lambda service: service.hear("served", by_pid={"10": {"200": 60}})),
        (
            "during-restart",
            lambda service: service.hear("log", pid=10, state="restarting", text="", level="INFO"),
        ),
        (
            "after-restart",
            lambda service: (
                service.hear("log", pid=10, state="restarting", text="", level="INFO"),
                service.live(11, 12),
            ),
        ),
    ],
)
def test_a_moment_that_comes_by_itself_is_waited_for_and_is_no_part_of_it(aim: str, moment: Any) -> None:  # noqa: ANN401
    service, log = Service(), list[str]()
    series = service.series(aim, log)
    service.hear("served", by_pid={"10": {"200": 9}})
    _advance(series)
    assert (log, service.told) == ([], [])
    moment(service)
    _advance(series)
    assert log == ["acts"]
    assert isinstance(service.told[0], DisturbanceBegan)
    assert service.told[0].aim == aim


def test_a_moment_that_is_brought_about_is_the_first_part_of_it() -> None:
    service, log = Service(), list[str]()
    series = service.series("while-booting", log)
    _advance(series)
    assert isinstance(service.told[0], DisturbanceBegan)
    assert service.told[1] == (1, "reload, so that the fleet boots")
    assert log == []
    service.hear("log", pid=12, state="booted", text="", level="INFO")
    service.live(10, 11, 12)
    _advance(series)
    assert log == ["acts"]


def test_a_reload_waits_until_the_arbiter_says_that_it_heeds_it() -> None:
    """Before, it may spawn further workers of the old settings: nobody could tell those from the new ones."""
    service = Service()
    steps = reload.disturb(cast(ServiceUnderLoad, service))
    heeded = next(steps)
    service.hear("log", pid=12, state="booted", text="", level="INFO")
    service.live(10, 11, 12)
    assert (heeded.what, heeded.met()) == (None, False)
    service.hear("log", pid=1, state="asked", text="Handling signal: hup", level="INFO")
    assert heeded.met()


def test_a_request_in_hand_is_one_that_the_app_has_got() -> None:
    service, log = Service(), list[str]()
    series = service.series("request-in-hand", log)
    _advance(series)
    assert log == []
    service.told.append(("asked", aims.IN_HAND_S))
    _advance(series)
    assert log == ["acts"]


def test_a_moment_that_does_not_come_ends_the_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aims, "MOMENT_S", 0.0)
    service, log = Service(), list[str]()
    series = service.series("during-restart", log)
    _advance(series, 1)
    began_ns = now_ns()
    while not series.is_down_for_good() and now_ns() - began_ns < 10**9:
        series.advance()
    ended = next(one for one in service.told if isinstance(one, DisturbanceEnded))
    assert (log, ended.missing) == ([], "the moment that was aimed at")


def test_a_seed_repeats_the_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.disturb.series.OFFSET_S", (0.0, 0.002))

    def offset(seed: int) -> int | None:
        service = Service()
        service.hear("log", pid=10, state="restarting", text="", level="INFO")
        _advance(service.series("during-restart", [], seed))
        began: DisturbanceBegan = service.told[0]
        return began.offset_ns

    assert offset(3) == offset(3) != offset(4)


@pytest.mark.parametrize("aim", AIMS)
def test_what_aims_need_is_known_before_anything_is_started(aim: str) -> None:
    cell = Cell(spec="1", disturb=AIMS[aim].only or "reload", aim=aim, pidfile=True)
    assert find_contradiction(cell) is None
    assert list_needs(cell) >= AIMS[aim].needs
    assert bool(fit_disturbances(cell, ()).max_requests) is AIMS[aim].wants_restarts
    assert find_contradiction(Cell(spec="1", aim=aim)) is not None
    on_tcp = find_contradiction(replace(cell, bind="tcp"))
    assert (on_tcp is not None) is (Prerequisite.PATH in AIMS[aim].needs)


@pytest.mark.parametrize(
    ("disturb", "pidfile", "told"), [("reload", True, "kill-arbiter"), ("kill-arbiter", False, "pid file")]
)
def test_a_pid_can_be_in_use_again_only_where_an_arbiter_is_killed_that_had_written_it(
    disturb: str, pidfile: bool, told: str
) -> None:
    problem = find_contradiction(Cell(spec="1", disturb=disturb, aim="pid-in-use", pidfile=pidfile))
    assert problem is not None
    assert told in problem.what


@pytest.mark.parametrize("ends", [True, False])
def test_the_pid_is_given_away_between_the_end_and_the_start_and_its_new_owner_is_ended(ends: bool) -> None:
    log = ["alive"]
    other = SimpleNamespace(stop=lambda: log.append("stopped"))

    def give_pid_away() -> SimpleNamespace:
        log.append("given")
        return other

    service = SimpleNamespace(arbiter_pid=7, is_alive=lambda _pid: "alive" in log, give_pid_away=give_pid_away)

    def steps() -> Steps:
        yield Pending(what=None, within_s=1.0)
        log.append("start")
        yield Pending(what=None, within_s=1.0)

    aimed = AIMS["pid-in-use"].around(cast(ServiceUnderLoad, service), steps())
    next(aimed)
    log.remove("alive")
    next(aimed)
    assert log == ["given", "start"]
    assert next(aimed, None) is None if ends else aimed.close() is None  # type: ignore[attr-defined]
    assert log == ["given", "start", "stopped"]


def _aimed(aim: str | None, name: str = "reopen-logs") -> Record:
    record = healthy().remove("log", state="restarting")
    record.cell = replace(CELL, disturb=name, aim=aim, max_requests=0)
    record.add(0.5, "disturbance", state="began", name=name, number=1, of=1, seed=3, aim=aim)
    return record.add(4.0, "disturbance", state="ended", name=name, number=1)


@pytest.mark.parametrize(("aim", "state"), [(None, State.VIOLATED), ("while-booting", State.HOLDS)])
def test_workers_that_end_by_the_aim_have_not_restarted_early(aim: str | None, state: State) -> None:
    assert _aimed(aim).ask("max-requests-honoured").state is state


def test_the_path_that_the_aim_moves_may_go_and_come() -> None:
    aim = "between-unlink-and-bind"
    moved = (one.remove("socket", action="snapshot").socket(1.0, "deleted") for one in (_aimed(aim), _aimed(None)))
    allowed, not_allowed = (one.socket(1.2, "created", 8).socket(5.95, "snapshot", 8) for one in moved)
    assert allowed.ask("socket-survives").state is State.HOLDS
    assert not_allowed.ask("socket-survives").state is State.VIOLATED


@pytest.mark.parametrize(("name", "lost"), [("reload", True), ("stop", True), ("kill-worker", False)])
def test_a_request_in_hand_is_answered_unless_its_worker_is_killed(name: str, *, lost: bool) -> None:
    record = _aimed("request-in-hand", name)
    record.add(0.6, "harness-asked", hang_s=1.0, outcome="closed", took_ns=10**8, worker=101)
    assert record.ask("disturbances-handled").state is (State.VIOLATED if lost else State.HOLDS)
