"""The events of the run itself: its phases, its watchers, its errors, and the end of its record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from harness.core.events.base import Event
from harness.core.frozen import dataclass
from harness.core.model import Json

STANDSTILL_NS = 500_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase(Event):
    """A phase of the run begins.

    Attributes:
        name: prepare, boot, control, load, settle, closed (the end of what is judged) or ended (nothing runs any more).
    """

    kind: ClassVar[str] = "phase"

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness(Event):
    """Gunicorn and the proxy have answered for the first time.

    Attributes:
        given_up: requests that were sent before and not waited for.
        queue: how many connections may wait for a worker; left out where that is not known.
    """

    kind: ClassVar[str] = "readiness"

    given_up: int
    queue: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Control(Event):
    """The control requests were sent one after the other; they are too few to recycle a worker.

    Attributes:
        asked: how many were sent.
        answered: how many were answered with 200.
        took_ns: how long each of these took, in nanoseconds; left out in records of older versions.
    """

    kind: ClassVar[str] = "control"

    asked: int
    answered: int
    took_ns: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WatcherState(Event):
    """A watcher starts, has stopped after it saw the whole window, or died.

    Attributes:
        name: socket, logs, tallies, workers, memory, prober or tracer.
        state: the tracer does not start by itself: it is expected, or off.
        detail: why it died.
    """

    kind: ClassVar[str] = "watcher"

    name: str
    state: Literal["started", "stopped", "died", "expected", "off"]
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Event):
    """How busy the machine was during the load, at the load's end.

    Attributes:
        foreign_share: the part of all cores that programs of others used, from 0 to 1.
    """

    kind: ClassVar[str] = "machine"

    foreign_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall(Event):
    """The machine did not run the harness for a while, from the event's time on.

    Attributes:
        gap_ns: how long, in nanoseconds.
    """

    kind: ClassVar[str] = "stall"

    gap_ns: int

    @property
    def is_standstill(self) -> bool:
        """Whether it was long enough to make answers late; a shorter one makes only what was seen inexact."""
        return self.gap_ns >= STANDSTILL_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted(Event):
    """The user ended the run with Ctrl-C, or a signal did.

    Attributes:
        phase: the phase in which that happened; of a scenario, between which of its runs.
    """

    kind: ClassVar[str] = "interrupted"

    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(Event):
    """The harness or its surroundings failed, so that there is nothing to judge.

    Attributes:
        outcome: the verdict that follows from it.
        what: what failed, on what.
        type: the class of the error.
        remedy: what to do next.
        log: the log with more about it; its path is relative to the run's folder if it lies there.
    """

    kind: ClassVar[str] = "fault"

    outcome: Literal["error", "unrunnable"]
    what: str
    type: str | None = None
    remedy: str | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioBegun(Event):
    """The first line of a scenario's record.

    Attributes:
        name: leak, jitter or tcp.
        settings: the scenario's own settings, beside the cells of its arms.
    """

    kind: ClassVar[str] = "scenario"

    name: str
    settings: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmBegun(Event):
    """The events of one run of a scenario follow; each of their lines has the field ``arm``.

    Attributes:
        name: which arm.
        run: the arm's own folder, below the scenario's.
        cell: what was run, as in the arm's cell.json.
    """

    kind: ClassVar[str] = "arm"

    name: str
    run: str = ""
    cell: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEnd(Event):
    """The last line of a record that was closed; one without it was cut short."""

    kind: ClassVar[str] = "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class CutShort(Event):
    """A record has sequence numbers and no ``end``. Only in the record of a scenario, of one of its arms."""

    kind: ClassVar[str] = "cut-short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction(Event):
    """The sequence numbers of a record are not those that its log gave. Only in a scenario's record, of an arm.

    Attributes:
        line: the first line that has another number than its own, counted from 1.
        seq: the number that it has; left out where it has none.
        expected: the number that it should have; left out where the lines before have none.
    """

    kind: ClassVar[str] = "contradiction"

    line: int
    seq: int | None = None
    expected: int | None = None
