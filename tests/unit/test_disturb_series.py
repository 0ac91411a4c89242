"""One disturbance after the other: its steps, what is awaited in vain, and times that a seed repeats."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.events.base import Event
from harness.core.events.disturbances import DisturbanceBegan, DisturbanceEnded
from harness.core.model import Cell
from harness.disturb import begin, series
from harness.disturb.course import Awaited, Course, Pending, ServiceUnderLoad, Steps
from harness.disturb.series import BesideRestarts, Series, Turn
from harness.watch.progress import Progress


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.ns = 10**12

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    ours = Clock()
    monkeypatch.setattr(series, "now_ns", ours)
    return ours


def _make(turns: list[Turn], seed: int = 1) -> tuple[Series, list[Event]]:
    told: list[Event] = []
    service = SimpleNamespace(sink=SimpleNamespace(emit=told.append), look_at_files=lambda: None)
    return Series(cast(ServiceUnderLoad, service), turns, seed=seed), told


def _drive(course: Course, clock: Clock, seconds: float) -> None:
    for _ in range(round(seconds * 100)):
        clock.ns += 10_000_000
        course.advance()


def _turn(log: list[str], name: str, wait: Pending) -> Turn:
    def disturb(_service: ServiceUnderLoad) -> Steps:
        log.append(f"{name} acts")
        yield wait
        log.append(f"{name} goes on")

    return Turn(name=name, disturb=disturb)


def test_each_goes_on_once_it_has_what_it_waits_for(clock: Clock) -> None:
    log: list[str] = []
    met = Pending(what=Awaited.ANSWERS, within_s=5, met=lambda: True)
    course, told = _make([_turn(log, "a", met), _turn(log, "b", met)])
    _drive(course, clock, 3)
    assert log == ["a acts", "a goes on", "b acts", "b goes on"]
    assert [type(event) for event in told] == [DisturbanceBegan, DisturbanceEnded] * 2
    assert course.is_complete()
    assert not course.is_down_for_good()


def test_a_pause_ends_with_its_time(clock: Clock) -> None:
    log: list[str] = []
    course, _ = _make([_turn(log, "a", Pending(what=None, within_s=1.0))])
    _drive(course, clock, 1.0)
    assert log == ["a acts"]
    _drive(course, clock, 1.0)
    assert log == ["a acts", "a goes on"]


def test_what_does_not_come_ends_the_series(clock: Clock) -> None:
    log: list[str] = []
    never = Pending(what=Awaited.NEW_WORKERS, within_s=2.0, seen=lambda: "0 of 2")
    course, told = _make([_turn(log, "a", never), _turn(log, "b", never)])
    _drive(course, clock, 2.0)
    assert not course.is_down_for_good()
    _drive(course, clock, 1.0)
    assert log == ["a acts"]
    assert course.is_down_for_good()
    ended = [event for event in told if isinstance(event, DisturbanceEnded)]
    assert [(one.missing, one.detail, one.within_s) for one in ended] == [("new workers", "0 of 2", 2.0)]


@pytest.mark.parametrize("other", [False, True])
def test_a_seed_repeats_the_times(clock: Clock, other: bool) -> None:
    def begins(seed: int) -> list[int]:
        clock.ns = 10**12
        begun: list[int] = []

        def turn(name: str) -> Turn:
            def disturb(_service: ServiceUnderLoad) -> Steps:
                begun.append(clock.ns)
                yield Pending(what=None, within_s=0.1)

            return Turn(name=name, disturb=disturb)

        course, _ = _make([turn(name) for name in "abcd"], seed)
        _drive(course, clock, 6)
        assert course.is_complete()
        return begun

    assert (begins(7) == begins(8 if other else 7)) is not other


class Restarts(SimpleNamespace):
    """Workers that restart by themselves, and what came of it."""

    def is_complete(self) -> bool:
        return bool(self.complete)

    def is_down_for_good(self) -> bool:
        return bool(self.down)


def _beside(wait: Pending) -> tuple[BesideRestarts, Restarts]:
    series, restarts = _make([_turn([], "a", wait)])[0], Restarts(complete=False, down=False)
    return BesideRestarts(series=series, restarts=cast(Course, restarts)), restarts


def test_the_load_goes_on_until_as_many_workers_as_wanted_have_restarted_too(clock: Clock) -> None:
    both, restarts = _beside(Pending(what=Awaited.ANSWERS, within_s=5, met=lambda: True))
    restarts.complete = True
    assert not both.is_complete()
    restarts.complete = False
    _drive(both, clock, 3)
    assert not both.is_complete()
    restarts.complete = True
    assert both.is_complete()
    assert not both.is_down_for_good()


def test_a_service_that_fails_between_restarts_counts_once_the_disturbances_are_done(clock: Clock) -> None:
    both, restarts = _beside(Pending(what=Awaited.ANSWERS, within_s=5, met=lambda: True))
    restarts.down = True
    assert not both.is_down_for_good()
    _drive(both, clock, 3)
    assert both.is_down_for_good()


def test_a_disturbance_in_vain_ends_the_load_whatever_the_restarts(clock: Clock) -> None:
    both, _ = _beside(Pending(what=Awaited.NEW_WORKERS, within_s=0.5))
    _drive(both, clock, 3)
    assert both.is_down_for_good()
    assert both.is_complete()


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ({"disturb": "reload", "max_requests": 0}, Series),
        ({"disturb": "reload", "max_requests": 64}, BesideRestarts),
        ({"disturb": "kill-arbiter", "max_requests": 64, "recover": True}, Series),
    ],
)
def test_only_a_service_that_is_up_at_the_end_is_asked_for_restarts(cell: dict[str, Any], kind: type[Course]) -> None:
    service = SimpleNamespace(cell=Cell(spec="1", **cell), look_at_files=lambda: None, progress=Progress())
    assert type(begin(cast(ServiceUnderLoad, service))) is kind
