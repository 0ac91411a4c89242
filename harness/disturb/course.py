"""The words that the disturbances and those who use them share: what is disturbed, what goes on, what may get lost."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

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


class ServiceUnderLoad(Protocol):
    """What a disturbance sees of the stack that it disturbs."""

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
        """The arbiter, as its watchers see it."""


class Course(Protocol):
    """One disturbance during one load. The load phase asks it at each tick (10 ms), so that no call may wait."""

    def advance(self) -> None:
        """Do what is due now, such as the next signal, and record it; nothing where gunicorn does it all by itself."""

    def is_complete(self) -> bool:
        """Whether as much was seen as is wanted: more load would add nothing."""

    def is_down_for_good(self) -> bool:
        """Whether the service has plainly failed and will not come back: more load would add nothing."""
