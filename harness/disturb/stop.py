"""TERM to the arbiter under load, then a start: a restart as a service manager does it."""

from __future__ import annotations

from harness.disturb.course import Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import end_in_order, start_again

SUMMARY = "TERM to the arbiter under load, then a start"
MAY_LOSE = Loss.NOT_YET_ACCEPTED
PATH = PathRule.LEFT_BY_STOP
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.A_START})
PROMISE = "gunicorn's documentation of signals: TERM waits for the workers to finish their current requests"
TIMEOUT_S = None
LONGEST_S = 4.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    yield from end_in_order(service, "stop")
    yield from start_again(service, "after the stop")
