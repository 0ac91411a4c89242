from __future__ import annotations

import signal
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.judge.invariants import workers_serve
from tests.unit.events import ARBITER, Record, healthy

ASKED = {
    "pid": 103,
    "outcome": "timeout",
    "took_ns": 4 * 10**9,
    "held": [104],
    "idle_ns": 3 * 10**9,
    "served_by_others": 600,
    "then": "200",
    "lived": True,
}


def _asked(**changes: Any) -> Record:
    return healthy().add(6.05, "asked-alone", **{**ASKED, **changes})


def test_where_nobody_was_asked_nothing_is_said() -> None:
    assert workers_serve.judge(healthy().observe()) is None
    assert "workers-serve" not in healthy().judge().invariants


def test_a_worker_that_does_not_answer_by_itself_is_idle() -> None:
    verdict = _asked().judge()
    (finding,) = verdict.findings
    assert finding.id is FindingId.WORKERS_IDLE
    assert finding.detail == (
        "worker 103 lived for 3.0 s without serving a request (60 before that), while others served 600; "
        "asked by itself, with the others stopped for 4.0 s, it did not answer (1 such workers)"
    )


@pytest.mark.parametrize(
    ("file", "target", "found"),
    [("gunicorn/arbiter.py", 103, True), ("shop.py", 103, False), ("gunicorn/arbiter.py", 104, False)],
)
def test_one_that_gunicorn_itself_has_stopped_is_idle(file: str, target: int, *, found: bool) -> None:
    record = _asked(lived=False).remove("tracer").add(-0.44, "tracer", pid=ARBITER, ppid=1, signals=True)
    stack = [[file, 10, "murder", "os.kill(pid, signal.SIGSTOP)"]]
    record.add(
        1.3, "signal-sent", pid=ARBITER, ppid=1, call="os.kill", target=target, signal=signal.SIGSTOP, stack=stack
    )
    judgement = workers_serve.judge(record.observe())
    assert judgement is not None
    assert judgement.state is (State.VIOLATED if found else State.UNKNOWN)


@pytest.mark.parametrize("outcome", ["200", "404", "500"])
def test_one_that_answers_was_merely_unlucky(outcome: str) -> None:
    record = _asked(outcome=outcome)
    assert record.ask("workers-serve").state is State.HOLDS
    assert record.judge().outcome is Outcome.HOLDS


@pytest.mark.parametrize(
    "changes",
    [{"lived": False}, {"then": "timeout"}, {"then": "refused"}, {"outcome": "closed"}, {"outcome": "refused"}],
)
def test_one_that_ended_or_where_nobody_answers_accuses_nobody(changes: dict[str, Any]) -> None:
    record = _asked(**changes)
    assert record.ask("workers-serve").state is State.UNKNOWN
    assert record.judge().outcome is Outcome.INCONCLUSIVE


def test_one_idle_worker_is_enough() -> None:
    record = _asked(outcome="200").add(6.06, "asked-alone", **{**ASKED, "pid": 104})
    assert record.found() == [FindingId.WORKERS_IDLE]
