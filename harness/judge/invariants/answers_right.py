"""Each answer of success is the one to its own request: the app's whole text, with its headers, to its client.

Where the app does not send the ids of its requests back (the user's own app), there is nothing to compare. That the app
got each request as its client sent it is known of every app that notes what it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from harness.core.findings import FindingId
from harness.core.model import Finding, Json, Judgement, State
from harness.core.observations import Observations
from harness.judge.timeline import since_load_s
from harness.stack.answers import WRONG_ANSWERS


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``wrong-answers``; None where neither answers nor requests were compared."""
    compared = observations.load is not None and bool(observations.load.compared)
    wrong = _find_wrong(observations) if compared else None
    changed = _find_changed(observations)
    found = [one for one in (wrong, changed) if one is not None]
    if found:
        finding = Finding(
            id=FindingId.WRONG_ANSWERS,
            at_s=_first_at_s(observations) if wrong else None,
            detail="; ".join(detail for detail, _ in found),
            evidence={key: value for _, evidence in found for key, value in evidence.items()},
        )
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    if compared:
        return Judgement(state=State.HOLDS, reason="each answer was the one to its request")
    return None


def _find_wrong(observations: Observations) -> tuple[str, Mapping[str, Json]] | None:
    kinds = sum((Counter(row.wrong) for row in observations.answers if row.wrong), Counter[str]())
    probes = [probe.wrong for probe in observations.probes if probe.wrong]
    kinds.update(probes)
    if not kinds:
        return None
    named = ", ".join(f"{count:,} {WRONG_ANSWERS.get(kind, kind)}" for kind, count in kinds.most_common())
    detail = f"{kinds.total():,} answers were not the ones to their requests: {named}"
    return detail, {"kinds": dict(kinds), "by_probes": len(probes)}


def _first_at_s(observations: Observations) -> float | None:
    times = [row.at_ns for row in observations.answers if row.wrong]
    times += [probe.at_ns for probe in observations.probes if probe.wrong]
    return since_load_s(observations, min(times))


def _find_changed(observations: Observations) -> tuple[str, Mapping[str, Json]] | None:
    """An answer to a request that nobody sent can't be the one to the request that was."""
    ledger = observations.ledger or {}
    changed, examples = ledger.get("changed"), ledger.get("changed_examples")
    if not isinstance(changed, int) or changed == 0:
        return None
    first = next(iter(examples), None) if isinstance(examples, list | tuple) else None
    what = f": {first['run']} instead of {first['asked']}" if isinstance(first, Mapping) else ""
    detail = f"the app was given other requests than the clients sent, {changed:,} times{what}"
    return detail, {"changed": changed, "changed_examples": examples}
