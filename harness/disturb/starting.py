"""How a master ends and another one starts: the steps that several disturbances share."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, boot_limit_s, end_limit_s
from harness.disturb.course import Awaited, Pending, ServiceUnderLoad, Steps

ORPHANS_S = 2.0
"""A worker that waits for requests looks after half of ``timeout`` at the latest whether its arbiter lives; so much
longer it may take to end."""


def master_gone(service: ServiceUnderLoad, pid: int, within_s: float) -> Pending:
    """The master with this pid has ended."""
    return Pending(
        what=Awaited.MASTER_GONE,
        within_s=within_s,
        met=lambda: not service.is_alive(pid),
        seen=lambda: f"master {pid} still lived",
    )


def end_in_order(service: ServiceUnderLoad, reason: str) -> Steps:
    """TERM to the arbiter, until it has ended; what it leaves is recorded."""
    pid, family = service.arbiter_pid, service.list_family()
    service.expect_end()
    service.signal_arbiter(signal.SIGTERM, reason)
    yield master_gone(service, pid, end_limit_s(service))
    yield from look_at_rest(service, pid, family)


def look_at_rest(service: ServiceUnderLoad, pid: int, family: dict[int, int]) -> Steps:
    """Wait until the processes that the master had started have ended too, and record those that have not."""
    limit_s = service.timeout_s / 2 + ORPHANS_S
    yield Pending(what=None, within_s=limit_s, met=lambda: not service.list_alive(family))
    service.note_end(pid, family)


def start_again(service: ServiceUnderLoad, reason: str) -> Steps:
    """Start gunicorn as it was started first, until it answers."""
    service.start(reason)
    yield Pending(
        what=Awaited.START,
        within_s=boot_limit_s(service),
        met=lambda: service.progress.live_workers >= service.cell.workers or service.has_ended(),
        seen=lambda: f"{service.progress.live_workers} of {service.cell.workers} workers",
    )
    yield answers(service)
