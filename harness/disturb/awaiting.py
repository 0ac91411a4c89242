"""What several disturbances wait for: workers, masters, answers. Each function gives one ``Pending``, from now on."""

from __future__ import annotations

from harness.core.clock import now_ns
from harness.disturb.course import Awaited, Pending, ServiceUnderLoad

BOOT_S, BOOTS = 5.0, 5
"""A worker or a master may take so long, and so many of the app's boot times, under load on a busy machine."""

LATE_S = 1.0
"""What an ordered end may take beyond ``graceful_timeout``: the arbiter looks once a second."""

ENOUGH_ANSWERS = 3
"""So many answered probes in a row, straight to gunicorn, show that it serves."""


STEADY_S = 0.3
"""A number of workers that stays for so long is the one that the arbiter wants."""


def boot_limit_s(service: ServiceUnderLoad) -> float:
    """How long something that has to boot is waited for, in seconds."""
    return BOOT_S + BOOTS * service.boot_s


def end_limit_s(service: ServiceUnderLoad) -> float:
    """How long an ordered end may take, in seconds."""
    return service.graceful_s + LATE_S


def answers(service: ServiceUnderLoad) -> Pending:
    """Requests straight to gunicorn are answered."""
    since_ns = now_ns()

    def met() -> bool:
        probes = service.progress.probes_since(since_ns, "direct")
        return len(probes) >= ENOUGH_ANSWERS and all(probes[-ENOUGH_ANSWERS:])

    def seen() -> str:
        probes = service.progress.probes_since(since_ns, "direct")
        return f"{sum(probes)} of {len(probes)} direct probes were answered"

    return Pending(what=Awaited.ANSWERS, within_s=boot_limit_s(service), met=met, seen=seen)


def heeded(service: ServiceUnderLoad, asked: int) -> Pending:
    """The arbiter has said that it heeds a signal, where its log tells: before, it may still replace old workers.

    ``asked``: how often it had said so before the signal.
    """
    return Pending(what=None, within_s=LATE_S, met=lambda: service.progress.asked > asked)


def new_workers(service: ServiceUnderLoad, old: set[int]) -> Pending:
    """As many workers as configured live that are not among the old ones."""

    def count() -> int:
        return len(service.progress.worker_pids - old)

    return Pending(
        what=Awaited.NEW_WORKERS,
        within_s=boot_limit_s(service),
        met=lambda: count() >= service.cell.workers,
        seen=lambda: f"{count()} of {service.cell.workers} new workers",
    )


def old_workers_gone(service: ServiceUnderLoad, old: set[int]) -> Pending:
    """None of the old workers lives."""
    return Pending(
        what=Awaited.OLD_WORKERS_GONE,
        within_s=end_limit_s(service),
        met=lambda: not service.progress.worker_pids & old,
        seen=lambda: f"{len(service.progress.worker_pids & old)} of {len(old)} old workers still lived",
    )


def number_of_workers(service: ServiceUnderLoad, wanted: int, what: Awaited) -> Pending:
    """Exactly so many workers live, and have done so for a moment."""
    limit_s = boot_limit_s(service)
    return Pending(
        what=what,
        within_s=limit_s if what is Awaited.MORE_WORKERS else max(limit_s, end_limit_s(service)),
        met=lambda: service.progress.live_workers == wanted and service.progress.steady_s >= STEADY_S,
        seen=lambda: f"{service.progress.live_workers} workers instead of {wanted}",
    )
