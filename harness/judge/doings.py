"""Collects who did what: the events of the tracer, of the samplers and of the app's wrapper, as ``Doings``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.events.base import Event
from harness.core.events.doings import (
    AppFault,
    ChildEnded,
    FileClosed,
    HarnessSignalled,
    ProcessStopped,
    SignalReceived,
    SignalSent,
    TracedExit,
)
from harness.core.events.servers import TracerLoaded
from harness.core.observations import Doings
from harness.judge.event_table import EventTable

FIELDS: Mapping[type[Event], str] = {
    SignalSent: "sent",
    SignalReceived: "received",
    ChildEnded: "ended",
    TracedExit: "exits",
    FileClosed: "closed",
    ProcessStopped: "stopped",
    HarnessSignalled: "ours",
    AppFault: "app_faults",
}
"""The field of ``Doings`` that the events of each class belong to."""


class DoingsReader:
    """Takes the events in the order of their times."""

    def __init__(self) -> None:
        self._found: dict[str, list[Any]] = {name: [] for kind, name in FIELDS.items() if kind is not ChildEnded}
        self._ended = EventTable(ChildEnded)
        self._complete = False

    def read(self, event: Event) -> None:
        """One event of a class in FIELDS."""
        if isinstance(event, ChildEnded):
            self._ended.append(event)
        else:
            self._found[FIELDS[type(event)]].append(event)

    def meet_tracer(self, event: TracerLoaded) -> None:
        """Older tracers do not tell of signals."""
        self._complete = self._complete or event.signals is True

    def close(self) -> Doings:
        """All of it."""
        found = {name: tuple(events) for name, events in self._found.items()}
        return Doings(complete=self._complete, ended=self._ended if len(self._ended) else (), **found)
