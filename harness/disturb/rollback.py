"""USR2, then the new master is told to go: the old one serves on, as if nothing had been."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers, end_limit_s
from harness.disturb.course import Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import master_gone
from harness.disturb.upgrade import begin_upgrade

SUMMARY = "USR2 to the arbiter, then the new master is told to go: the old one serves on"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.OTHER_PROCESSES})
PROMISE = "gunicorn's documentation of signals: undoing an upgrade"
TIMEOUT_S = None
LONGEST_S = 6.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    yield from begin_upgrade(service, service.progress.worker_pids)
    new = service.new_master_pid
    service.signal_master(new, signal.SIGTERM, "the new master is told to go")
    yield master_gone(service, new, end_limit_s(service))
    yield answers(service)
