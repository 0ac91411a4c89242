"""What healed a service, judged from the record alone; and what a disturbance may leave down."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome, State
from harness.judge.recovery import ENOUGH_ANSWERS, NOT_NEEDED
from harness.report.as_json import verdict_to_json
from harness.report.summary import recovery_line, recovery_rows
from tests.unit.events import CELL, INODE, Record, healthy

RECOVERING = replace(CELL, recover=True)


def _down() -> Record:
    """A record in which the path was deleted, and nobody was answered again."""
    record = healthy(RECOVERING).gone(3.0).outage(3.0)
    return record.remove("phase", name="ended").phases(recover=6.01, ended=9.0)


def _rung(record: Record, at_s: float, name: str, *outcomes: str, **more: Any) -> Record:
    """A rung of 0.5 s whose requests ended in these ways, one each 10 ms."""
    answers = [[(step + 1) * 10_000_000, outcome] for step, outcome in enumerate(outcomes)]
    record.add(at_s, "rung", state="began", name=name)
    return record.add(at_s + 0.5, "rung", state="ended", name=name, answers=answers, **more)


GOOD = ("200",) * ENOUGH_ANSWERS
BAD = ("502",) * ENOUGH_ANSWERS


def _recovery(record: Record) -> dict[str, Any]:
    found = record.judge().recovery
    assert found is not None
    return dict(found)


def test_the_first_rung_after_which_clients_are_answered_healed_it() -> None:
    record = _rung(_rung(_down(), 6.1, "wait", *BAD), 6.7, "reload", "502", "502", *GOOD)
    found = _recovery(record)
    assert (found["healed_by"], found["after_s"], found["lost"], found["asked"]) == ("reload", 0.03, 12, 22)
    assert found["said"] == "healed by a reload after 0.0 s; waiting did not help; a restart was not needed"


@pytest.mark.parametrize(
    ("outcomes", "healed"),
    [
        (GOOD, True),
        (("502", *GOOD), True),
        ((*GOOD, "502"), False),
        (GOOD[1:], False),
        ((*GOOD[1:], "closed"), False),
        ((), False),
    ],
)
def test_only_an_unbroken_row_of_answers_at_its_end_is_a_healing(outcomes: tuple[str, ...], healed: bool) -> None:
    found = _recovery(_rung(_down(), 6.1, "restart", *outcomes))
    assert (found["healed_by"] == "restart") is healed


@pytest.mark.parametrize(
    ("climbed", "said"),
    [
        ([("wait", GOOD, {})], "healed by itself after 0.0 s; a restart was not needed"),
        (
            [("wait", BAD, {}), ("reload", BAD, {}), ("upgrade", GOOD, {})],
            "healed by an upgrade after 0.0 s; a reload did not help; a restart was not needed",
        ),
        (
            [("wait", BAD, {}), ("reload", BAD, {}), ("upgrade", BAD, {}), ("restart", GOOD, {})],
            "healed by a restart after 0.0 s; a reload and an upgrade did not help",
        ),
        (
            [("wait", BAD, {}), ("reload", BAD, {}), ("upgrade", BAD, {}), ("restart", BAD, {})],
            "nothing healed it: not waiting, a reload, an upgrade nor a restart",
        ),
        (
            [
                ("wait", BAD, {}),
                ("reload", (), {"skipped": "gone"}),
                ("upgrade", (), {"skipped": "gone"}),
                ("restart", GOOD, {}),
            ],
            "healed by a restart after 0.0 s; a reload and an upgrade could not be tried (gone)",
        ),
        ([("wait", BAD, {})], "nothing healed it: not waiting; the ladder was not climbed to its end"),
    ],
)
def test_it_is_told_in_a_sentence(climbed: list[tuple[str, tuple[str, ...], dict[str, Any]]], said: str) -> None:
    record = _down()
    for step, (name, outcomes, more) in enumerate(climbed):
        _rung(record, 6.1 + step * 0.6, name, *outcomes, **more)
    assert _recovery(record)["said"] == said


def test_the_ladder_changes_no_finding() -> None:
    climbed = _rung(_down(), 6.1, "wait", *GOOD)
    assert climbed.found() == _down().found() != []
    assert climbed.judge().invariants == _down().judge().invariants


def test_nothing_is_said_where_nobody_asked_and_little_where_it_was_not_needed() -> None:
    assert healthy().judge().recovery is None
    found = _recovery(healthy(RECOVERING))
    assert (found["needed"], found["healed_by"], found["said"]) == (False, None, NOT_NEEDED)


def test_it_stands_in_the_json_and_in_the_first_lines_of_a_report() -> None:
    verdict = _rung(_down(), 6.1, "restart", "502", *GOOD, detail="the arbiter ended with status 1").judge()
    data = verdict_to_json(verdict, run_id="x", story=())
    assert recovery_line(data) == "Recovery: healed by a restart after 0.0 s (1 of 11 requests were lost meanwhile)"
    assert recovery_rows(data) == [("restart", "yes", "0.02 s", "1 of 11", "the arbiter ended with status 1")]
    assert recovery_line(verdict_to_json(healthy().judge(), run_id="x", story=())) is None


def _left(name: str, **ended: Any) -> Record:
    """A record in which the harness took the service down at 3 s and did not start it again."""
    record = healthy(replace(RECOVERING, disturb=name, max_requests=0)).remove("log", state="restarting")
    record.cut("log", after_s=0.5).cut("workers", after_s=0.5, before_s=5.5)
    record.remove("workers", final=True).live(5.96, 101, 102, final=True)
    record.gone(3.01).outage(3.01).socket(0.1, "snapshot", INODE)
    record.add(3.0, "disturbance", state="began", name=name, number=1, of=1, seed=3)
    record.add(3.2, "disturbance", state="ended", name=name, number=1, **ended)
    return record


@pytest.mark.parametrize("name", ["remove-socket", "kill-arbiter"])
def test_an_outage_that_the_harness_left_is_no_finding(name: str) -> None:
    verdict = _left(name, left_down=True).judge()
    assert verdict.findings == ()
    assert verdict.outcome is Outcome.HOLDS, verdict.reasons
    assert "service-recovers" not in verdict.invariants


def test_one_that_it_did_not_leave_is() -> None:
    verdict = _left("remove-socket").judge()
    assert FindingId.PERMANENT_OUTAGE in [one.id for one in verdict.findings]


def test_workers_that_are_missing_are_the_releases_own_fault_while_its_arbiter_lives() -> None:
    few = _left("remove-socket", left_down=True).live(4.0, 101).remove("workers", final=True)
    few.live(5.96, 101, final=True)
    assert few.judge().invariants["workers-respawn"] is not State.HOLDS
    killed = _left("kill-arbiter", left_down=True).remove("workers", final=True).live(5.96, final=True)
    assert "workers-respawn" not in killed.judge().invariants
