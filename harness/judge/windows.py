"""Which moments of a run belong to a disturbance, and what may be lost, or may change, in them. Pure.

Each disturbance has a window: from its begin to the moment at which all that had to follow had followed. What clients
may lose by it is allowed there, and only there; ``harness.disturb`` has what that is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from harness.core.disturbed import Disturbed
from harness.core.events.servers import SocketChange
from harness.core.observations import Observations
from harness.disturb import DISTURBANCES, list_turns
from harness.disturb.aims import Rules, aimed_rules
from harness.disturb.course import Loss, PathRule

SAME_MOMENT_NS = 100_000_000
"""Two watchers that see one thing may differ by so much: the followers read every 20 to 50 ms."""

LATE_TOLD_NS = 1_000_000_000
"""No watcher tells of what it saw later than so, on a busy machine and from a container too."""

LOSSES_THAT_LAST = frozenset(
    {Loss.NOT_YET_ACCEPTED, Loss.IN_HAND, Loss.UNTIL_START, Loss.FROM_THEN_ON, Loss.ON_THE_OLD_PATH}
)
"""What any client may lose while the window lasts."""

WAITED = frozenset({"timeout", "504"})
"""How a request ends that no worker took in time, and that was not refused."""


def rules_of(disturbed: Disturbed) -> Rules:
    """What is allowed while a disturbance lasts.

    Raises:
        KeyError: it is of a later version of the harness.
    """
    row = DISTURBANCES[disturbed.name]
    rules = Rules(MAY_LOSE=row.MAY_LOSE, PATH=row.PATH, ENDS_WORKERS=row.ENDS_WORKERS, PROMISE=row.PROMISE)
    return aimed_rules(rules, disturbed.aim)


def end_of(disturbed: Disturbed) -> float:
    """When its window ends, in nanoseconds; infinity where it never came about, or left the service down."""
    if disturbed.ended_ns is None or disturbed.left_down:
        return float("inf")
    return disturbed.ended_ns + SAME_MOMENT_NS


def find_window(
    observations: Observations,
    begin_ns: int,
    end_ns: int | None = None,
    *,
    among: Callable[[Rules], bool] = lambda _: True,
) -> Disturbed | None:
    """The first disturbance in whose window a moment lies, or any part of a span; of those whose row is wanted."""
    last_ns = begin_ns if end_ns is None else end_ns
    return next(
        (
            one
            for one in observations.disturbances
            if last_ns >= one.began_ns - SAME_MOMENT_NS / 10 and begin_ns <= end_of(one) and among(rules_of(one))
        ),
        None,
    )


def allows_loss(observations: Observations, begin_ns: int, end_ns: int, outcomes: Collection[str] = ()) -> bool:
    """Whether a request that failed in this span, and with these outcomes, may have been lost to a disturbance."""
    lost = LOSSES_THAT_LAST | ({Loss.TIME} if outcomes and WAITED.issuperset(outcomes) else set())
    return find_window(observations, begin_ns, end_ns, among=lambda row: row.MAY_LOSE in lost) is not None


def allows_end(observations: Observations, at_ns: int) -> bool:
    """Whether a worker that ended at this moment may have been ended by a disturbance."""
    return find_window(observations, at_ns, among=lambda row: row.ENDS_WORKERS) is not None


def allows_orphans(observations: Observations, at_ns: int) -> bool:
    """Whether the arbiter may have been killed, or have lost its path, at this moment: its workers end without it."""
    lossy = {Loss.UNTIL_START, Loss.FROM_THEN_ON}
    return find_window(observations, at_ns, among=lambda row: row.MAY_LOSE in lossy) is not None


def list_epochs(observations: Observations) -> Iterator[list[SocketChange]]:
    """The changes of the bound path that are judged, one list for each bind; each list begins with the bind.

    What happens to the path in the window of a disturbance that may change it is left out; what is bound there is what
    the next epoch begins with.
    """
    epoch: list[SocketChange] = []
    for change in observations.socket:
        done_ns = _done_ns(observations, change)
        if (
            find_window(observations, done_ns, change.at_ns, among=lambda row: row.PATH is not PathRule.KEPT)
            is not None
        ):
            if len(epoch) > 1:
                yield epoch
            epoch = [change] if change.action == "created" and change.inode is not None else []
        elif epoch or change.action == "created":
            epoch.append(change)
    if epoch:
        yield epoch


def _done_ns(observations: Observations, change: SocketChange) -> int:
    """When the path went, where the tracer saw it: the watcher of the path may tell it when the window has ended."""
    if change.action not in {"deleted", "moved"}:
        return change.at_ns
    calls = (r.at_ns for r in observations.removals if r.failed is None and not r.replaces)
    return max((ns for ns in calls if change.at_ns - LATE_TOLD_NS <= ns <= change.at_ns), default=change.at_ns)


def is_left_down(observations: Observations, *, among: Callable[[Rules], bool] = lambda _: True) -> bool:
    """Whether the harness brought the service down and left it so, for the ladder back."""
    return any(one.left_down and among(rules_of(one)) for one in observations.disturbances)


def list_done(observations: Observations) -> Iterator[Disturbed]:
    """Those that were carried out to their ends."""
    return (one for one in observations.disturbances if one.ended_ns is not None)


def describe_undone(observations: Observations) -> str | None:
    """That fewer disturbances were carried out than were asked for, in words; None where all were, or one in vain."""
    wanted = list_turns(observations.cell)
    done = sum(1 for _ in list_done(observations))
    if done >= len(wanted) or any(one.missing for one in observations.disturbances):
        return None
    return f"only {done} of {len(wanted)} disturbances were carried out: raise --duration"
