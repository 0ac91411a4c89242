"""USR2: a new master beside the old one; once its workers answer, the old one is told to go."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, boot_limit_s, end_limit_s
from harness.disturb.course import Awaited, Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import look_at_rest, master_gone

SUMMARY = "USR2 to the arbiter; once the new master's workers answer, the old one is told to go"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.OTHER_PROCESSES})
PROMISE = "gunicorn's documentation of signals: upgrading to a new binary on the fly"
TIMEOUT_S = None
LONGEST_S = 7.0

PROMOTION_S = 1.2
"""The new master looks once a second whether the old one has ended, and heeds no USR2 before."""

ANSWERS_S = 2.0
"""A worker that has just been forked ignores a TERM, or ends by it: its master tells it to go once it has answered."""


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    old, workers, family = service.arbiter_pid, service.progress.worker_pids, service.list_family()
    yield from begin_upgrade(service, workers)
    service.adopt_new_master()
    service.signal_master(old, signal.SIGTERM, "the old master is told to go")
    yield master_gone(service, old, end_limit_s(service))
    yield from look_at_rest(service, old, family)
    yield Pending(what=None, within_s=PROMOTION_S)
    yield answers(service)


def begin_upgrade(service: ServiceUnderLoad, workers: set[int]) -> Steps:
    """USR2, until the new master has its workers, and each of them has answered."""
    known = set(service.progress.master_pids)
    service.signal_arbiter(signal.SIGUSR2, "upgrade")
    yield Pending(
        what=Awaited.NEW_MASTER,
        within_s=boot_limit_s(service),
        met=lambda: bool(set(service.progress.master_pids) - known),
        seen=lambda: "no further master said that it starts",
    )
    service.meet_new_master(next(pid for pid in service.progress.master_pids if pid not in known))

    def count() -> int:
        return len(service.progress.worker_pids - workers)

    yield Pending(
        what=Awaited.NEW_WORKERS,
        within_s=boot_limit_s(service),
        met=lambda: count() >= service.cell.workers,
        seen=lambda: f"{count()} of {service.cell.workers} workers of the new master",
    )

    def answer() -> bool:
        served = service.progress.served_by
        return all(served.get(pid) for pid in service.progress.worker_pids - workers)

    yield Pending(what=None, within_s=ANSWERS_S, met=answer)
