from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from harness.core.errors import UsageError
from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Moment, Outcome, State, Verdict
from harness.records.stored import StoredRun
from harness.report.as_json import render_json, verdict_to_json

RecordRun = Callable[..., StoredRun]


def test_keys_are_the_contracts_in_its_order() -> None:
    verdict = Verdict(cell=Cell(spec="19.6.0"), outcome=Outcome.HOLDS, reasons=("fine",))
    data = verdict_to_json(verdict, run_id="r", story=[])
    keys = ["schema", "cell", "verdict", "findings", "invariants", "counts", "strength", "timing_s"]
    assert list(data)[:8] == keys
    assert list(data)[8:] == ["run", "spec", "reasons", "invariant_reasons", "notes", "story"]
    cell = data["cell"]
    assert isinstance(cell, dict)
    assert (cell["gunicorn"], cell["python"]) == (None, None)
    assert {"spec", "connections", "duration_s", "recycles", "full_duration", "port"} <= cell.keys()


def test_findings_story_and_error() -> None:
    verdict = Verdict(
        cell=Cell(spec="19.6.0"),
        outcome=Outcome.ERROR,
        reasons=("no room",),
        findings=(Finding(id=FindingId.FAILED_RESPONSES, at_s=0.12345, detail="d", evidence={"bursts": (1, 2)}),),
        invariants={"socket-survives": State.UNKNOWN},
        error={"type": "SurroundingsError", "what": "no room", "remedy": "make some", "log": None},
    )
    data = verdict_to_json(verdict, run_id="r", story=[Moment(at_s=1.00049, what="it begins")])
    assert json.loads(json.dumps(data))["findings"] == [
        {"id": "failed-responses", "at_s": 0.123, "detail": "d", "culprit": None, "evidence": {"bursts": [1, 2]}}
    ]
    assert data["story"] == [{"at_s": 1.0, "what": "it begins"}]
    assert data["error"] == {"type": "SurroundingsError", "what": "no room", "remedy": "make some", "log": None}
    assert data["invariants"] == {"socket-survives": "unknown"}


def test_culprit_and_printing(record_run: RecordRun) -> None:
    data = json.loads(render_json(record_run()))
    assert data["findings"][0]["at_s"] == 1.27
    assert list(data["findings"][0]["culprit"]) == ["pid", "role", "call", "stack", "source"]
    assert data["counts"]["by_client"] == {"wrk": {"200": 2700}, "probe": {"missing": 31}}


def test_a_run_that_was_never_judged_is_a_usage_error(record_run: RecordRun) -> None:
    run = record_run()
    (run.path / "verdict.json").unlink()
    unjudged = StoredRun(path=run.path, run_id=run.run_id, cell=run.cell, facts={}, verdict=None)
    with pytest.raises(UsageError, match="harness judge"):
        render_json(unjudged)
