from __future__ import annotations

import argparse
from dataclasses import replace

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.engine.options import PROFILES
from harness.judge.blind_spots import (
    list_seldom_seen,
    list_unseen,
    load_blind_spots,
    load_seldom_seen,
    parse_blind_spots,
)
from harness.stack.workers import WORKERS
from harness.studies.matrix.campaign.options import add_matrix_options, choose_cells
from harness.studies.matrix.expectations import HOLDS, compare
from harness.studies.matrix.report import summary
from harness.studies.matrix.result import Agreement, combine_runs
from harness.studies.matrix.safety import Safety, judge_cell
from tests.unit.events import healthy
from tests.unit.matrices import a_cell, a_run

FAILED = FindingId.FAILED_RESPONSES.value


def test_the_packed_rows_name_what_there_is_and_how_it_was_measured() -> None:
    for spot in (*load_blind_spots(), *load_seldom_seen()):
        assert spot.instead in PROFILES
        assert set(spot.workers) <= set(WORKERS)
        assert set(spot.findings) <= {finding.value for finding in FindingId}
        assert " of " in spot.origin
        assert not any(spot.covers(replace(PROFILES[spot.instead], worker=worker)) for worker in spot.workers)


def test_what_is_seldom_seen_changes_no_verdict_but_is_not_called_safe() -> None:
    wide = replace(PROFILES["wide"], spec="1.0", worker="gevent")
    assert list_unseen(wide) == ()
    assert list_seldom_seen("gevent", {"max_requests": 64}) == (FAILED,)
    assert list_seldom_seen("gevent", {"max_requests": 512}) == list_seldom_seen("sync", {"max_requests": 64}) == ()
    assert list_seldom_seen("gevent", {}) == (), "of which nothing is known"
    run = replace(a_run(), failed=0)
    cell = a_cell("1.0", run, run, worker="gevent")
    few = replace(cell, cell={**cell.cell, "max_requests": 64})
    assert few.folded.outcome is Outcome.HOLDS
    assert (judge_cell(cell), judge_cell(few)) == (Safety.SAFE, Safety.UNKNOWN)


@pytest.mark.parametrize(("profile", "worker", "taken"), [("quick", "asgi", 200), ("quick", "gthread", 20)])
def test_a_worker_class_that_a_profile_can_not_judge_is_run_with_another(profile: str, worker: str, taken: int) -> None:
    parser = argparse.ArgumentParser()
    add_matrix_options(parser)
    options = parser.parse_args(["--versions", "27.0.1", "--workers", worker, "--profile", profile])
    (planned,) = choose_cells(options)
    assert planned.cell.connections == taken


def test_blindness_goes_by_the_settings_not_by_a_name() -> None:
    quick = replace(PROFILES["quick"], spec="1.0", worker="asgi")
    assert list_unseen(quick) == (FAILED,)
    assert list_unseen(replace(quick, recycles=99, max_requests=32, connections=10)) == (FAILED,)
    assert list_unseen(replace(quick, connections=200, workers=5)) == ()
    assert list_unseen(replace(quick, worker="sync")) == ()


def test_a_run_that_can_not_show_a_finding_does_not_hold() -> None:
    verdict = healthy().with_cell(worker="asgi", connections=20).judge()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons[0] == "these settings don't show failed-responses of the asgi worker: take --profile wide"
    assert healthy().with_cell(worker="asgi", connections=100).judge().outcome is Outcome.HOLDS


def test_what_it_did_show_is_found() -> None:
    assert healthy().gone(3.0).with_cell(worker="asgi", connections=20).judge().outcome is Outcome.VIOLATED


def test_what_is_blind_never_holds() -> None:
    runs = [a_run()] * 9
    assert combine_runs(runs, [FAILED]).outcome is Outcome.INCONCLUSIVE
    assert combine_runs([*runs, a_run(FAILED)], [FAILED]).outcome is Outcome.VIOLATED
    assert compare(runs, HOLDS, [FAILED]) is Agreement.UNDECIDED
    cell = replace(a_cell("1.0", *runs), blind=(FAILED,), folded=combine_runs(runs, [FAILED]))
    assert summary.verdict_of(cell) == "inconclusive (blind to failed-responses)"
    assert summary.why_undecided(cell) == "nothing was seen, but these settings can't show failed-responses"


def test_a_file_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="schema 1"):
        parse_blind_spots("schema = 1")
