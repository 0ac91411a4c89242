"""When the bound path vanished, who removed it, and whether that was the arbiter's own end. Pure.

Several watchers see one thing, and each tells it in its own time: what counts is the first of them.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence

from harness.core.events.servers import SocketChange
from harness.core.observations import Observations, Removal
from harness.core.patterns import pattern
from harness.disturb import inherits_listener, list_turns
from harness.judge.windows import LATE_TOLD_NS, SAME_MOMENT_NS, list_epochs

VANISHING = {"deleted", "moved"}

ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})
"""The signals at which an arbiter ends."""

CLOCK_STEP_NS = 1_000
"""The tracer's clock is a float of seconds and may be off by so much; else a call comes before its effect is seen."""

ARBITERS_STOP = pattern(r"(?:^|/)arbiter\.py:\d+ stop$")


def find_vanishing(observations: Observations) -> SocketChange | None:
    """The first time the bound path vanished while the arbiter lived and did not stop by itself."""
    first = next((change for change in since_bind(observations)[1:] if is_gone(change)), None)
    return None if first is None or _is_own_stop(observations, first) else first


def since_bind(observations: Observations) -> Sequence[SocketChange]:
    """What happened to the path from the moment at which gunicorn bound it: that first; without what it may."""
    return [change for epoch in list_epochs(observations) for change in epoch]


def arbiter_end_ns(observations: Observations) -> int | None:
    """When the arbiter began to end, as the first of those told it who saw it; None while it lived on.

    Its log and its exit are read later than they happen; a signal to end that its tracer saw is timed where it came.
    """
    ends = (observations.arbiter_stopping_ns, observations.arbiter_exit_ns)
    told_ns = min((ns for ns in ends if ns is not None), default=None)
    if told_ns is None:
        return None
    asked = (
        got.at_ns
        for got in observations.doings.received
        if got.pid == observations.arbiter_pid and got.signal in ENDING and told_ns - LATE_TOLD_NS <= got.at_ns
    )
    return min([told_ns, *asked])


def find_removal(observations: Observations, vanishing: SocketChange) -> Removal | None:
    """The tracer's record of the call that made the file go: the first that succeeded since something else happened.

    Where there is none, it is the last one before that: the watcher of the path may have been slow to tell.
    """
    bound = since_bind(observations)
    earliest, latest = (bound[0].at_ns if bound else 0) - SAME_MOMENT_NS, vanishing.at_ns + CLOCK_STEP_NS
    candidates = [
        removal
        for removal in observations.removals
        if removal.failed is None and not removal.replaces and earliest <= removal.at_ns <= latest
    ]
    if not candidates:
        return None
    if any(one.replaces is None for one in candidates):
        return candidates[-1]  # of an older tracer, which does not tell a rename onto the path from one away from it
    before_ns = max((change.at_ns for change in bound if change.at_ns < vanishing.at_ns), default=0)
    return next((one for one in candidates if one.at_ns >= before_ns), candidates[-1])


def vanished_ns(observations: Observations, vanishing: SocketChange) -> int:
    """When the file went: as the first of those told it who saw it."""
    removal = find_removal(observations, vanishing)
    return vanishing.at_ns if removal is None else min(removal.at_ns, vanishing.at_ns)


def is_gone(change: SocketChange) -> bool:
    """Whether nothing is at the path from this change on."""
    return change.action in VANISHING or (change.action == "snapshot" and change.inode is None)


def _is_own_stop(observations: Observations, vanishing: SocketChange) -> bool:
    """Whether the arbiter cleaned up after itself: it unlinks first, and says so only when its workers have ended."""
    if inherits_listener(list_turns(observations.cell)):
        return False  # the path is not the arbiter's to remove
    end_ns = arbiter_end_ns(observations)
    if end_ns is not None and vanished_ns(observations, vanishing) > end_ns - SAME_MOMENT_NS:
        return True
    removal = find_removal(observations, vanishing)
    return (
        removal is not None
        and removal.culprit.role == "arbiter"
        and any(ARBITERS_STOP.search(frame) for frame in removal.culprit.stack)
    )
