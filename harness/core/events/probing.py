"""The events of what the harness itself asks of gunicorn as part of a disturbance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from harness.core.events.base import Event
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessAsked(Event):
    """A request of a disturbance's own, straight to gunicorn, at its start; told once it is over.

    Attributes:
        hang_s: how long the app was told to take for it, in seconds.
        outcome: a status ("200"), or a client error: closed, timeout, refused, missing or other.
        took_ns: the time until the answer was complete or the request had failed, in nanoseconds.
        worker: the pid of the worker that had it; left out where the app never got it.
    """

    kind: ClassVar[str] = "harness-asked"

    hang_s: float
    outcome: str
    took_ns: int
    worker: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PathMoved(Event):
    """The arbiter was told (HUP) to bind another path than before; told once the old workers have ended.

    Attributes:
        told_ns: when the signal was sent, on the clock of ``at_ns``.
        back: whether the new path is the run's own again.
        asked: the requests on the new path, from the first one on that was answered.
        failed: how those ended that failed: a status or a client error -> requests.
        bound_ns: when the new path came, since the signal; left out where it did not come.
        gone_ns: when the old path went, since the signal; left out where it is still there.
        answered_ns: when a request on the new path was answered first, since the signal; left out where none was.
    """

    kind: ClassVar[str] = "path-moved"

    told_ns: int
    back: bool
    asked: int
    failed: Mapping[str, int]
    bound_ns: int | None = None
    gone_ns: int | None = None
    answered_ns: int | None = None
