"""What all events have in common, and two special events: those of a scenario's arm, and those of an unknown kind.

An event becomes one line: ``{"at_ns", "kind", ...}`` with its fields by their names. An optional field that was not
given is left out of the line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from typing import ClassVar

from harness.core.clock import now_ns
from harness.core.frozen import dataclass
from harness.core.model import Json

_ENCODER = json.JSONEncoder(ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was observed. ``at_ns`` is a time of CLOCK_MONOTONIC; its default is now."""

    kind: ClassVar[str]

    at_ns: int = field(default_factory=now_ns)

    def to_json(self) -> dict[str, Json]:
        """The event as the object that its line holds."""
        data: dict[str, Json] = {"at_ns": self.at_ns, "kind": self.kind}
        state = state_of(type(self))
        if state is not None:
            data["state"] = state
        for name, optional in _written(type(self)):
            value = getattr(self, name)
            if value is not None or not optional:
                data[name] = value
        return data


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEvent(Event):
    """An event of one run of a scenario, in the scenario's record: its line has the additional field ``arm``."""

    kind: ClassVar[str] = "of an arm"

    arm: str
    event: Event

    def to_json(self) -> dict[str, Json]:
        """The event's own object, and the name of the arm."""
        return {**self.event.to_json(), "arm": self.arm}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownEvent(Event):
    """A line of a record whose kind this version does not know, so that the record can't be judged."""

    kind: ClassVar[str] = "unknown"

    name: str  # its kind, and its state if only the state is unknown
    said: Mapping[str, Json]  # the whole line

    def to_json(self) -> dict[str, Json]:
        """The line as it was read."""
        return {**self.said, "at_ns": self.at_ns}


def strip_arm(event: Event) -> Event:
    """The event without the name of its arm."""
    return event.event if isinstance(event, ArmEvent) else event


def encode(event: Event) -> str:
    """The event as JSON, without a line break."""
    return _ENCODER.encode(event.to_json())


def state_of(kind: type[Event]) -> str | None:
    """The value of ``state`` that distinguishes this class from others of its kind; None for a kind with one class."""
    state = getattr(kind, "state", None)  # a field with that name is a descriptor here
    return state if isinstance(state, str) else None


def _written(kind: type[Event]) -> tuple[tuple[str, bool], ...]:
    """The fields after ``at_ns``, each with whether it is left out of the line where it is None."""
    known = _WRITTEN.get(kind)
    if known is None:
        known = tuple((one.name, one.default is not MISSING) for one in fields(kind) if one.name != "at_ns")
        _WRITTEN[kind] = known
    return known


_WRITTEN: dict[type[Event], tuple[tuple[str, bool], ...]] = {}
