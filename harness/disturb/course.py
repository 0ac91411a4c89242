"""The words that the disturbances and those who use them share: what is disturbed, what goes on, what may get lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Protocol, TypeAlias

from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.watch.event_log import EventSink
from harness.watch.progress import Progress


class Loss(str, Enum):
    """Which requests clients may lose to a disturbance without a fault of the release."""

    NOTHING = "nothing"
    NOT_YET_ACCEPTED = "requests not yet accepted"
    IN_HAND = "what the ended worker had in hand"
    UNTIL_START = "everything until the next start"
    FROM_THEN_ON = "everything from then on"
    ITS_OWN_REQUEST = "the request that is the disturbance"
    ON_THE_OLD_PATH = "everything on the old path"
    TIME = "time: connections wait"


class PathRule(str, Enum):
    """What may become of the bound path while a disturbance lasts."""

    KEPT = "kept"  # the same file throughout
    LEFT_BY_STOP = "left by the stop"  # it goes with the arbiter, and comes with the next one
    ANY = "any"  # the harness itself removes it, or nobody can clean up


class Prerequisite(str, Enum):
    """What a disturbance takes, beside signals to the arbiter; the value tells why it can't be had in a container."""

    OTHER_PROCESSES = "of a gunicorn in a container only the first arbiter can be signalled"
    A_START = "a container lives only as long as its first process: no gunicorn can be started in it again, or beside"
    SETTINGS = "the settings in a container can't be written anew"
    INHERITED_LISTENER = "a container inherits no listener"
    TRACER = "an arbiter in a container can't be held"
    HANGING_APP = "nobody can ask a gunicorn in a container for so long"
    PATH = "a path is bound with --bind unix alone"
    PID_FILE = "the pid file in a container can't be written anew"


class Awaited(str, Enum):
    """What a disturbance waits for, as it stands in the record; the judge says what it means if it is missing."""

    NEW_WORKERS = "new workers"
    OLD_WORKERS_GONE = "the end of the old workers"
    NEW_MASTER = "a new master"
    MASTER_GONE = "the end of the master"
    MORE_WORKERS = "one worker more"
    FEWER_WORKERS = "one worker fewer"
    ANSWERS = "answers"
    START = "a start"
    MOMENT = "the moment that was aimed at"
    REPLACEMENT = "another worker in the place of the ended one"


class OwnRequest(Protocol):
    """A request of the harness's own, under way in a thread of its own."""

    def is_over(self) -> bool:
        """Whether it was answered, or has failed."""

    def is_taken(self) -> bool:
        """Whether the app has got it."""

    def is_answered(self) -> bool:
        """Whether it was answered with success."""


class OtherProcess(Protocol):
    """A process of the run that has nothing to do with gunicorn."""

    def stop(self) -> int:
        """End it; returns its exit status."""


class Move(Protocol):
    """The arbiter was told to bind another path; the new one is asked all the time."""

    def is_answered(self) -> bool:
        """Whether a request on the new path was answered."""

    def is_old_gone(self) -> bool:
        """Whether the old path is gone."""

    def end(self) -> None:
        """Ask no more, and record what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Something to wait for, looked at at each tick (10 ms). ``what`` None: a pause that ends with its time."""

    what: Awaited | None
    within_s: float
    met: Callable[[], bool] = lambda: False
    seen: Callable[[], str] = lambda: ""  # in words, for the record, where it did not come


Steps: TypeAlias = Iterator[Pending]
"""What a disturbance does, step by step: it acts, and yields what it waits for."""


class ServiceUnderLoad(Protocol):
    """What a disturbance sees of the stack that it disturbs, and what it can do to it."""

    @property
    def cell(self) -> Cell:
        """How it was started, and how much is wanted of it."""

    @property
    def progress(self) -> Progress:
        """What has been seen so far: live workers, restarts, the socket file, answers."""

    @property
    def sink(self) -> EventSink:
        """Takes an event for each thing that the disturbance does itself."""

    @property
    def arbiter_pid(self) -> int:
        """The arbiter that serves now, as its watchers see it."""

    @property
    def boot_s(self) -> float:
        """How long gunicorn took from its start to its first answer."""

    @property
    def graceful_s(self) -> float:
        """Gunicorn's graceful_timeout: how long a worker may take to finish what it has."""

    @property
    def timeout_s(self) -> float:
        """Gunicorn's timeout: how long a worker may be silent."""

    def signal_arbiter(self, number: int, reason: str) -> None:
        """Send the arbiter a signal, recorded as the harness's own doing; ``reason``: a few words."""

    @property
    def new_master_pid(self) -> int:
        """The master that came by USR2 and has not taken over yet."""

    def signal_worker(self, pid: int, number: int, reason: str) -> None:
        """Send a worker a signal, recorded likewise."""

    def signal_master(self, pid: int, number: int, reason: str) -> None:
        """Send a signal to another arbiter than the one that serves, recorded likewise."""

    def choose(self, pids: Sequence[int]) -> int:
        """One of these, by the cell's seed."""

    def expect_end(self) -> None:
        """The arbiter is about to be told to end, so that its end is no surprise."""

    def has_ended(self) -> bool:
        """Whether the arbiter that serves now has ended."""

    def is_alive(self, pid: int) -> bool:
        """Whether a process of this run lives; a zombie does not."""

    def list_family(self) -> dict[int, int]:
        """The arbiter and all below it: pid -> start time in clock ticks."""

    def list_alive(self, family: Mapping[int, int]) -> list[int]:
        """Those of a family that still live."""

    def note_end(self, pid: int, family: Mapping[int, int]) -> None:
        """Record that an arbiter has ended, since when, and who of its family lives on."""

    def start(self, reason: str) -> None:
        """Start gunicorn again, as it was started first; it is the arbiter that serves from now on."""

    def start_second(self, reason: str) -> int:
        """Start another gunicorn with the same settings beside the one that serves; returns its pid."""

    def meet_new_master(self, pid: int) -> None:
        """A new master has come by USR2: watch its workers, too."""

    def adopt_new_master(self) -> None:
        """The new master is the arbiter that serves from now on."""

    def ask_slowly(self, hang_s: float, reason: str) -> OwnRequest:
        """Send a request straight to gunicorn that the app takes so long for; recorded once it is over."""

    def rebind(self, *, elsewhere: bool, reason: str) -> Move:
        """Write the settings with another path, or with the run's own again, and send HUP."""

    def remove_path(self, reason: str) -> None:
        """Remove the bound path, as somebody else would."""

    def give_pid_away(self) -> OtherProcess:
        """Another process of the run has the pid that the pid file names, as far as gunicorn can tell."""

    def look_at_files(self) -> None:
        """Record what the arbiter holds open."""


class Course(Protocol):
    """One disturbance during one load. The load phase asks it at each tick (10 ms), so that no call may wait."""

    def advance(self) -> None:
        """Do what is due now, such as the next signal, and record it; nothing where gunicorn does it all by itself."""

    def is_complete(self) -> bool:
        """Whether as much was seen as is wanted: more load would add nothing."""

    def is_down_for_good(self) -> bool:
        """Whether the service has plainly failed and will not come back: more load would add nothing."""
