"""Workers reach ``max_requests`` and restart. gunicorn does it all by itself: the load is what brings it about."""

from __future__ import annotations

from harness.core.clock import now_ns
from harness.core.frozen import dataclass
from harness.disturb.course import Course, Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "workers reach max_requests and restart"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS: frozenset[Prerequisite] = frozenset()
PROMISE = "gunicorn's documentation of max_requests: workers restart automatically"
TIMEOUT_S = None
LONGEST_S = 0.0

QUIET_S = 0.1
"""After the socket file went: nobody answered for so long is enough to end the load. Every answer on the way from
gunicorn's access log, the proxy's and the probers counts, and each connect to a missing path fails at once."""

EMPTY_S = 3.0
"""Where no worker is left: nobody answered for so long is enough. gunicorn spawns a missing one within a second, and a
worker that boots for long is there meanwhile. Whether one comes after all, the settle phase waits for in any case."""


def disturb(_service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``: nothing is to be done."""
    return iter(())


def begin(service: ServiceUnderLoad) -> Course:
    """As the load begins, where workers that restart are all there is."""
    return Recycling(service=service, began_ns=now_ns())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recycling:
    """See ``disturb.course.Course``."""

    service: ServiceUnderLoad
    began_ns: int

    def advance(self) -> None:
        """See ``disturb.course.Course``: nothing is to be done."""

    def is_complete(self) -> bool:
        """As many workers have restarted as are wanted, and the socket file is there."""
        cell, progress = self.service.cell, self.service.progress
        return progress.deleted_ns is None and cell.max_requests > 0 and progress.recycles >= max(cell.recycles, 1)

    def is_down_for_good(self) -> bool:
        """The socket file is gone, or the last worker, and nobody has been answered for a while."""
        progress = self.service.progress
        if progress.deleted_ns is None:
            return not progress.live_children and progress.quiet_s(self.began_ns) >= EMPTY_S
        return progress.quiet_s(max(self.began_ns, progress.deleted_ns)) >= QUIET_S
