"""What gunicorn was asked to do, and what may be lost while it does it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import State
from harness.judge.invariants.disturbances_handled import MEANINGS
from harness.judge.meddling import find_meddling
from tests.unit.events import ARBITER, CELL, Record, healthy

DISTURBED = replace(CELL, disturb="reload", max_requests=0)


def _reloaded(**ended: Any) -> Record:
    """A good record in which the workers that restart do so because of a HUP from 0.5 s to 4 s."""
    record = healthy()
    record.cell = DISTURBED
    record.remove("log", state="restarting")
    record.add(0.5, "disturbance", state="began", name="reload", number=1, of=1, seed=3)
    record.add(0.5, "harness-signalled", who="arbiter", pid=ARBITER, signal=1, reason="reload")
    return record.add(4.0, "disturbance", state="ended", name="reload", number=1, **ended)


def test_workers_that_a_reload_ends_are_no_early_recycles() -> None:
    verdict = _reloaded().judge()
    assert verdict.invariants["max-requests-honoured"] is State.HOLDS
    assert verdict.invariants["disturbances-handled"] is State.HOLDS
    assert verdict.strength["disturbances"] == 1


def test_a_worker_that_ends_outside_of_a_disturbance_is_one() -> None:
    record = _reloaded().remove("disturbance", state="began").remove("disturbance", state="ended")
    assert record.judge().invariants["max-requests-honoured"] is State.VIOLATED


def test_what_the_harness_sends_is_never_interference() -> None:
    record = _reloaded().log(0.6, ARBITER, "asked", "Handling signal: hup")
    assert find_meddling(record.observe()) == ()


@pytest.mark.parametrize("missing", list(MEANINGS))
def test_what_is_awaited_in_vain_is_a_finding(missing: str) -> None:
    record = _reloaded(missing=missing, within_s=2.0, detail="1 of 2")
    verdict = record.judge()
    assert verdict.invariants["disturbances-handled"] is State.VIOLATED
    found = next(one for one in verdict.findings if one.evidence.get("awaited") == missing)
    assert found.id is MEANINGS[missing]
    assert "1 of 2" in found.detail


def test_a_machine_that_stood_still_explains_it() -> None:
    record = _reloaded(missing="new workers", within_s=2.0).add(1.0, "stall", gap_ns=2_000_000_000)
    assert record.judge().invariants["disturbances-handled"] is State.UNKNOWN


def test_a_failure_is_told_with_the_disturbance_in_which_it_fell() -> None:
    record = _reloaded().answers(1.0, s502=3).answers(4.5, s502=1)
    finding = next(one for one in record.judge().findings if one.id is FindingId.FAILED_RESPONSES)
    assert finding.evidence["by_disturbance"] == {"reload (1 of 1)": 3, "no disturbance": 1}


def test_fewer_disturbances_than_asked_for_are_never_a_holds() -> None:
    record = _reloaded().with_cell(times=2)
    verdict = record.judge()
    assert any("1 of 2 disturbances" in reason for reason in verdict.reasons)
