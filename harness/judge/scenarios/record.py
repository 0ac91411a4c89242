"""The record of a scenario: several runs, its arms, in one stream of events.

The stream begins with a ``scenario`` event (``name``, ``settings``). Each arm begins with an ``arm`` event (``name``,
``cell``, and ``run``, its own folder below the scenario's), and each event of its run follows with an ``arm`` field
that names it. So everything that a scenario is judged by lies in one file, which an attachment takes along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.core.cells import cell_from_json
from harness.core.errors import UsageError
from harness.core.events.base import ArmEvent, Event, UnknownEvent
from harness.core.events.course import ArmBegun, Contradiction, CutShort, Interrupted, ScenarioBegun
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.observations import Observations
from harness.judge.defects import describe_defect
from harness.judge.timeline import observe


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
    interrupted: str | None  # between which arms the user pressed Ctrl-C
    cut_short: bool  # the record was not closed: its last lines may be missing
    defects: tuple[str, ...]  # why the record can't be believed, beside those of the arms


def read_trial(cell: Cell, events: Iterable[Event]) -> Trial:
    """The arms of a stored scenario; UsageError where the stream is not one of a scenario."""
    reader = _ArmReader()
    for event in events:
        reader.read(event)
    arms = {name: _arm(name, head, reader.parts[name]) for name, head in reader.heads.items()}
    return Trial(
        name=str(cell.scenario),
        cell=cell,
        settings=reader.settings,
        arms=arms,
        interrupted=reader.interrupted,
        cut_short=reader.cut_short,
        defects=tuple(reader.defects),
    )


class _ArmReader:
    """Sorts the events by arm, in the order of the stream."""

    def __init__(self) -> None:
        self.settings: Mapping[str, Json] = {}
        self.heads: dict[str, ArmBegun] = {}
        self.parts: dict[str, list[Event]] = {}
        self.interrupted: str | None = None
        self.cut_short = False
        self.defects: dict[str, None] = {}

    def read(self, event: Event) -> None:
        """Put one event where it belongs; UsageError where its arm has not begun."""
        match event:
            case ArmEvent():
                self._part(event).append(event.event)
            case ScenarioBegun():
                self.settings = event.settings
            case ArmBegun():
                self.heads[event.name], self.parts[event.name] = event, []
            case Interrupted():
                self.interrupted = event.phase
            case CutShort():
                self.cut_short = True
            case UnknownEvent() | Contradiction():
                self.defects.setdefault(describe_defect(event))

    def _part(self, event: ArmEvent) -> list[Event]:
        if event.arm not in self.parts:
            raise UsageError(
                what=f"The record is broken: its {event.event.kind!r} event at {event.at_ns} ns is of the arm "
                f"{event.arm!r}, which has not begun.",
                remedy="Judge a record as the harness wrote it.",
            )
        return self.parts[event.arm]


def _arm(name: str, head: ArmBegun, events: list[Event]) -> Arm:
    where = f"the event of the arm {name!r}"
    return Arm(
        name=name,
        cell=cell_from_json(head.cell, where=where),
        run=head.run,
        events=tuple(events),
    )
