"""TTIN and TTOU to the arbiter: a worker more, a worker fewer."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, number_of_workers
from harness.disturb.course import Awaited, Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "TTIN, then TTOU to the arbiter: a worker more, then a worker fewer"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS: frozenset[Prerequisite] = frozenset()
PROMISE = "gunicorn's documentation of signals: TTIN and TTOU change the number of workers by one"
TIMEOUT_S = None
LONGEST_S = 4.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    wanted = service.cell.workers
    service.signal_arbiter(signal.SIGTTIN, "a worker more")
    yield number_of_workers(service, wanted + 1, Awaited.MORE_WORKERS)
    service.signal_arbiter(signal.SIGTTOU, "a worker fewer")
    yield number_of_workers(service, wanted, Awaited.FEWER_WORKERS)
    yield answers(service)
