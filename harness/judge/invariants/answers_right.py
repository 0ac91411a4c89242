"""Each answer of success is the one to its own request: the app's whole text, with its headers, to its client.

Where the app does not send the ids of its requests back (the user's own app), there is nothing to compare.
"""

from __future__ import annotations

from collections import Counter

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, Observations, State
from harness.judge.timeline import since_load_s
from harness.stack.answers import WRONG_ANSWERS


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``wrong-answers``; None where no answer was compared with its request."""
    load = observations.load
    if load is None or not load.compared:
        return None
    rows = [(row.at_ns, Counter(row.wrong)) for row in observations.answers if row.wrong]
    rows += [(probe.at_ns, Counter([probe.wrong])) for probe in observations.probes if probe.wrong]
    kinds = sum((wrong for _, wrong in rows), Counter[str]())
    if not kinds:
        return Judgement(state=State.HOLDS, reason="each answer was the one to its request")
    named = ", ".join(f"{count:,} {WRONG_ANSWERS.get(kind, kind)}" for kind, count in kinds.most_common())
    finding = Finding(
        id=FindingId.WRONG_ANSWERS,
        at_s=since_load_s(observations, min(at_ns for at_ns, _ in rows)),
        detail=f"{kinds.total():,} answers were not the ones to their requests: {named}",
        evidence={"kinds": dict(kinds), "by_probes": sum(probe.wrong is not None for probe in observations.probes)},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
