"""HUP to the arbiter: the settings are read again, new workers come, the old ones finish what they have and go."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, heeded, new_workers, old_workers_gone
from harness.disturb.course import Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "HUP to the arbiter: new workers take the place of the old ones"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS: frozenset[Prerequisite] = frozenset()
PROMISE = "gunicorn's documentation of signals: HUP starts new workers and gracefully shuts down the older ones"
TIMEOUT_S = None
LONGEST_S = 3.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    old, asked = service.progress.worker_pids, service.progress.asked
    service.signal_arbiter(signal.SIGHUP, "reload")
    yield heeded(service, asked)
    yield new_workers(service, old)
    yield old_workers_gone(service, old)
    yield answers(service)
