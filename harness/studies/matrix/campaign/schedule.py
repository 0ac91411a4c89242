"""Decides which run is next and how many run at once: rounds over all cells, retries of undecided runs, a clean end.

It knows no process and no folder: the caller's function begins an attempt. There is one thread, so that Ctrl-C can stop
all attempts in one place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Protocol

from harness.core.frozen import dataclass
from harness.core.signals import pause, shielded
from harness.studies.matrix.plan import PlannedCell

TICK_S = 0.02
"""How often it looks whether a run has ended: short against a run of two seconds, and cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """The ``number``-th run of a cell, counted from 1."""

    planned: PlannedCell
    number: int


class Attempt(Protocol):
    """One run under way."""

    def ended(self) -> bool:
        """Whether it has ended; what it leaves is in order then."""

    def interrupt(self) -> None:
        """Ask it to end, as Ctrl-C does; does not wait."""

    def stop(self) -> None:
        """Wait until it has ended, for a bounded time, and make it end after that. Idempotent."""


class Refusal(str, Enum):
    """Why a task was not begun."""

    DONE = "done"  # the record is there already
    BUSY = "busy"  # another matrix is making it: ask again later


def make_tasks(cells: Sequence[PlannedCell], repeats: int) -> tuple[Task, ...]:
    """All runs, round by round: there is a whole table after each round, and a cell's runs lie apart in time."""
    return tuple(Task(planned=planned, number=number) for number in range(1, repeats + 1) for planned in cells)


def run_tasks(
    tasks: Sequence[Task],
    *,
    jobs: int,
    begin: Callable[[Task], Attempt | Refusal],
    finish: Callable[[Task], bool],
    tick: Callable[[Sequence[Task], int], None],
) -> None:
    """Until every task is done.

    Args:
        tasks: in the order in which to begin them.
        jobs: how many at once.
        begin: starts a task, or says why not.
        finish: told of each attempt that has ended; True asks for one more.
        tick: told again and again what runs, and how many tasks wait.

    Whatever ends it (Ctrl-C above all) stops every attempt that is under way.
    """
    waiting, running = deque(tasks), dict[Task, Attempt]()
    try:
        while waiting or running:
            _fill(waiting, running, jobs, begin)
            tick(tuple(running), len(waiting))
            pause(TICK_S)
            for task in [task for task, attempt in running.items() if attempt.ended()]:
                del running[task]
                if finish(task):
                    waiting.append(task)
    finally:
        with shielded():
            for attempt in running.values():
                attempt.interrupt()
            for attempt in running.values():
                attempt.stop()


def _fill(
    waiting: deque[Task], running: dict[Task, Attempt], jobs: int, begin: Callable[[Task], Attempt | Refusal]
) -> None:
    """Begin what can be begun; what is busy goes to the end of the queue, and each is asked once."""
    for _ in range(len(waiting)):
        if len(running) >= jobs:
            return
        task = waiting.popleft()
        answer = begin(task)
        if answer is Refusal.BUSY:
            waiting.append(task)
        elif not isinstance(answer, Refusal):
            running[task] = answer
