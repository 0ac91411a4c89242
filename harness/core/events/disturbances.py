"""The events of disturbances: what the harness itself does to the service, and what it awaits of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from harness.core.events.base import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceBegan(Event):
    """The harness begins to disturb the service; what clients may lose by it is lost from now on.

    Attributes:
        name: which disturbance.
        number: which one of this run, counted from 1.
        of: how many there are to be in this run.
        seed: what the times of all disturbances of this run are drawn from.
    """

    kind: ClassVar[str] = "disturbance"
    state: ClassVar[str] = "began"

    name: str
    number: int
    of: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbanceEnded(Event):
    """All that gunicorn had to do for a disturbance is done; or something was awaited in vain, and the run gives up.

    Attributes:
        name: which disturbance.
        number: which one of this run, counted from 1.
        missing: what did not come about; left out where all did.
        within_s: for how long that was awaited, in seconds.
        detail: what was seen instead, in a few words.
    """

    kind: ClassVar[str] = "disturbance"
    state: ClassVar[str] = "ended"

    name: str
    number: int
    missing: str | None = None
    within_s: float | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArbiterFiles(Event):
    """What an arbiter holds open, before the first disturbance and after each.

    Attributes:
        pid: the pid of the arbiter.
        files: how many of each kind: socket, pipe, file, other.
        threads: how many it has.
    """

    kind: ClassVar[str] = "arbiter-files"

    pid: int
    files: Mapping[str, int]
    threads: int
