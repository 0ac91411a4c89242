"""``verdict.json``: the typed verdict as the contract's schema 1, key order included, and its printing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.cells import cell_to_json
from harness.core.model import VERDICT_SCHEMA, Culprit, Finding, Json, Moment, Verdict
from harness.core.secrets import Redactor
from harness.records.stored import StoredRun


def verdict_to_json(verdict: Verdict, *, run_id: str, story: Sequence[Moment]) -> dict[str, Json]:
    """The object of ``verdict.json``; times are seconds, rounded to the millisecond."""
    rendered: dict[str, Json] = {
        "schema": VERDICT_SCHEMA,
        "cell": cell_to_json(verdict.cell),
        "verdict": verdict.outcome.value,
        "findings": [_finding(finding) for finding in verdict.findings],
        "invariants": {name: state.value for name, state in verdict.invariants.items()},
        "counts": _plain(verdict.counts),
        "strength": _plain(verdict.strength),
        "timing_s": {phase: _rounded(spent_s) for phase, spent_s in verdict.timing_s.items()},
        "run": run_id,
        "spec": verdict.cell.spec,
        "reasons": list(verdict.reasons),
        "invariant_reasons": dict(verdict.invariant_reasons),
        "notes": [_plain({"id": note.id, "detail": note.detail, "evidence": note.evidence}) for note in verdict.notes],
        "story": [{"at_s": _rounded(moment.at_s), "what": moment.what} for moment in story],
    }
    if verdict.error is not None:
        rendered["error"] = _plain(verdict.error)
    if verdict.recovery is not None:
        rendered["recovery"] = _plain(verdict.recovery)
    if verdict.scenario is not None:
        rendered["scenario"] = _plain(verdict.scenario)
    return rendered


def render_json(stored: StoredRun) -> str:
    """The stored verdict, printed as it is written but for what looks like a secret.

    Raises:
        UsageError: the run was never judged.
    """
    shown = Redactor(told=lambda _kind: None).redact_json(stored.judged())
    return json.dumps(shown, indent=1, ensure_ascii=False) + "\n"


def _finding(finding: Finding) -> Json:
    rendered: dict[str, Json] = {
        "id": finding.id.value,
        "at_s": None if finding.at_s is None else _rounded(finding.at_s),
        "detail": finding.detail,
        "culprit": None if finding.culprit is None else _culprit(finding.culprit),
    }
    if finding.evidence:
        rendered["evidence"] = _plain(finding.evidence)
    return rendered


def _culprit(culprit: Culprit) -> Json:
    return {
        "pid": culprit.pid,
        "role": culprit.role,
        "call": culprit.call,
        "stack": list(culprit.stack),
        "source": list(culprit.source),
    }


def _rounded(value_s: float) -> float:
    return round(value_s, 3)


def _plain(value: Any) -> Json:  # noqa: ANN401 - whatever a judge put in
    """Mappings and sequences of any kind as the dicts and lists that the json module takes."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    plain: Json = value
    return plain
