"""Turns the object of a line into an event of its class, and checks the type of each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, TypeAlias, get_type_hints

from harness.core.events import (
    bound_path,
    clients,
    course,
    disturbances,
    doings,
    fleet,
    probing,
    recovery,
    servers,
    stop,
)
from harness.core.events.base import ArmEvent, Event, state_of
from harness.core.events.fieldtypes import Check, check_of, describe
from harness.core.frozen import dataclass
from harness.core.model import Json

KINDS: tuple[type[Event], ...] = (
    course.Phase,
    course.Readiness,
    course.Control,
    course.WatcherState,
    course.Machine,
    course.Stall,
    course.Interrupted,
    course.Fault,
    course.ScenarioBegun,
    course.ArmBegun,
    course.RecordEnd,
    course.CutShort,
    course.Contradiction,
    servers.ArbiterStarted,
    servers.ArbiterExited,
    servers.ProxyExited,
    servers.SocketChange,
    servers.TracedRemoval,
    servers.TracerLoaded,
    servers.TracerProblem,
    servers.LiveWorkers,
    servers.GunicornLine,
    servers.Served,
    servers.Proxied,
    servers.ProxyErrors,
    servers.MemorySample,
    bound_path.TracedCall,
    bound_path.ClientRights,
    bound_path.LiveProcesses,
    doings.SignalSent,
    doings.SignalReceived,
    doings.ChildEnded,
    doings.TracedExit,
    doings.FileClosed,
    doings.ProcessStopped,
    doings.HarnessSignalled,
    doings.AppFault,
    disturbances.DisturbanceBegan,
    disturbances.DisturbanceEnded,
    disturbances.ArbiterFiles,
    disturbances.HarnessDid,
    probing.HarnessAsked,
    probing.PathMoved,
    disturbances.ArbiterEnded,
    disturbances.LeftProcesses,
    recovery.RungBegan,
    recovery.RungEnded,
    fleet.Fleet,
    fleet.AskedAlone,
    stop.OpenFiles,
    stop.StrayProcesses,
    stop.StopEnded,
    stop.StopSkipped,
    clients.Probe,
    clients.LoadStarted,
    clients.LoadEnded,
    clients.Answers,
    clients.AnswerTimes,
    clients.LedgerClosed,
    clients.LedgerFailed,
)
"""Every class whose events a record may hold, by the kind of the line and, where it has several, by its state."""

ARM = "arm"
"""The field that names the arm of an event in a scenario's record."""

_Build: TypeAlias = Callable[[Mapping[str, Json]], Event]


class UnknownKindError(ValueError):
    """There is no class for this kind, or for this state of it; ``name`` says which."""

    def __init__(self, name: str) -> None:
        super().__init__(f"its kind {name!r} is unknown")
        self.name = name


def parse_event(data: Mapping[str, Json]) -> Event:
    """The event that an object describes. Fields that its class does not have are ignored.

    Raises:
        UnknownKindError: there is no class for its kind.
        ValueError: a field is missing, or of another type.
    """
    kind = data.get("kind")
    if type(kind) is not str:
        raise ValueError("kind must be a text")
    arm = data.get(ARM)
    event = _find(kind, data)(data)
    if arm is None:
        return event
    if type(arm) is not str:
        raise ValueError("arm must be a text")
    return ArmEvent(at_ns=event.at_ns, arm=arm, event=event)


def _find(kind: str, data: Mapping[str, Json]) -> _Build:
    """The function that makes the events of this kind; where the kind has several classes, of this state."""
    known = _classes()
    if (kind, None) in known:
        return _builder(kind, None)
    state = data.get("state")
    if isinstance(state, str) and (kind, state) in known:
        return _builder(kind, state)
    several = any(name == kind for name, _ in known)
    if several and state is None:
        raise ValueError(f"{kind} lacks its state")
    raise UnknownKindError(f"{kind} ({state})" if several else kind)


@cache
def _classes() -> Mapping[tuple[str, str | None], type[Event]]:
    return {(kind.kind, state_of(kind)): kind for kind in KINDS}


@cache
def _builder(kind_name: str, state: str | None) -> _Build:
    """Make the function that makes events of one class; the checks of its fields are found once."""
    kind = _classes()[kind_name, state]
    rows = [(one.name, one.check, one.words, one.required) for one in list_fields(kind)]

    def build(data: Mapping[str, Json]) -> Event:
        values: dict[str, Any] = {}
        for name, check, words, required in rows:
            if name not in data:
                if required:
                    raise ValueError(f"{kind.kind} lacks {name}")
                continue
            try:
                values[name] = check(data[name])
            except (TypeError, ValueError) as problem:
                raise ValueError(f"{name} of {kind.kind} must be {words}") from problem
        return kind(**values)

    return build


@dataclass(frozen=True, slots=True, kw_only=True)
class EventField:
    """One field of a kind: the check for its value, its type in words, and whether each line must have it."""

    name: str
    check: Check
    words: str
    required: bool


def list_fields(kind: type[Event]) -> list[EventField]:
    """The fields of a kind in the order of its lines; ``at_ns`` is the first."""
    hints = get_type_hints(kind)
    return [
        EventField(
            name=one.name,
            check=check_of(hints[one.name]),
            words=describe(hints[one.name]),
            required=one.name == "at_ns" or (one.default is MISSING and one.default_factory is MISSING),
        )
        for one in fields(kind)
    ]
