"""Who may have done what no traced call explains: commands that were started, and who was alive.

The tracer sees the calls of Python code. A command that gunicorn starts, and C code in its processes, remove a file
without it: to have seen no process do it never means that it was done from outside.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.events.bound_path import CallEffect
from harness.core.observations import Observations, PathCall
from harness.judge.vanishing import CLOCK_STEP_NS

HINT_NS = 1_000_000_000
"""A command that removes the path does so soon after its start, and so does C code that was just looked up."""

MOST_NAMED = 6
"""Of workers, so many are named one by one."""


def find_command(observations: Observations, at_ns: int) -> PathCall | None:
    """The command that names the path and was started shortly before; of several the first, which comes first."""
    return next(_find_hints(observations, at_ns, "command"), None)


def _find_hints(observations: Observations, at_ns: int, effect: CallEffect) -> Iterator[PathCall]:
    """The calls shortly before a moment that may have led to it."""
    for call in observations.calls:
        if call.effect == effect and at_ns - HINT_NS <= call.at_ns <= at_ns + CLOCK_STEP_NS:
            yield call


def describe_unseen(observations: Observations, at_ns: int) -> str:
    """That the tracer saw no process do it, or could not, and what else is known."""
    tracer = observations.watchers.get("tracer", "off")
    if tracer != "stopped":
        return f"by an unknown process: the unlink tracer was {tracer}; {describe_alive(observations, at_ns)}"
    hints = ["not seen by the tracer"]
    commands, symbols = (list(_find_hints(observations, at_ns, effect)) for effect in ("command", "symbol"))
    if commands:
        first, who = commands[0], commands[0].culprit
        others = sorted({call.culprit.pid for call in commands} - {who.pid})
        too = f" (so did {', '.join(map(str, others))})" if others else ""
        hints.append(f"just before, {who.role} {who.pid} started `{' '.join(first.paths)}` with {who.call}{too}")
    elif symbols:
        who = symbols[-1].culprit
        hints.append(f"just before, {who.role} {who.pid} looked up the C function {symbols[-1].paths[0]}")
    return "; ".join([*hints, describe_alive(observations, at_ns)])


def describe_alive(observations: Observations, at_ns: int) -> str:
    """Who of gunicorn's processes was alive at a moment: as listed then, else as their lives tell."""
    arbiter = observations.arbiter_pid
    named = list(_list_others(observations, at_ns))
    workers = sorted(_list_workers(observations, at_ns))
    if len(workers) > MOST_NAMED:
        said = [f"{len(workers)} workers"]
    elif workers:
        noun = "worker" if len(workers) == 1 else "workers"
        said = [f"{noun} {', '.join(map(str, workers))}"]
    else:
        said = []
    parts = ([] if arbiter is None else [f"arbiter {arbiter}"]) + said + named
    return f"alive then: {'; '.join(parts) or 'nobody that was seen'}"


def _list_workers(observations: Observations, at_ns: int) -> Iterator[int]:
    for life in observations.lives:
        if (life.booted_ns or 0) <= at_ns and (life.ended_ns is None or life.ended_ns >= at_ns):
            yield life.pid


def _list_others(observations: Observations, at_ns: int) -> Iterator[str]:
    """Those listed in that moment that are neither the arbiter nor its workers."""
    looks = [look for look in observations.processes if at_ns <= look.at_ns <= at_ns + HINT_NS]
    known = {life.pid for life in observations.lives} | {observations.arbiter_pid}
    for pid, parent, name in looks[0].live if looks else ():
        if pid not in known:
            yield f"{name} {pid}, a child of {parent}"
