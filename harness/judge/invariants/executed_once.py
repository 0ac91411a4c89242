"""The app runs each attempt of a request once; what a proxy sends again is another attempt."""

from __future__ import annotations

from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State
from harness.core.observations import Observations


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``executed-twice``; None where the app notes nothing, so that it can't be known."""
    ledger = observations.ledger or {}
    repeated = ledger.get("repeated")
    if not isinstance(repeated, int):
        return None
    if repeated == 0:
        return Judgement(state=State.HOLDS, reason="the app ran no attempt of a request more than once")
    examples = ledger.get("repeated_examples")
    finding = Finding(
        id=FindingId.EXECUTED_TWICE,
        at_s=None,
        detail=f"the app ran {repeated:,} requests more than once for one attempt",
        evidence={"requests": repeated, "examples": examples},
    )
    return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
