"""What one run says about a finding. Not having seen it is not its absence: another fault may have hidden it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from harness.core.findings import FindingId, find_row
from harness.core.frozen import dataclass
from harness.core.model import Outcome, State


class Sign(str, Enum):
    """What one run said about the finding."""

    SHOWN = "shown"
    ABSENT = "absent"
    SILENT = "said nothing"  # inconclusive, or another fault may have hidden it
    UNRUNNABLE = "unrunnable"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What is kept of one run. ``path``: its record; None where there is none. ``detail``: why there is no verdict."""

    outcome: Outcome
    findings: tuple[str, ...]
    unknown: tuple[str, ...]  # the invariants of which it could not be told whether they hold
    recycles: int
    took_s: float
    path: str | None
    python: str | None = None
    detail: str = ""


def read_sign(run: RunSummary, finding: str) -> Sign:
    """What a run says about one finding."""
    if finding in run.findings:
        return Sign.SHOWN
    if run.outcome is Outcome.UNRUNNABLE:
        return Sign.UNRUNNABLE
    if run.outcome not in (Outcome.HOLDS, Outcome.VIOLATED):
        return Sign.SILENT
    hidden = FindingId.PERMANENT_OUTAGE.value in run.findings or run.recycles == 0
    row = find_row(finding)
    return Sign.SILENT if hidden or row is None or row.invariant in run.unknown else Sign.ABSENT


def read_summary(verdict: Mapping[str, object], *, path: str, took_s: float) -> RunSummary:
    """From the content of ``verdict.json``.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    findings, invariants, counts = verdict["findings"], verdict["invariants"], verdict["counts"]
    cell, reasons = verdict["cell"], verdict.get("reasons")
    if not (isinstance(findings, list) and isinstance(invariants, Mapping) and isinstance(cell, Mapping)):
        raise TypeError("findings, invariants or cell are of another kind")
    recycles = counts.get("recycles") if isinstance(counts, Mapping) else None
    outcome = Outcome(str(verdict["verdict"]))
    decided = outcome in (Outcome.HOLDS, Outcome.VIOLATED)
    return RunSummary(
        outcome=outcome,
        findings=tuple(dict.fromkeys(str(one["id"]) for one in findings)),
        unknown=tuple(str(name) for name, state in invariants.items() if state == State.UNKNOWN.value),
        recycles=recycles if isinstance(recycles, int) else 0,
        took_s=took_s,
        path=path,
        python=str(cell["python"]) if cell.get("python") else None,
        detail="" if decided or not isinstance(reasons, list) else " ".join(map(str, reasons)),
    )
