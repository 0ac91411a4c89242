"""SIGKILL to a worker, as the kernel does it where memory is short."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import LATE_S, answers, boot_limit_s
from harness.disturb.course import Awaited, Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "SIGKILL to a worker"
MAY_LOSE = Loss.IN_HAND
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.OTHER_PROCESSES})
PROMISE = "gunicorn's design: the master restarts workers that die"
TIMEOUT_S = None
LONGEST_S = 2.5


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    workers = service.progress.worker_pids
    victim = service.choose(sorted(workers))
    service.signal_worker(victim, signal.SIGKILL, "kill a worker")

    def count() -> int:
        return len(service.progress.worker_pids - {victim})

    yield Pending(
        what=Awaited.REPLACEMENT,
        within_s=boot_limit_s(service) + LATE_S,
        met=lambda: count() >= service.cell.workers,
        seen=lambda: f"{count()} of {service.cell.workers} workers",
    )
    yield answers(service)
