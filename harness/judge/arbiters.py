"""The arbiters of a run, the disturbances that concern them, and what of it was the harness's own doing. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.core.disturbed import Disturbed
from harness.core.events.base import Event
from harness.core.events.disturbances import (
    ArbiterEnded,
    ArbiterFiles,
    DisturbanceBegan,
    DisturbanceEnded,
    HarnessDid,
    LeftProcesses,
)
from harness.core.events.doings import HarnessSignalled
from harness.core.events.probing import HarnessAsked, PathMoved
from harness.core.events.servers import ArbiterExited, ArbiterStarted

_KEPT: Mapping[type[Event], str] = {
    HarnessDid: "harness_did",
    ArbiterEnded: "told_ends",
    ArbiterFiles: "arbiter_files",
    HarnessAsked: "harness_asked",
    PathMoved: "moves",
    LeftProcesses: "left",
}
"""Events that are observations as they are, with the field of ``Observations`` that has them."""

OF_ARBITERS = (ArbiterExited, DisturbanceBegan, DisturbanceEnded, *_KEPT)


class Arbiters:
    """Who was an arbiter in this run; ``events`` are all of its record, in the order of their times."""

    def __init__(self, events: Sequence[Event]) -> None:
        self._started = [event for event in events if isinstance(event, ArbiterStarted)]
        self.first = self._started[0].pid if self._started else None
        self.exit: ArbiterExited | None = None
        self.stopping_ns: int | None = None
        self.asked_ns: int | None = None
        self._signalled: set[int] = set()
        self._disturbed: dict[int, Disturbed] = {}
        self._kept: dict[str, list[Event]] = {name: [] for name in _KEPT.values()}

    def name_of(self, pid: int, at_ns: int) -> str | None:
        """What an arbiter is called at a moment; None for another process. With one arbiter alone it is "arbiter"."""
        mine = next((one for one in self._started if one.pid == pid), None)
        if mine is None:
            return None
        later = [one for one in self._started if one.at_ns > mine.at_ns and one.at_ns <= at_ns]
        if any(one.role == "new master" for one in later):
            return "old master"
        return mine.role or "arbiter"

    def read(self, event: Event) -> None:
        """One event of a class in OF_ARBITERS."""
        if isinstance(event, ArbiterExited):
            self.exit = self.exit or event
        elif isinstance(event, HarnessSignalled):
            self._signalled.add(event.pid)
        elif isinstance(event, DisturbanceBegan):
            self._disturbed[event.number] = Disturbed(
                name=event.name, number=event.number, of=event.of, began_ns=event.at_ns, aim=event.aim
            )
        elif isinstance(event, DisturbanceEnded) and event.number in self._disturbed:
            self._end(event)
        elif type(event) in _KEPT:
            self._kept[_KEPT[type(event)]].append(event)

    def _end(self, event: DisturbanceEnded) -> None:
        over = event.missing is None
        self._disturbed[event.number] = replace(
            self._disturbed[event.number],
            ended_ns=event.at_ns if over else None,
            gave_up_ns=None if over else event.at_ns,
            missing=event.missing,
            within_s=event.within_s,
            detail=event.detail,
            left_down=bool(event.left_down),
        )

    def read_line(self, at_ns: int, pid: int | None, state: str | None) -> None:
        """A line of the first arbiter's own log; what follows from a signal of the harness's own says nothing."""
        if pid is None or pid != self.first or pid in self._signalled:
            return
        if state in {"stopping", "asked-to-stop"} and self.stopping_ns is None:
            self.stopping_ns = at_ns
        if state in {"asked", "asked-to-stop"} and self.asked_ns is None:
            self.asked_ns = at_ns

    def close(self) -> dict[str, Any]:
        """The fields of ``Observations`` that are made of it."""
        return {
            "arbiter_pid": self.first,
            "arbiter_exit_ns": None if self.exit is None else self.exit.at_ns,
            "arbiter_status": None if self.exit is None else self.exit.status,
            "arbiter_stopping_ns": self.stopping_ns,
            "arbiter_asked_ns": self.asked_ns,
            "disturbances": tuple(self._disturbed.values()),
            **{name: tuple(kept) for name, kept in self._kept.items()},
        }
