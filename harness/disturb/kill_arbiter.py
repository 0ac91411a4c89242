"""SIGKILL to the arbiter, then a start: what it leaves must not stand in the way of the next one."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import end_limit_s
from harness.disturb.course import Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import look_at_rest, master_gone, start_again

SUMMARY = "SIGKILL to the arbiter, then a start"
MAY_LOSE = Loss.UNTIL_START
PATH = PathRule.ANY
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.A_START})
PROMISE = None
TIMEOUT_S = 6  # a worker looks after half of it whether its arbiter lives
LONGEST_S = 9.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    yield from kill(service)
    yield from start_again(service, "after the arbiter was killed")


def kill(service: ServiceUnderLoad) -> Steps:
    """Without the start."""
    pid, family = service.arbiter_pid, service.list_family()
    service.expect_end()
    service.signal_arbiter(signal.SIGKILL, "kill the arbiter")
    yield master_gone(service, pid, end_limit_s(service))
    yield from look_at_rest(service, pid, family)
