"""The events of the workers as a whole: were all there when the load began, and what did one do when asked alone."""

from __future__ import annotations

from typing import ClassVar

from harness.core.events.base import Event
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet(Event):
    """Before the load: all workers were ready, or nothing more came.

    Attributes:
        configured: how many workers there should be.
        live: how many children the arbiter has.
        ready: how many of them have booted and, where the app tells that, have loaded it.
        waited_ns: since gunicorn and the proxy had answered, in nanoseconds.
    """

    kind: ClassVar[str] = "fleet"

    configured: int
    live: int
    ready: int
    waited_ns: int

    @property
    def complete(self) -> bool:
        """Whether all workers were ready."""
        return self.ready >= self.configured


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAlone(Event):
    """A live worker that served nothing was asked by itself: the harness stopped all others for that time.

    It is asked when the window of the run is closed, so that nothing else is disturbed.

    Attributes:
        pid: of the worker.
        outcome: a status ("200"), or a client error: closed, timeout, refused, missing or other.
        took_ns: until the answer, or until nobody waited any more, in nanoseconds.
        held: the pids of the others.
        idle_ns: for how long it had served nothing, in nanoseconds.
        served_by_others: requests meanwhile.
        then: how the same request ended when the others went on.
        lived: whether the worker was alive, and not stopped, at the end.
    """

    kind: ClassVar[str] = "asked-alone"

    pid: int
    outcome: str
    took_ns: int
    held: tuple[int, ...]
    idle_ns: int
    served_by_others: int
    then: str
    lived: bool
