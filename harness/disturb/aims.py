"""When a disturbance begins: at a moment that finds races, and not just somewhere in the load.

Some moments come by themselves (a worker restarts) and are waited for before the disturbance; others are brought about,
as its first part. A newcomer adds one function and one row.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping

from harness.core.frozen import dataclass
from harness.disturb.awaiting import LATE_S, boot_limit_s, end_limit_s, old_workers_gone
from harness.disturb.course import Awaited, Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps

OFFSET_S = (0.0, 0.02)
"""So long after the moment was seen the disturbance begins: drawn from the seed, so that races are hit now and then."""

MOMENT_S = 10.0
"""A worker's life lasts no longer under load, with the limits of the profiles."""

NEAR = 0.9
"""Who has served so much of its limit is about to restart: the access log is read every 50 ms."""

IN_HAND_S = 1.0
"""For so long the app is at work on the request that is in hand: longer than a signal takes to be heeded."""

HELD_S = 0.3
"""For so long an arbiter is held between the removal of the old file and the bind of the new one."""


def _by_itself(_service: ServiceUnderLoad, steps: Steps) -> Steps:
    return steps


def _at_once(_service: ServiceUnderLoad) -> Steps:
    return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """One kind of moment. ``reach`` waits for it before the disturbance; ``around`` makes it a part of that.

    ``only``: the disturbance in which it can come, where there is but one.
    """

    summary: str
    reach: Callable[[ServiceUnderLoad], Steps] = _at_once
    around: Callable[[ServiceUnderLoad, Steps], Steps] = _by_itself
    wants_restarts: bool = False  # whether workers have to restart by themselves
    ends_workers: bool = False  # whether bringing it about ends workers
    moves_path: bool = False  # whether bringing it about moves the bound path
    needs: frozenset[Prerequisite] = frozenset()
    only: str | None = None


def _moment(within_s: float, met: Callable[[], bool], seen: str) -> Pending:
    return Pending(what=Awaited.MOMENT, within_s=within_s, met=met, seen=lambda: seen)


def _await_last_requests(service: ServiceUnderLoad) -> Steps:
    least = NEAR * service.cell.max_requests

    def met() -> bool:
        served = service.progress.served_by
        return any(served.get(pid, 0) >= least for pid in service.progress.worker_pids)

    yield _moment(MOMENT_S, met, "no worker came near its limit")


def _await_announcement(service: ServiceUnderLoad) -> Steps:
    yield _moment(MOMENT_S, lambda: bool(service.progress.restarting_pids), "no worker said that it restarts")


def _await_restart(service: ServiceUnderLoad) -> Steps:
    before = service.progress.recycles
    yield _moment(MOMENT_S, lambda: service.progress.recycles > before, "no worker restarted")


def _while_booting(service: ServiceUnderLoad, steps: Steps) -> Steps:
    old = service.progress.worker_pids
    service.signal_arbiter(signal.SIGHUP, "reload, so that the fleet boots")
    yield _moment(boot_limit_s(service), lambda: bool(service.progress.worker_pids - old), "no new worker came")
    yield from steps
    yield old_workers_gone(service, old)


def _with_request_in_hand(service: ServiceUnderLoad, steps: Steps) -> Steps:
    request = service.ask_slowly(IN_HAND_S, f"a request that takes {IN_HAND_S:g} s")
    yield _moment(boot_limit_s(service), request.is_taken, "no worker took the request")
    yield from steps
    yield Pending(what=None, within_s=end_limit_s(service), met=request.is_over)


def _between_unlink_and_bind(service: ServiceUnderLoad, steps: Steps) -> Steps:
    old = service.progress.worker_pids
    move = service.rebind(elsewhere=True, reason="bind another path, so that the first one is bound again")
    yield Pending(what=None, within_s=boot_limit_s(service), met=move.is_answered)
    yield old_workers_gone(service, old)
    move.end()
    service.rebind(elsewhere=False, reason="bind the first path again")

    def is_gone() -> bool:
        return service.progress.deleted_ns is not None

    yield _moment(boot_limit_s(service), is_gone, "the old file was not removed")
    yield from steps
    yield Pending(what=None, within_s=LATE_S, met=lambda: not is_gone())


def _with_pid_in_use(service: ServiceUnderLoad, steps: Steps) -> Steps:
    """Once the arbiter has ended, and before the next one starts, its pid belongs to another process."""
    pid, other = service.arbiter_pid, None
    try:
        for pending in steps:
            yield pending
            if other is None and not service.is_alive(pid):
                other = service.give_pid_away()
    finally:
        if other is not None:
            other.stop()


AIMS: Mapping[str, Aim] = {
    "before-restart": Aim(
        summary="a worker has served nine tenths of its limit", reach=_await_last_requests, wants_restarts=True
    ),
    "during-restart": Aim(
        summary="a worker has said that it restarts, and lives", reach=_await_announcement, wants_restarts=True
    ),
    "after-restart": Aim(summary="a worker has just restarted", reach=_await_restart, wants_restarts=True),
    "while-booting": Aim(summary="the first of a reload's new workers boots", around=_while_booting, ends_workers=True),
    "request-in-hand": Aim(
        summary="a worker is at work on a request that takes a second",
        around=_with_request_in_hand,
        needs=frozenset({Prerequisite.HANGING_APP}),
    ),
    "between-unlink-and-bind": Aim(
        summary="an arbiter that binds a path anew has removed the old file, and is held there for 0.3 s",
        around=_between_unlink_and_bind,
        ends_workers=True,
        moves_path=True,
        needs=frozenset({Prerequisite.PATH, Prerequisite.SETTINGS, Prerequisite.TRACER}),
    ),
    "pid-in-use": Aim(
        summary="the pid of the killed arbiter, which its pid file names, belongs to another process",
        around=_with_pid_in_use,
        needs=frozenset({Prerequisite.PID_FILE}),
        only="kill-arbiter",
    ),
}
"""By the value of ``--aim``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a run is measured against while a disturbance lasts, its aim included; see ``disturb.Disturbance``."""

    MAY_LOSE: Loss
    PATH: PathRule
    ENDS_WORKERS: bool
    PROMISE: str | None


def aimed_rules(rules: Rules, aim: str | None) -> Rules:
    """The rules with what the aim itself brings about; an aim of a later version changes nothing.

    Where the path moves, its clients lose everything for a while.
    """
    row = AIMS.get(aim or "")
    if row is None:
        return rules
    return Rules(
        MAY_LOSE=Loss.ON_THE_OLD_PATH if row.moves_path else rules.MAY_LOSE,
        PATH=PathRule.ANY if row.moves_path else rules.PATH,
        ENDS_WORKERS=rules.ENDS_WORKERS or row.ends_workers,
        PROMISE=rules.PROMISE,
    )
