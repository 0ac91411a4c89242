"""The listener is inherited (LISTEN_FDS), as systemd's socket units do it: TERM to the arbiter, then a start."""

from __future__ import annotations

from harness.disturb.course import Loss, PathRule, Prerequisite, ServiceUnderLoad, Steps
from harness.disturb.starting import end_in_order, start_again

SUMMARY = "gunicorn inherits its listener; TERM to the arbiter under load, then a start with the same listener"
MAY_LOSE = Loss.TIME
PATH = PathRule.KEPT
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.INHERITED_LISTENER, Prerequisite.PATH})
PROMISE = "gunicorn's documentation of deploying with systemd: socket activation"
TIMEOUT_S = None
LONGEST_S = 4.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``. Who holds the listener holds the connections, too: they wait for the start."""
    yield from end_in_order(service, "stop")
    yield from start_again(service, "with the same listener")
