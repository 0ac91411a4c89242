from __future__ import annotations

from dataclasses import replace

import pytest

from harness.judge.scenarios.absence import Step, find_absence, find_delays, measure_boots_s, measure_paces
from harness.stack.gunicorn import parse_limit, parse_log_line
from tests.unit.events import CELL, Record, healthy


def ready(record: Record, at_s: float, pid: int, limit: int = 100) -> Record:
    return record.log(at_s, pid, "ready", f"Worker is ready (pid: {pid}), restarts after {limit} requests")


def two_workers() -> Record:
    """1 goes at 1 s and is back (as 3) at 2 s; 2 goes at 1.5 s and is back (as 4) at 2.5 s."""
    record = Record(CELL).phases(boot=-1.0, load=0.0, settle=4.0, closed=5.0)
    for pid, at_s in ((1, -0.9), (2, -0.8)):
        ready(record.boots(at_s, pid), at_s + 0.5, pid)
    record.live(-0.7, 1, 2)
    record.restarts(1.0, 1, served=100).live(1.1, 2)
    record.boots(1.2, 3).live(1.25, 2, 3)
    record.restarts(1.5, 2, served=100).live(1.6, 3)
    ready(record, 2.0, 3)
    record.boots(1.7, 4).live(1.75, 3, 4)
    return ready(record, 2.5, 4).live(4.9, 3, 4, final=True)


def test_the_line_of_the_hook_is_understood() -> None:
    line = parse_log_line("[2026-01-01 00:00:00 +0000] [7] [INFO] Worker is ready (pid: 7), restarts after 41 requests")
    assert (line.state, line.pid, parse_limit(line.text)) == ("ready", 7, 41)
    assert parse_limit("Booting worker with pid: 7") is None


def test_away_is_from_the_last_request_until_the_next_app_is_loaded() -> None:
    found = find_absence(two_workers().observe())
    assert found is not None
    assert [(round(step.at_s, 3), step.away) for step in found.steps] == [
        (0.0, 0),
        (1.0, 1),
        (1.5, 2),
        (2.0, 1),
        (2.5, 0),
    ]
    assert (round(found.worst.at_s, 3), found.worst.away) == (1.5, 2)
    assert found.mean == pytest.approx(2.0 / 4, abs=1e-6)
    assert found.seconds_above(1) == pytest.approx(0.5, abs=1e-6)
    assert found.worst_again == 0


def test_what_happens_before_and_after_the_load_does_not_count() -> None:
    record = two_workers().restarts(4.2, 3, served=100).restarts(4.3, 4, served=100)
    assert find_absence(record.observe()) == find_absence(two_workers().observe())


def test_a_worker_that_dies_without_a_word_is_away_from_its_end() -> None:
    record = two_workers().live(3.0, 4).live(3.9, 4)
    record.remove("workers", final=True).live(4.9, 4, final=True)
    found = find_absence(record.observe())
    assert found is not None
    assert found.steps[-1].away == 1
    assert found.steps[-1].at_s == pytest.approx(3.0)


def test_a_worker_that_boots_but_is_never_ready_is_away() -> None:
    record = two_workers().cut("log", after_s=2.4, before_s=2.6, state="ready")
    found = find_absence(record.observe())
    assert found is not None
    assert found.steps[-1].away == 1


def test_without_the_hook_nothing_is_known() -> None:
    assert find_absence(healthy().observe()) is None


def test_boots_and_paces_are_measured() -> None:
    observations = two_workers().observe()
    assert measure_boots_s(observations.lives) == [pytest.approx(seconds) for seconds in (0.5, 0.5, 0.8, 0.8)]
    assert measure_paces(observations) == [pytest.approx(100 / 1.5), pytest.approx(100 / 1.0)]


def test_delays_are_those_of_the_clients_way() -> None:
    record = two_workers().probes((0.5, 1.0), "200", "proxy", took_s=0.3).probes((1.5,), "502", "proxy")
    record.probes((0.5,), "timeout", "direct").probes((4.5,), "502", "proxy")
    found = find_delays(record.observe())
    assert (found.asked, found.failed, found.count_above(0.2), found.count_above(0.4)) == (3, 1, 2, 0)


def test_the_worst_of_several_is_the_first() -> None:
    found = find_absence(two_workers().observe())
    assert found is not None
    steps = (Step(at_s=0.0, away=1), Step(at_s=1.0, away=2), Step(at_s=2.0, away=0), Step(at_s=3.0, away=2))
    again = replace(found, steps=steps)
    assert again.worst.at_s == 1.0
    assert again.worst_again == 2
