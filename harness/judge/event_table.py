"""Many events of one class in little memory: their numbers in arrays, and the rest once, or compressed.

A long record has millions of events, and as objects they would take four times the room of their file. A table looks
like a sequence of events, each of which is made anew when it is asked for. ``bench.large_records`` makes long records.
"""

from __future__ import annotations

import marshal
import operator
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from heapq import merge
from typing import Any, Generic, TypeVar, overload

from harness.core.events.base import Event
from harness.core.events.clients import Answers, AnswerTimes, Probe
from harness.core.events.doings import ChildEnded
from harness.core.events.servers import GunicornLine, LiveWorkers, MemorySample, Proxied, Served
from harness.judge.lives import is_text_read

EventT = TypeVar("EventT", bound=Event)

NUMBERS = {
    Answers: (),
    Served: (),
    AnswerTimes: (),
    GunicornLine: ("pid",),
    LiveWorkers: (),
    Probe: ("took_ns",),
    ChildEnded: ("pid", "ppid", "child", "status"),
}
"""The classes that come by the hundred thousand; their fields, beside ``at_ns``, that are a number in each event."""

UNREAD = (Proxied, MemorySample)
"""Those that come by the hundred thousand and that the judge of a run does not ask for."""

MOST_READY = 1000
"""So many distinct rests are kept as they are; the others are packed, which takes less room and more time."""

BLOCK = 256
"""So many packed rests are compressed together."""

MOST_OPEN = 8
"""So many blocks are kept unpacked: a table is mostly read in its order, by one reader or a few."""

PLAIN = 2
"""The version of marshal in which equal data are equal bytes."""

_NO_NUMBER = -(2**63)


class _Numbers:
    """Whole numbers in eight bytes each; in a list where one of them has no room there."""

    def __init__(self) -> None:
        self._kept: array[int] | list[int] = array("q")

    def append(self, number: int | None) -> None:
        number = _NO_NUMBER if number is None else number
        try:
            self._kept.append(number)
        except OverflowError:  # a damaged record: no clock has such a time
            self._kept = [*self._kept, number]

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, at: int) -> int:
        return self._kept[at]


class _Packed:
    """Texts of bytes, compressed in blocks."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._last: list[bytes] = []
        self._open: dict[int, list[bytes]] = {}

    def append(self, row: bytes) -> int:
        """Take one in; its place."""
        self._last.append(row)
        place = len(self._blocks) * BLOCK + len(self._last) - 1
        if len(self._last) == BLOCK:
            self._blocks.append(zlib.compress(marshal.dumps(self._last), 1))
            self._last = []
        return place

    def __getitem__(self, place: int) -> bytes:
        number, at = divmod(place, BLOCK)
        return self._unpack(number)[at] if number < len(self._blocks) else self._last[at]

    def _unpack(self, number: int) -> list[bytes]:
        if number not in self._open:
            if len(self._open) == MOST_OPEN:
                del self._open[next(iter(self._open))]
            self._open[number] = marshal.loads(zlib.decompress(self._blocks[number]))  # noqa: S302 - made by ``append``
        return self._open[number]


class EventTable(Sequence[EventT], Generic[EventT]):
    """Events of one class, in the order in which they were appended."""

    def __init__(self, kind: type[EventT]) -> None:
        self._kind = kind
        self._numbers = ("at_ns", *NUMBERS[kind])
        self._rest = tuple(one.name for one in fields(kind) if one.name not in self._numbers)
        self._columns = [_Numbers() for _ in self._numbers]
        self._ids = array("q") if "id" in self._rest else None
        self._rows = array("q")  # the place in ``_ready``; below zero that in ``_packed``, less one
        self._known: dict[bytes, int] = {}
        self._ready: list[dict[str, Any]] = []
        self._packed = _Packed()
        self.derived: Any = None  # what is asked for again and again: see ``waits``

    def append(self, event: EventT) -> None:
        """Take one event in."""
        for column, name in zip(self._columns, self._numbers, strict=True):
            column.append(getattr(event, name))
        rest = {name: getattr(event, name) for name in self._rest}
        if self._ids is not None:
            rest["id"], number = _split(rest["id"])
            self._ids.append(number)
        self._rows.append(self._keep(rest))

    def _keep(self, rest: dict[str, Any]) -> int:
        key = marshal.dumps(rest, PLAIN)
        known = self._known.get(key)
        if known is None and len(self._ready) == MOST_READY:
            return -1 - self._packed.append(key)
        if known is None:
            known = self._known[key] = len(self._ready)
            self._ready.append(rest)
        return known

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
        values = dict(self._ready[row]) if row >= 0 else marshal.loads(self._packed[-1 - row])  # noqa: S302 - as above
        if self._ids is not None and (number := self._ids[at]) >= 0:
            values["id"] = f"{values['id']}{number}"
        for name, column in zip(self._numbers, self._columns, strict=True):
            number = column[at]
            values[name] = None if number == _NO_NUMBER else number
        return self._kind(**values)


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
                table.append(_without_unread(event))
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


def _without_unread(event: Event) -> Event:
    """A line of the log without its words, where the judge reads its state alone: nearly all of them differ."""
    if isinstance(event, GunicornLine) and not is_text_read(event.pid, event.state):
        return replace(event, text="")
    return event


def _list_in_time(table: EventTable[Any], places: array[int]) -> Iterator[tuple[int, int, Event]]:
    for at in table.in_time():
        event = table[at]
        yield event.at_ns, places[at], event
