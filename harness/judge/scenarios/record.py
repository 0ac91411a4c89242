"""The record of a scenario: several runs, its arms, in one stream of events.

The stream begins with a ``scenario`` event (``name``, ``settings``). Each arm begins with an ``arm`` event (``name``,
``cell``, and ``run``, its own folder below the scenario's), and each event of its run follows with an ``arm`` field
that names it. So everything that a scenario is judged by lies in one file, which an attachment takes along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.core.cells import cell_from_json
from harness.core.errors import UsageError
from harness.core.model import Cell, Event, Json, Observations
from harness.judge.timeline import observe

ARM = "arm"
SCENARIO = "scenario"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One run of a scenario: its folder relative to the scenario's, and its events as the run recorded them."""

    name: str
    cell: Cell
    run: str
    events: tuple[Event, ...]

    def observe(self) -> Observations:
        """What was seen in this run; UsageError where its record is broken."""
        return observe(self.cell, self.events)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A scenario's whole record. ``cell``: that of the arm which the verdict is about."""

    name: str
    cell: Cell
    settings: Mapping[str, Json]
    arms: Mapping[str, Arm]  # in the order in which they ran
    interrupted: str | None  # between which arms somebody pressed Ctrl-C


def read_trial(cell: Cell, events: Iterable[Event]) -> Trial:
    """The arms of a stored scenario; UsageError where the stream is not one of a scenario."""
    reader = _ArmReader()
    for event in events:
        reader.read(event)
    arms = {name: _arm(name, head, reader.parts[name]) for name, head in reader.heads.items()}
    return Trial(
        name=str(cell.scenario), cell=cell, settings=reader.settings, arms=arms, interrupted=reader.interrupted
    )


class _ArmReader:
    """Sorts the events by arm, in the order of the stream."""

    def __init__(self) -> None:
        self.settings: Mapping[str, Json] = {}
        self.heads: dict[str, Mapping[str, Any]] = {}
        self.parts: dict[str, list[Event]] = {}
        self.interrupted: str | None = None

    def read(self, event: Event) -> None:
        """Put one event where it belongs; UsageError where it belongs nowhere."""
        try:
            self._sort(event)
        except (KeyError, TypeError) as problem:
            raise UsageError(
                what=f"The record is broken: its {event.kind!r} event at {event.at_ns} ns can't be read ({problem!r}).",
                remedy="Judge a record as the harness wrote it.",
            ) from problem

    def _sort(self, event: Event) -> None:
        if event.kind == SCENARIO:
            self.settings = _mapping(event.fields["settings"])
        elif event.kind == ARM:
            self.heads[str(event.fields["name"])] = event.fields
            self.parts[str(event.fields["name"])] = []
        elif ARM in event.fields:
            rest = {name: value for name, value in event.fields.items() if name != ARM}
            self.parts[str(event.fields[ARM])].append(Event(at_ns=event.at_ns, kind=event.kind, fields=rest))
        elif event.kind == "interrupted":
            self.interrupted = str(event.fields["phase"])


def _arm(name: str, head: Mapping[str, Any], events: list[Event]) -> Arm:
    where = f"the event of the arm {name!r}"
    return Arm(
        name=name,
        cell=cell_from_json(head.get("cell"), where=where),
        run=str(head.get("run", "")),
        events=tuple(events),
    )


def _mapping(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError("its settings are no object")
    return value
