"""The arbiter has as many open files and threads after restarts of workers, or reloads, as before, but for a few."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from harness.core.events.disturbances import ArbiterFiles
from harness.core.events.stop import OpenFiles
from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State
from harness.core.observations import Observations
from harness.judge.timeline import since_load_s

FEW = 5
"""So many more are no leak: a control server that starts late has four, a fork under way a pipe."""

FEW_THREADS = 1
"""Likewise."""

LEAST_COUNTS = 2
"""One disturbance shows no growth with each."""

RESTARTS_PER_FILE = 4
"""One more for every so many restarts is growth with the restarts."""


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``descriptors-leaked``; None where nobody counted, or no worker restarted between the two counts.

    Where the harness disturbs, it counts after each disturbance, and those of one arbiter are compared.
    """
    if observations.arbiter_files:
        return _judge_disturbed(observations)
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


def _judge_disturbed(observations: Observations) -> Judgement | None:
    """A leak grows again and again; what grows once may be a server of the arbiter's own that started late."""
    rows = defaultdict[int, list[ArbiterFiles]](list)
    for count in observations.arbiter_files:
        rows[count.pid].append(count)
    counted = [counts for counts in rows.values() if len(counts) > LEAST_COUNTS]
    if not counted:
        return None
    for counts in counted:
        times = len(counts) - 1
        for what, numbers, few in (
            ("open files", [sum(one.files.values()) for one in counts], FEW),
            ("threads", [one.threads for one in counts], FEW_THREADS),
        ):
            steps, grown = _count_steps(numbers), numbers[-1] - numbers[0]
            if steps > 1 and (grown > few or (steps == times and grown >= times)):
                return _leaked(observations, counts, what, grown=grown, steps=steps)
    times, numbers = len(counted[0]) - 1, [sum(one.files.values()) for one in counted[0]]
    reason = f"the arbiter had {numbers[0]} open files before {times} disturbances, and {numbers[-1]} after them"
    return Judgement(state=State.HOLDS, reason=reason)


def _count_steps(numbers: list[int]) -> int:
    """How often there were more than ever before."""
    return sum(number > max(numbers[:at]) for at, number in enumerate(numbers) if at)


def _leaked(observations: Observations, counts: list[ArbiterFiles], what: str, *, grown: int, steps: int) -> Judgement:
    first, last = counts[0], counts[-1]
    kinds = _compare(first.files, last.files)
    named = f" ({', '.join(f'{count} more: {kind}' for kind, count in kinds.items())})" if kinds else ""
    finding = Finding(
        id=FindingId.DESCRIPTORS_LEAKED,
        at_s=since_load_s(observations, last.at_ns),
        detail=f"the arbiter had {grown} more {what} after {len(counts) - 1} disturbances, "
        f"with {steps} of which they grew{named}",
        evidence={
            "grown": grown,
            "disturbances": len(counts) - 1,
            "kinds": kinds,
            "open_files": [sum(one.files.values()) for one in counts],
            "threads": [one.threads for one in counts],
        },
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))


def _sum(count: OpenFiles) -> int:
    return sum(count.arbiter.values())


def _compare(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {kind: count - before.get(kind, 0) for kind, count in after.items() if count > before.get(kind, 0)}
