"""The bound path is removed from outside, as a clean-up job does it; then an ordered end, and a start."""

from __future__ import annotations

from harness.disturb.course import Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import end_in_order, start_again

SUMMARY = "the bound path is removed from outside; then TERM to the arbiter, and a start"
MAY_LOSE = Loss.FROM_THEN_ON
PATH = PathRule.ANY
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.A_START, Prerequisite.PATH})
PROMISE = None
TIMEOUT_S = 6  # a worker looks after half of it whether its arbiter lives
LONGEST_S = 9.0

NOTICED_S = 0.3
"""Until the clients have noticed, and gunicorn would have."""


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``."""
    yield from remove(service)
    yield from end_in_order(service, "end without its path")
    yield from start_again(service, "after the path was removed")


def remove(service: ServiceUnderLoad) -> Steps:
    """Without the end and the start."""
    service.remove_path("the bound path is removed")
    yield Pending(what=None, within_s=NOTICED_S)
