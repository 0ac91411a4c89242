"""Another gunicorn is started on the same path by mistake; later it is told to end."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, boot_limit_s, end_limit_s
from harness.disturb.course import Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import master_gone

SUMMARY = "another gunicorn is started on the same path; later it is told to end"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.A_START})
PROMISE = None
TIMEOUT_S = None
LONGEST_S = 5.0

BESIDE_S = 0.5
"""For so long both may serve, before the second one is told to end."""


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    workers = service.progress.worker_pids
    second = service.start_second("another gunicorn on the same path")

    def serves() -> bool:
        return len(service.progress.worker_pids - workers) >= service.cell.workers

    # One that refuses to start, because the path is in use, does what is hoped for.
    yield Pending(what=None, within_s=boot_limit_s(service), met=lambda: serves() or not service.is_alive(second))
    yield Pending(what=None, within_s=BESIDE_S)
    if service.is_alive(second):
        service.signal_master(second, signal.SIGTERM, "the second gunicorn is told to end")
    yield master_gone(service, second, end_limit_s(service))
    yield answers(service)
