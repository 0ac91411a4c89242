"""Many events of one class in little memory: their numbers in arrays, and each distinct rest kept once.

A long record has millions of events, and as objects they would take four times the room of their file. A table looks
like a sequence of events, each of which is made anew when it is asked for.
"""

from __future__ import annotations

import marshal
import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from heapq import merge
from typing import Any, Generic, TypeVar, overload

from harness.core.events.base import Event
from harness.core.events.clients import Answers, AnswerTimes, Probe
from harness.core.events.servers import GunicornLine, LiveWorkers, MemorySample, Proxied, Served

EventT = TypeVar("EventT", bound=Event)

NUMBERS = {Answers: (), Served: (), AnswerTimes: (), GunicornLine: (), LiveWorkers: (), Probe: ("took_ns",)}
"""The classes that come by the hundred thousand; their fields, beside ``at_ns``, that are a number in each event."""

UNREAD = (Proxied, MemorySample)
"""Those that come by the hundred thousand and that the judge of a run does not ask for."""

MOST_READY = 20_000
"""So many distinct rests are kept as they are; the others as bytes, which take less room and more time."""

PLAIN = 2
"""The version of marshal in which equal data are equal bytes."""


class EventTable(Sequence[EventT], Generic[EventT]):
    """Events of one class, in the order in which they were appended."""

    def __init__(self, kind: type[EventT]) -> None:
        self._kind = kind
        self._numbers = ("at_ns", *NUMBERS[kind])
        self._rest = tuple(one.name for one in fields(kind) if one.name not in self._numbers)
        self._columns: list[array[int] | list[int]] = [array("q") for _ in self._numbers]
        self._ids = array("q") if "id" in self._rest else None
        self._rows: list[dict[str, Any] | bytes] = []
        self._known: dict[bytes, dict[str, Any] | bytes] = {}
        self.timeouts_ns: list[int] | None = None

    def append(self, event: EventT) -> None:
        """Take one event in."""
        for place, name in enumerate(self._numbers):
            self._put(place, getattr(event, name))
        rest = {name: getattr(event, name) for name in self._rest}
        if self._ids is not None:
            rest["id"], number = _split(rest["id"])
            self._ids.append(number)
        key = marshal.dumps(rest, PLAIN)
        if key not in self._known:
            self._known[key] = rest if len(self._known) < MOST_READY else key
        self._rows.append(self._known[key])

    def _put(self, place: int, number: int) -> None:
        try:
            self._columns[place].append(number)
        except OverflowError:  # a damaged record: no clock has such a time
            self._columns[place] = [*self._columns[place], number]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, at: int) -> EventT: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[EventT]: ...

    def __getitem__(self, at: int | slice) -> EventT | Sequence[EventT]:
        if isinstance(at, slice):
            return [self._make(one) for one in range(*at.indices(len(self)))]
        return self._make(range(len(self))[at])

    def __iter__(self) -> Iterator[EventT]:
        return map(self._make, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment] # it can be changed

    def in_time(self) -> Sequence[int]:
        """The places of the events in the order of their times; those of one time in the order of the table."""
        times = self._columns[0]
        if all(times[at] <= times[at + 1] for at in range(len(times) - 1)):
            return range(len(times))
        return array("Q", sorted(range(len(times)), key=times.__getitem__))

    def _make(self, at: int) -> EventT:
        row = self._rows[at]
        values = marshal.loads(row) if isinstance(row, bytes) else dict(row)  # noqa: S302 - made by ``append``
        if self._ids is not None and (number := self._ids[at]) >= 0:
            values["id"] = f"{values['id']}{number}"
        for name, column in zip(self._numbers, self._columns, strict=True):
            values[name] = column[at]
        return self._kind(**values)


def list_timeouts_ns(probes: Sequence[Probe]) -> list[int]:
    """When the probes began that timed out, in order; of a table it is found once, because each life asks for it."""
    if not isinstance(probes, EventTable):
        return sorted(probe.at_ns for probe in probes if probe.outcome == "timeout")
    if probes.timeouts_ns is None:
        probes.timeouts_ns = sorted(probe.at_ns for probe in probes if probe.outcome == "timeout")
    return probes.timeouts_ns


def _split(name: str | None) -> tuple[str | None, int]:
    """An id as its letter and its number; as it is, and -1, where it has another form."""
    if name is None or not name[1:].isdecimal() or len(name) > 18:  # noqa: PLR2004 - what 64 bits hold
        return name, -1
    number = int(name[1:])
    return (name[:1], number) if f"{name[:1]}{number}" == name else (name, -1)


class OrderedEvents:
    """The events of a record that are judged, in the order of their times, whatever the order of their arrival."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._tables: dict[type[Event], tuple[EventTable[Any], array[int]]] = {
            kind: (EventTable(kind), array("Q")) for kind in NUMBERS
        }
        self._others: list[tuple[int, int, Event]] = []
        for place, event in enumerate(events):
            if type(event) in self._tables:
                table, places = self._tables[type(event)]
                table.append(event)
                places.append(place)
            elif type(event) not in UNREAD:
                self._others.append((event.at_ns, place, event))
        self._others.sort(key=lambda row: row[:2])

    def rare(self) -> list[Event]:
        """Those of the other classes alone, in the order of their times."""
        return [event for _, _, event in self._others]

    def __iter__(self) -> Iterator[Event]:
        tables = [_list_in_time(table, places) for table, places in self._tables.values()]
        return (event for _, _, event in merge(self._others, *tables, key=lambda row: row[:2]))


def _list_in_time(table: EventTable[Any], places: array[int]) -> Iterator[tuple[int, int, Event]]:
    for at in table.in_time():
        event = table[at]
        yield event.at_ns, places[at], event
