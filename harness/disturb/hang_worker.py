"""A request that takes longer than ``timeout``, as a slow query or a dead neighbour brings it about."""

from __future__ import annotations

from harness.disturb.awaiting import LATE_S, answers, boot_limit_s
from harness.disturb.course import Awaited, Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps
from harness.stack.workers import find_worker

SUMMARY = "a request that takes longer than timeout"
MAY_LOSE = Loss.ITS_OWN_REQUEST
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.HANGING_APP})
PROMISE = "gunicorn's documentation of timeout: workers silent for longer are killed and restarted"
TIMEOUT_S = 4
LONGEST_S = 10.0

LONGER_S = 3.0
"""So much longer than ``timeout`` the request takes: the arbiter looks once a second, and kills in two steps."""


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``. A worker that goes on to tell that it lives may answer in the end instead."""
    workers, wanted = service.progress.worker_pids, service.cell.workers
    hang_s = service.timeout_s + LONGER_S
    request = service.ask_slowly(hang_s, f"a request that takes {hang_s:g} s")

    def is_replaced() -> bool:
        return bool(service.progress.worker_pids - workers) and service.progress.live_workers >= wanted

    def met() -> bool:
        answered = request.is_answered() and not find_worker(service.cell.worker).silent_in_request
        return request.is_over() and (answered or is_replaced())

    def seen() -> str:
        new = len(service.progress.worker_pids - workers)
        end = "was answered" if request.is_answered() else "failed" if request.is_over() else "was still under way"
        return f"the request {end}, {new} new workers, {service.progress.live_workers} of {wanted} live"

    within_s = hang_s + boot_limit_s(service) + LATE_S
    yield Pending(what=Awaited.REPLACEMENT, within_s=within_s, met=met, seen=seen)
    yield answers(service)
