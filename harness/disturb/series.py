"""One disturbance after the other while the load runs: when each begins, what it waits for, and what came in vain.

The pauses between them are drawn from the cell's seed: a run with the same seed disturbs as long after the service has
settled.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from harness.core.clock import now_ns
from harness.core.events.disturbances import DisturbanceBegan, DisturbanceEnded
from harness.core.frozen import dataclass
from harness.disturb.aims import AIMS, OFFSET_S
from harness.disturb.course import Course, Pending, ServiceUnderLoad, Steps

PAUSE_S = (0.05, 0.6)
"""Between the end of a disturbance and the begin of the next: long enough for some requests, and never the same."""

LAST_PAUSE_S = 0.3
"""After the last one, so that what it leaves behind meets the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One disturbance of a series."""

    name: str
    disturb: Callable[[ServiceUnderLoad], Steps]
    leaves_down: bool = False  # it does without the repair that it would end with


class Series:
    """See ``disturb.course.Course``. It gives up at the first disturbance for which something was awaited in vain."""

    def __init__(self, service: ServiceUnderLoad, turns: Sequence[Turn], *, seed: int, aim: str | None = None) -> None:
        self._service = service
        self._turns = turns
        self._seed, self._aim = seed, aim
        self._has_begun = False
        self._random = random.Random(seed)  # noqa: S311 - no secret
        self._done = 0
        self._steps: Steps | None = None
        self._wait: Pending | None = None
        self._since_ns = 0
        self._gave_up = False
        self._pause()
        service.look_at_files()

    def advance(self) -> None:
        """See ``disturb.course.Course``."""
        if self.is_complete():
            return
        if self._steps is None:
            if self._waited_s() >= self._pause_s:
                self._begin()
        elif self._wait is None or self._wait.met():
            self._step()
        elif self._waited_s() > self._wait.within_s:
            self._step() if self._wait.what is None else self._end(self._wait)

    def is_complete(self) -> bool:
        """Whether all are done, and a little time has passed; or one was in vain."""
        over = self._done == len(self._turns) and self._waited_s() >= LAST_PAUSE_S
        return self._gave_up or over

    def is_down_for_good(self) -> bool:
        """See ``disturb.course.Course``."""
        return self._gave_up

    def _pause(self) -> None:
        self._since_ns, self._pause_s = now_ns(), self._random.uniform(*PAUSE_S)

    def _waited_s(self) -> float:
        return (now_ns() - self._since_ns) / 1e9

    def _begin(self) -> None:
        if self._done == len(self._turns):
            return
        self._has_begun = False
        self._steps = self._play(self._turns[self._done])
        self._step()

    def _play(self, turn: Turn) -> Steps:
        """The disturbance, at the moment that is aimed at; what the harness does to bring that about is part of it."""
        if self._aim is None:
            self._tell_begin(turn, None)
            yield from turn.disturb(self._service)
            return
        aim, offset_s = AIMS[self._aim], self._random.uniform(*OFFSET_S)
        yield from aim.reach(self._service)
        self._tell_begin(turn, offset_s)
        yield from aim.around(self._service, self._late(turn, offset_s))

    def _late(self, turn: Turn, offset_s: float) -> Steps:
        yield Pending(what=None, within_s=offset_s)
        yield from turn.disturb(self._service)

    def _tell_begin(self, turn: Turn, offset_s: float | None) -> None:
        self._has_begun = True
        began = DisturbanceBegan(
            name=turn.name,
            number=self._done + 1,
            of=len(self._turns),
            seed=self._seed,
            aim=self._aim,
            offset_ns=None if offset_s is None else round(offset_s * 1e9),
        )
        self._service.sink.emit(began)

    def _step(self) -> None:
        """Go on to the next thing to wait for; at the end of the steps the disturbance is over."""
        steps = self._steps
        self._wait = None if steps is None else next(steps, None)
        self._since_ns = now_ns()
        if self._wait is None:
            self._end(None)

    def _end(self, missing: Pending | None) -> None:
        turn = self._turns[self._done]
        if not self._has_begun:  # its moment did not come
            self._tell_begin(turn, None)
        self._done += 1
        self._steps = self._wait = None
        ended = DisturbanceEnded(name=turn.name, number=self._done, left_down=turn.leaves_down or None)
        if missing is not None and missing.what is not None:
            ended = DisturbanceEnded(
                name=turn.name,
                number=self._done,
                missing=missing.what.value,
                within_s=missing.within_s,
                detail=missing.seen() or None,
            )
            self._gave_up = True
        self._service.sink.emit(ended)
        self._service.look_at_files()
        self._pause()


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRestarts:
    """See ``disturb.course.Course``: a series while workers restart by themselves; both have to be done."""

    series: Series
    restarts: Course

    def advance(self) -> None:
        """See ``disturb.course.Course``."""
        self.series.advance()

    def is_complete(self) -> bool:
        """Whether all disturbances are done, and as many workers have restarted as are wanted."""
        return self.series.is_complete() and (self.series.is_down_for_good() or self.restarts.is_complete())

    def is_down_for_good(self) -> bool:
        """Whether a disturbance was in vain, or what they left has failed since."""
        return self.series.is_down_for_good() or (self.series.is_complete() and self.restarts.is_down_for_good())
