"""Requests that were changed on their way to the app: by what the app notes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.judge.ledger.changed import Changed, find_changed
from tests.unit.events import healthy

PLAIN = "worker 7 -\n=w 7 GET /? 0\nw1 7 1\n=p 7 GET /? 0\np1 7 2\n"
COUNTS = {"answered": 980, "run_twice": 0, "unexplained": 0, "requests": 980}


def find(folder: Path, notes: str, of: str = "wpd") -> list[Changed] | None:
    (folder / "notes.log").write_text(notes)
    return find_changed(folder / "notes.log", of=of)


@pytest.mark.parametrize(
    "more",
    [
        "",
        "worker 8 -\n=w 8 GET /? 0\nw2 8 1\n",  # each worker says what it gets, once
        "=d 8 GET /app? 0\nd1 8 1\n",  # what does not pass the proxy may look differently
    ],
)
def test_what_stays_the_same_was_not_changed(tmp_path: Path, more: str) -> None:
    assert find(tmp_path, PLAIN + more) == []


@pytest.mark.parametrize("said", ["POST /? 0", "GET /other? 0", "GET /?a=b 0", "GET /? 7"])
def test_another_method_target_or_length_was_changed(tmp_path: Path, said: str) -> None:
    assert find(tmp_path, f"{PLAIN}worker 8 -\n=w 8 {said}\nw2 8 1\n") == [Changed(asked="GET /? 0", run=said, pid=8)]


def test_clients_that_pass_a_proxy_of_the_users_own_are_not_looked_at(tmp_path: Path) -> None:
    notes = PLAIN + "=w 8 GET /other? 0\n=d 7 GET /? 0\n=d 8 GET /other? 0\n"
    assert find(tmp_path, notes, of="d") == [Changed(asked="GET /? 0", run="GET /other? 0", pid=8)]


def test_where_nothing_of_this_kind_is_noted_nobody_knows(tmp_path: Path) -> None:
    assert find(tmp_path, "worker 7 -\nw1 7 1\n") is None


def test_a_changed_request_is_a_wrong_answer() -> None:
    examples = [{"asked": "GET /? 0", "run": "POST /? 0", "pid": 8}]
    record = healthy().add(6.1, "ledger", state="closed", counts=COUNTS, changed=2, changed_examples=examples)
    verdict = record.judge()
    assert verdict.outcome is Outcome.VIOLATED
    assert [finding.id for finding in verdict.findings] == [FindingId.WRONG_ANSWERS]
    assert "2 times: POST /? 0 instead of GET /? 0" in verdict.findings[0].detail


def test_no_change_says_nothing_of_answers_that_were_not_compared() -> None:
    verdict = healthy().add(6.1, "ledger", state="closed", counts=COUNTS, changed=0).judge()
    assert verdict.outcome is Outcome.HOLDS
    assert verdict.invariants.get("answers-right") is not State.VIOLATED
