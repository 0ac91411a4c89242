from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.engine.options import PROFILES
from harness.stack.workers import WORKERS
from harness.studies.matrix.expectations import HOLDS, compare
from harness.studies.matrix.profiles import choose_profile, find_blind, load_blind_spots, parse_blind_spots
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement, combine_runs
from tests.unit.matrices import a_cell, a_run

FAILED = FindingId.FAILED_RESPONSES.value


def test_the_packed_rows_name_what_there_is_and_how_it_was_measured() -> None:
    for spot in load_blind_spots():
        assert {spot.profile, spot.instead} <= set(PROFILES)
        assert set(spot.workers) <= set(WORKERS)
        assert set(spot.findings) <= {finding.value for finding in FindingId}
        assert " of " in spot.origin
        assert all(choose_profile(spot.instead, worker) == spot.instead for worker in spot.workers), "it is not blind"


def test_a_worker_class_that_a_profile_can_not_judge_is_run_with_another() -> None:
    assert choose_profile("quick", "asgi") == "wide"
    assert choose_profile("quick", "gthread") == "quick"
    assert choose_profile("default", "asgi") == "default"


def test_blindness_goes_by_the_settings_not_by_a_name() -> None:
    quick = replace(PROFILES["quick"], spec="1.0", worker="asgi")
    assert find_blind(quick) == (FAILED,)
    assert find_blind(replace(quick, connections=200, workers=5)) == ()
    assert find_blind(replace(quick, worker="sync")) == ()
    assert find_blind(replace(PROFILES["wide"], spec="1.0", worker="asgi")) == ()


def test_what_is_blind_never_holds() -> None:
    runs = [a_run()] * 9
    assert combine_runs(runs, [FAILED]).outcome is Outcome.INCONCLUSIVE
    assert combine_runs([*runs, a_run(FAILED)], [FAILED]).outcome is Outcome.VIOLATED
    assert compare(runs, HOLDS, [FAILED]) is Agreement.UNDECIDED
    cell = replace(a_cell("1.0", *runs), blind=(FAILED,), folded=combine_runs(runs, [FAILED]))
    assert summary.verdict_of(cell) == "inconclusive (blind to failed-responses)"
    assert summary.why_undecided(cell) == "nothing was seen, but these settings can't show failed-responses"


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 2"):
        parse_blind_spots("schema = 2")
