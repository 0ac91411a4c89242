"""HUP after the settings name another path, as a changed deployment does it; then the same way back."""

from __future__ import annotations

from harness.disturb.awaiting import LATE_S, answers, boot_limit_s, old_workers_gone
from harness.disturb.course import Loss, PathRule, Pending, Prerequisite, ServiceUnderLoad, Steps

SUMMARY = "HUP after the settings name another path; then HUP with the first path again"
MAY_LOSE = Loss.ON_THE_OLD_PATH
PATH = PathRule.ANY
ENDS_WORKERS = True
NEEDS = frozenset({Prerequisite.PATH, Prerequisite.SETTINGS})
PROMISE = None
TIMEOUT_S = None
LONGEST_S = 7.0


def disturb(service: ServiceUnderLoad) -> Steps:
    """See ``disturb.Disturbance``. The way back is gone whatever came of the first: the clients know no other path."""
    for elsewhere, reason in ((True, "bind another path"), (False, "bind the first path again")):
        old = service.progress.worker_pids
        move = service.rebind(elsewhere=elsewhere, reason=reason)
        yield Pending(what=None, within_s=boot_limit_s(service), met=move.is_answered)
        yield old_workers_gone(service, old)
        yield Pending(what=None, within_s=LATE_S, met=move.is_old_gone)
        move.end()
    yield answers(service)
