"""The arbiter has as many open files and threads after restarts of workers as before, but for a few."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.events.stop import OpenFiles
from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, Observations, State
from harness.judge.timeline import since_load_s

FEW = 5
"""So many more are no leak: a control server that starts late has four, a fork under way a pipe."""

RESTARTS_PER_FILE = 4
"""One more for every so many restarts is growth with the restarts."""


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``descriptors-leaked``; None without two counts, or where no worker restarted between them."""
    counts = {one.stage: one for one in observations.leftovers.open_files}
    before, after = counts.get("before"), counts.get("settled")
    if before is None or after is None:
        return None
    restarts = sum(
        life.ended_ns is not None and before.at_ns < life.ended_ns <= after.at_ns for life in observations.lives
    )
    if restarts == 0:
        return None
    for what, grown, kinds in (
        ("open files", _sum(after) - _sum(before), _compare(before.arbiter, after.arbiter)),
        ("threads", after.arbiter_threads - before.arbiter_threads, {}),
    ):
        if grown > FEW and grown * RESTARTS_PER_FILE >= restarts:
            named = f" ({', '.join(f'{count} more: {kind}' for kind, count in kinds.items())})" if kinds else ""
            finding = Finding(
                id=FindingId.DESCRIPTORS_LEAKED,
                at_s=since_load_s(observations, after.at_ns),
                detail=f"the arbiter had {grown} more {what} after {restarts} restarts of workers{named}",
                evidence={"grown": grown, "restarts": restarts, "kinds": kinds, "arbiter": dict(after.arbiter)},
            )
            return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    reason = f"the arbiter had {_sum(before)} open files before {restarts} restarts, and {_sum(after)} after them"
    return Judgement(state=State.HOLDS, reason=reason)


def _sum(count: OpenFiles) -> int:
    return sum(count.arbiter.values())


def _compare(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {kind: count - before.get(kind, 0) for kind, count in after.items() if count > before.get(kind, 0)}
