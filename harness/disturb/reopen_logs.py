"""USR1 to the arbiter: it and its workers open their log files again, as after a rotation of logs."""

from __future__ import annotations

import signal

from harness.disturb.awaiting import answers
from harness.disturb.course import Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "USR1 to the arbiter: the log files are opened again"
MAY_LOSE = Loss.NOTHING
PATH = PathRule.KEPT
ENDS_WORKERS = False
NEEDS: frozenset[Prerequisite] = frozenset()
PROMISE = "gunicorn's documentation of signals: USR1 reopens the log files"
TIMEOUT_S = None
LONGEST_S = 1.5

REACTION_S = 0.4
"""The arbiter passes the signal on to its workers; what one of them does wrong shows within this time."""


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    service.signal_arbiter(signal.SIGUSR1, "reopen the logs")
    yield Pending(what=None, within_s=REACTION_S)
    yield answers(service)
