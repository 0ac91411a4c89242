"""The events of the ladder back: what is tried after an outage that lasts, and what a client sees meanwhile."""

from __future__ import annotations

from typing import ClassVar

from harness.core.events.base import Event
from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RungBegan(Event):
    """A rung of the ladder back begins: wait, reload, upgrade or restart.

    Attributes:
        name: which rung.
    """

    kind: ClassVar[str] = "rung"
    state: ClassVar[str] = "began"

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RungEnded(Event):
    """A rung has been climbed, whether it healed the service or not.

    Attributes:
        name: which rung.
        answers: of each request that was sent meanwhile, when it ended in nanoseconds since the rung began, and how.
        skipped: why it could not be tried; left out where it was.
        detail: what else was seen, such as the status of an arbiter that was told to end.
    """

    kind: ClassVar[str] = "rung"
    state: ClassVar[str] = "ended"

    name: str
    answers: tuple[tuple[int, str], ...]
    skipped: str | None = None
    detail: str | None = None
