"""What ends, replaces or moves processes of the service while the load runs: a small module each, a row each.

A disturbance acts, and says what it waits for. What that means is told by the judge, from the record: ``MAY_LOSE``,
``PATH`` and ``ENDS_WORKERS`` are what it measures a run against. A newcomer adds one file and one row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from harness.core.model import Cell
from harness.disturb import (
    hang_worker,
    kill_arbiter,
    kill_worker,
    rebind,
    recycle,
    reload,
    remove_socket,
    reopen_logs,
    rollback,
    scale,
    second_master,
    socket_activation,
    stop,
    upgrade,
)
from harness.disturb.aims import AIMS
from harness.disturb.course import Course, Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.series import BesideRestarts, Series, Turn


class Disturbance(Protocol):
    """What the engine and the judge ask of a disturbance's module."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802 - a constant of the module
        """What is done, in a few words."""

    @property
    def MAY_LOSE(self) -> Loss:  # noqa: N802 - a constant of the module
        """What clients may lose by it."""

    @property
    def PATH(self) -> PathRule:  # noqa: N802 - a constant of the module
        """What may become of the bound path by it."""

    @property
    def ENDS_WORKERS(self) -> bool:  # noqa: N802 - a constant of the module
        """Whether workers end by it, without having reached max_requests."""

    @property
    def NEEDS(self) -> frozenset[Prerequisite]:  # noqa: N802 - a constant of the module
        """What it takes of the cell and of the back end."""

    @property
    def PROMISE(self) -> str | None:  # noqa: N802 - a constant of the module
        """Where gunicorn promises that it works; None where the measure is ours alone."""

    @property
    def TIMEOUT_S(self) -> int | None:  # noqa: N802 - a constant of the module
        """Gunicorn's ``timeout`` that suits it, where the user gives none; None where any does."""

    @property
    def LONGEST_S(self) -> float:  # noqa: N802 - a constant of the module
        """How long one usually takes at most, in seconds: the load's duration is made of that."""

    def disturb(self, service: ServiceUnderLoad) -> Steps:
        """Do it, step by step."""


RECYCLE = "recycle"
ALL = "all"

DISTURBANCES: Mapping[str, Disturbance] = {
    RECYCLE: recycle,
    "reload": reload,
    "upgrade": upgrade,
    "rollback": rollback,
    "stop": stop,
    "scale": scale,
    "reopen-logs": reopen_logs,
    "kill-worker": kill_worker,
    "kill-arbiter": kill_arbiter,
    "remove-socket": remove_socket,
    "second-master": second_master,
    "rebind": rebind,
    "hang-worker": hang_worker,
    "socket-activation": socket_activation,
}
"""By name; ``recycle`` is what every run does that names none."""


WITHOUT_REPAIR: Mapping[str, Callable[[ServiceUnderLoad], Steps]] = {
    "kill-arbiter": kill_arbiter.kill,
    "remove-socket": remove_socket.remove,
}
"""Disturbances that leave the service down unless they repair it themselves; with ``--recover`` the last one does not,
so that the ladder back finds out what would."""


def read_names(text: str) -> tuple[str, ...]:
    """The names in ``reload,scale``, in that order; ``all`` is every one that can be in a run with others.

    Raises:
        KeyError: one is unknown, or there is none.
    """
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    if named == (ALL,):
        return tuple(name for name in DISTURBANCES if name != RECYCLE and not inherits_listener((name,)))
    for name in named or ("",):
        if name not in DISTURBANCES:
            raise KeyError(name)
    return named


def inherits_listener(names: Iterable[str]) -> bool:
    """Whether gunicorn gets its listener from the harness in a run with these disturbances, from its start on."""
    return any(Prerequisite.INHERITED_LISTENER in DISTURBANCES[name].NEEDS for name in names)


def list_needs(cell: Cell) -> frozenset[Prerequisite]:
    """All that the disturbances of a run of this cell need."""
    turns = list_turns(cell)
    aim = AIMS[cell.aim].needs if cell.aim is not None and turns else frozenset()
    return aim.union(*(DISTURBANCES[name].NEEDS for name in turns))


def list_turns(cell: Cell) -> tuple[str, ...]:
    """The disturbances that the harness itself brings about in a run of this cell, in their order."""
    names = [name for name in read_names(cell.disturb) if name != RECYCLE]
    if cell.disturb.strip() == ALL and cell.bind != "unix":
        names = [name for name in names if Prerequisite.PATH not in DISTURBANCES[name].NEEDS]
    return tuple(names) * cell.times


def begin(service: ServiceUnderLoad) -> Course:
    """The course of the cell's disturbances, as the load begins."""
    turns = list_turns(service.cell)
    if not turns:
        return recycle.begin(service)
    turn_list = [Turn(name=name, disturb=DISTURBANCES[name].disturb) for name in turns]
    if service.cell.recover and turns[-1] in WITHOUT_REPAIR:
        turn_list[-1] = Turn(name=turns[-1], disturb=WITHOUT_REPAIR[turns[-1]], leaves_down=True)
    series = Series(service, turn_list, seed=service.cell.seed or 0, aim=service.cell.aim)
    if service.cell.max_requests == 0 or turn_list[-1].leaves_down:
        return series
    return BesideRestarts(series=series, restarts=recycle.begin(service))
