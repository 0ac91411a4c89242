"""Tries the user's settings as they are, then with each remedy: one short run each, bounded in count and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from harness.core.frozen import dataclass
from harness.core.model import Cell, Json, Verdict, is_failure
from harness.engine.request import OwnSettings, RunRequest
from harness.engine.run import run_cell
from harness.studies.advise.answering import Advice
from harness.studies.advise.deployment import Deployment
from harness.studies.advise.tables import list_tested, make_rate

DURATION_S = 10.0
RECYCLES = 12
AS_IT_IS = "as it is"

_Change = Callable[[Cell], tuple[Cell, frozenset[str]]]

CHANGES: Mapping[str, _Change] = {
    "newest": lambda cell: (replace(cell, spec=list_tested()[-1]), frozenset()),
    "sync": lambda cell: (replace(cell, worker="sync", threads=1), frozenset({"worker", "threads"})),
    "tcp": lambda cell: (replace(cell, bind="tcp"), frozenset({"bind"})),
    "no-keepalive": lambda cell: (replace(cell, upstream_keepalive=False), frozenset()),
    "retry": lambda cell: (replace(cell, proxy="nginx"), frozenset()),
    "no-restarts": lambda cell: (replace(cell, max_requests=0), frozenset({"max_requests"})),
}
"""How each remedy that can be tried changes the cell, and which of its fields then win over the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPlan:
    """What is run: the settings of the user, and where the records go."""

    told: Deployment
    out: Path
    project: tuple[str, ...]


def try_all(advice: Advice, trial: TrialPlan, say: Callable[[str], None]) -> list[dict[str, Json]]:
    """The settings as they are, then each remedy that changes something that a run can have."""
    cell = Cell(
        spec=advice.release,
        proxy=advice.proxy or "h2o",
        bind=advice.bind,
        duration_s=DURATION_S,
        recycles=RECYCLES,
        load_threads=2,
        connections=50,
    )
    rows = [_try(AS_IT_IS, "", cell, frozenset(), trial=trial, say=say)]
    for remedy in advice.remedies:
        change = CHANGES.get(remedy.id)
        changed, given = change(cell) if change is not None else (cell, frozenset[str]())
        if changed != cell:
            rows.append(_try(remedy.change, remedy.id, changed, given, trial=trial, say=say))
    return rows


def _try(
    change: str, remedy: str, cell: Cell, given: frozenset[str], *, trial: TrialPlan, say: Callable[[str], None]
) -> dict[str, Json]:
    said = trial.told.arguments or trial.told.config
    own = OwnSettings(said=said, given=given | {"bind"}) if said is not None else None
    request = RunRequest(cell=cell, out=trial.out, own=own, project=trial.project, label=f"advice-{remedy or 'yours'}-")
    result = run_cell(request, say=say)
    if result.interrupted:
        raise KeyboardInterrupt
    return {
        "change": change,
        "remedy": remedy,
        "verdict": result.verdict.outcome.value,
        "findings": list(dict.fromkeys(finding.id.value for finding in result.verdict.findings)),
        "rate": _rate(result.verdict),
        "record": str(result.path),
        "why": "; ".join(result.verdict.reasons) if not result.verdict.findings else "",
    }


def _rate(verdict: Verdict) -> dict[str, Json] | None:
    counts = verdict.counts
    statuses, errors = counts.get("statuses"), counts.get("client_errors")
    requests, recycles = counts.get("requests"), counts.get("recycles")
    if (
        not isinstance(statuses, Mapping)
        or not isinstance(errors, Mapping)
        or not isinstance(requests, int)
        or not requests
    ):
        return None
    outcomes = {**statuses, **errors}
    failed = sum(count for outcome, count in outcomes.items() if is_failure(outcome) and isinstance(count, int))
    return make_rate(min(failed, requests), requests, recycles if isinstance(recycles, int) else 0)
