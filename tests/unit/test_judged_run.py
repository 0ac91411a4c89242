"""What a test may conclude from a run: every question that has no answer fails, so that nothing passes on nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.core.model import Cell, Culprit, Finding, Json, Outcome, State, Verdict
from harness.pytest_plugin.judged_run import RecycleRun

CELL = Cell(spec="19.6.0", gunicorn="19.6.0", python="3.6.15", recycles=8)
COUNTS: dict[str, Json] = {
    "statuses": {"200": 70, "502": 3},
    "client_errors": {"closed": 1, "timeout": 0},
    "recycles": 8,
}
INVARIANTS = dict.fromkeys(("socket-survives", "requests-answered", "service-recovers", "workers-respawn"), State.HOLDS)
HOLDS = Verdict(cell=CELL, outcome=Outcome.HOLDS, reasons=("fine",), invariants=INVARIANTS, counts=COUNTS)
CULPRIT = Culprit(pid=7, role="worker", call="os.unlink", stack=("gunicorn/sock.py:123 close",))
DELETED = Finding(id=FindingId.SOCKET_DELETED, at_s=0.378, detail="it was deleted", culprit=CULPRIT)
VIOLATED = replace(
    HOLDS,
    outcome=Outcome.VIOLATED,
    findings=(DELETED,),
    invariants={**INVARIANTS, "socket-survives": State.VIOLATED, "requests-answered": State.UNKNOWN},
    counts={**COUNTS, "recycles": 1},
)

QUESTIONS: dict[str, Callable[[RecycleRun], object]] = {
    "socket_survived": lambda run: run.socket_survived,
    "statuses": lambda run: run.statuses,
    "client_errors": lambda run: run.client_errors,
    "findings": lambda run: run.findings,
    "culprit": lambda run: run.culprit,
    "service_recovered": lambda run: run.service_recovered,
    "workers_respawned": lambda run: run.workers_respawned,
}


def as_run(verdict: Verdict) -> RecycleRun:
    return RecycleRun(path=Path("runs/one"), verdict=verdict)


def test_a_run_that_holds_answers() -> None:
    run = as_run(HOLDS)
    assert run.socket_survived
    assert run.service_recovered
    assert run.workers_respawned
    assert run.findings == ()
    assert run.culprit is None
    assert run.recycles == 8


def test_statuses_are_numbers_and_absent_ones_were_seen_by_nobody() -> None:
    run = as_run(HOLDS)
    assert run.statuses == {200: 70, 502: 3}
    assert run.statuses[504] == 0
    assert run.client_errors["closed"] == 1
    assert run.client_errors["refused"] == 0


def test_a_violated_run_answers_what_it_knows() -> None:
    run = as_run(VIOLATED)
    assert not run.socket_survived
    assert run.findings == ("socket-deleted",)
    assert run.culprit == CULPRIT


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_inconclusive_run_answers_nothing(question: str) -> None:
    run = as_run(replace(HOLDS, outcome=Outcome.INCONCLUSIVE, reasons=("only 2 of 8 wanted recycles were seen",)))
    with pytest.raises(pytest.fail.Exception, match="inconclusive: only 2 of 8") as failure:
        QUESTIONS[question](run)
    assert "runs/one" in str(failure.value)


def test_what_an_invariant_does_not_know_fails() -> None:
    with pytest.raises(pytest.fail.Exception, match="inconclusive about requests-answered"):
        _ = as_run(VIOLATED).statuses


def test_holding_needs_the_wanted_recycles_even_where_something_else_is_violated() -> None:
    with pytest.raises(pytest.fail.Exception, match="only 1 of 8 wanted recycles"):
        _ = as_run(VIOLATED).workers_respawned


def test_holding_without_recycling_needs_none() -> None:
    run = as_run(replace(HOLDS, cell=replace(CELL, max_requests=0), counts={**COUNTS, "recycles": 0}))
    assert run.socket_survived


def test_over_tcp_there_is_no_socket_file_to_ask_for() -> None:
    with pytest.raises(pytest.skip.Exception, match="TCP"):
        _ = as_run(replace(HOLDS, cell=replace(CELL, bind="tcp"))).socket_survived


def test_its_name_in_a_failed_assertion_is_short() -> None:
    assert repr(as_run(VIOLATED)) == "<run of gunicorn 19.6.0 gthread: violated, socket-deleted>"
