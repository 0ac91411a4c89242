"""Answers that are not their requests', requests that ran twice, and errors that are the app's own word."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.judge.invariants import INVARIANTS
from tests.unit.events import Record, healthy

COUNTS = {"answered": 980, "run_twice": 0, "unexplained": 0, "requests": 980}


def compared(record: Record, **load: Any) -> Record:
    return record.reload_ended(**{"statuses": {"200": 980}, "compared": True, **load})


def test_answers_that_are_right_hold() -> None:
    verdict = compared(healthy()).judge()
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.invariants["answers-right"] is State.HOLDS
    assert verdict.notes == ()


def test_where_nothing_was_compared_nothing_is_said() -> None:
    verdict = compared(healthy(), compared=False).judge()
    assert "answers-right" not in verdict.invariants
    assert [note.id for note in verdict.notes] == ["answers-not-compared"]


def test_an_old_record_has_neither_answer_nor_note() -> None:
    verdict = healthy().judge()
    assert verdict.invariants.keys().isdisjoint({"answers-right", "executed-once"})
    assert verdict.notes == ()


@pytest.mark.parametrize("kind", ["headers", "foreign", "empty", "body", "status"])
def test_one_wrong_answer_of_the_load_is_enough(kind: str) -> None:
    record = compared(healthy()).add(2.0, "answers", outcomes={"200": 3}, wrong={kind: 1})
    verdict = record.judge()
    assert verdict.outcome is Outcome.VIOLATED
    assert [finding.id for finding in verdict.findings] == [FindingId.WRONG_ANSWERS]
    assert verdict.findings[0].at_s == pytest.approx(2.0, abs=0.001)
    assert verdict.findings[0].evidence["kinds"] == {kind: 1}


def test_one_wrong_answer_to_a_probe_is_enough() -> None:
    record = compared(healthy()).add(2.5, "probe", via="direct", outcome="200", took_ns=1, wrong="foreign")
    assert record.found() == [FindingId.WRONG_ANSWERS]


@pytest.mark.parametrize(("repeated", "found"), [(0, []), (3, [FindingId.EXECUTED_TWICE])])
def test_what_the_app_ran_twice_for_one_attempt(repeated: int, found: list[FindingId]) -> None:
    assert healthy().add(6.1, "ledger", state="closed", counts=COUNTS, repeated=repeated).found() == found


def test_without_the_apps_notes_nobody_knows_what_ran_twice() -> None:
    record = healthy().add(6.1, "ledger", state="closed", counts=COUNTS)
    assert INVARIANTS["executed-once"](record.observe()) is None


def test_an_error_of_the_app_is_its_own() -> None:
    record = compared(healthy(), statuses={"200": 980, "503": 20}).add(
        2.0, "answers", outcomes={"503": 20}, by_app={"503": 20}
    )
    record.add(2.1, "probe", via="proxy", outcome="503", took_ns=1, by_app=True)
    verdict = record.judge()
    assert verdict.outcome is Outcome.HOLDS
    assert [note.id for note in verdict.notes] == ["app-errors"]
    assert verdict.notes[0].evidence["statuses"] == {"503": 21}


@pytest.mark.parametrize("status", ["400", "404", "431", "500", "503"])
def test_an_error_that_gunicorn_made_is_a_failure(status: str) -> None:
    record = compared(healthy(), statuses={"200": 980, status: 2})
    record.add(2.0, "answers", outcomes={status: 2}, by_app={})
    assert record.found() == [FindingId.FAILED_RESPONSES]


def test_of_two_errors_at_once_one_is_the_apps() -> None:
    record = compared(healthy(), statuses={"200": 980, "503": 2})
    record.add(2.0, "answers", outcomes={"503": 2}, by_app={"503": 1})
    finding = record.judge().findings[0]
    assert (finding.id, finding.evidence["failed"]) == (FindingId.FAILED_RESPONSES, 1)


def test_a_4xx_of_nobody_knows_whom_is_not_judged() -> None:
    record = healthy().reload_ended(statuses={"200": 980, "404": 2}).add(2.0, "answers", outcomes={"404": 2})
    assert record.found() == []
