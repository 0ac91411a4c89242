from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.expectations import compare
from harness.studies.matrix.result import Agreement, CombinedRuns, Expected, RunResult, choose_runs, combine_runs
from tests.unit.matrices import a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
EITHER = (DELETED, FAILED)
UNSURE = a_run(outcome=Outcome.INCONCLUSIVE, detail="too few recycles")
BROKEN = a_run(outcome=Outcome.ERROR, detail="no wrk")

runs = st.builds(
    a_run, st.sampled_from([DELETED, FAILED]), outcome=st.sampled_from([Outcome.VIOLATED, Outcome.INCONCLUSIVE])
) | st.just(a_run())


def test_runs_that_agree_are_not_flaky() -> None:
    assert combine_runs([a_run(FAILED), a_run(FAILED)]) == CombinedRuns(outcome=Outcome.VIOLATED, findings=(FAILED,))
    assert combine_runs([a_run()]) == CombinedRuns(outcome=Outcome.HOLDS)


def test_one_bad_run_of_three_is_told_with_its_rate() -> None:
    folded = combine_runs([a_run(), a_run(FAILED), a_run()])
    assert (folded.outcome, folded.findings, folded.flaky) == (Outcome.VIOLATED, (FAILED,), "1 of 3")
    assert folded.rates == {"violated": "1 of 3", FAILED: "1 of 3"}


def test_a_finding_that_comes_and_goes_makes_a_steady_fault_flaky() -> None:
    folded = combine_runs([a_run(DELETED), a_run(DELETED, FAILED), a_run(DELETED)])
    assert (folded.findings, folded.rates, folded.flaky) == ((DELETED, FAILED), {FAILED: "1 of 3"}, "1 of 3")


def test_findings_are_in_the_order_of_the_contract_whatever_order_they_were_seen_in() -> None:
    assert combine_runs([a_run(FAILED), a_run("later-invention"), a_run(DELETED)]).findings == (
        DELETED,
        FAILED,
        "later-invention",
    )


def test_no_run_at_all_is_never_a_pass() -> None:
    assert combine_runs([]).outcome is Outcome.ERROR


@given(st.lists(runs, min_size=1))
def test_evidence_outranks_unknown_which_outranks_fine(some: list[RunResult]) -> None:
    outcomes = {run.outcome for run in some}
    folded = combine_runs(some).outcome
    assert (folded is Outcome.VIOLATED) == (Outcome.VIOLATED in outcomes)
    assert (folded is Outcome.HOLDS) == (outcomes == {Outcome.HOLDS})


@given(st.lists(runs, min_size=1), st.integers(1, 4))
def test_the_newest_verdicts_count_and_no_run_is_lost(some: list[RunResult], wanted: int) -> None:
    chosen, set_aside = choose_runs(some, wanted)
    decided = [run for run in some if run.decided]
    assert list(chosen[: min(wanted, len(decided))]) == decided[-wanted:]
    assert len(chosen) == min(wanted, len(some))
    assert set_aside == sum(not run.decided for run in some) - sum(not run.decided for run in chosen)


@pytest.mark.parametrize(
    ("seen", "expected", "agreement"),
    [
        ([a_run()], Expected(outcome=Outcome.HOLDS), Agreement.EXPECTED),
        ([a_run(FAILED)], Expected(outcome=Outcome.HOLDS), Agreement.DIFFERENT),
        ([a_run()], Expected(outcome=Outcome.VIOLATED, findings=(FAILED,)), Agreement.DIFFERENT),
        ([a_run(FAILED)], Expected(outcome=Outcome.VIOLATED, findings=(FAILED,)), Agreement.EXPECTED),
        ([a_run(FAILED, DELETED)], Expected(outcome=Outcome.VIOLATED, findings=(FAILED,)), Agreement.DIFFERENT),
        ([a_run(DELETED)], Expected(outcome=Outcome.VIOLATED, findings=(DELETED, FAILED)), Agreement.DIFFERENT),
        # what must be in each run must not be flaky
        ([a_run(FAILED), a_run()], Expected(outcome=Outcome.VIOLATED, findings=(FAILED,)), Agreement.DIFFERENT),
        # what comes and goes may be in none, some or all of them
        ([a_run()], Expected(outcome=Outcome.HOLDS, sometimes=(FAILED,)), Agreement.EXPECTED),
        ([a_run(FAILED), a_run()], Expected(outcome=Outcome.HOLDS, sometimes=(FAILED,)), Agreement.EXPECTED),
        ([a_run(FAILED)], Expected(outcome=Outcome.HOLDS, sometimes=(FAILED,)), Agreement.EXPECTED),
        ([a_run(DELETED)], Expected(outcome=Outcome.HOLDS, sometimes=(FAILED,)), Agreement.DIFFERENT),
        # unless each run must show one of them
        ([a_run(FAILED), a_run(DELETED)], Expected(outcome=Outcome.VIOLATED, sometimes=EITHER), Agreement.EXPECTED),
        ([a_run(FAILED)], Expected(outcome=Outcome.VIOLATED, sometimes=EITHER), Agreement.EXPECTED),
        ([a_run(FAILED), a_run()], Expected(outcome=Outcome.VIOLATED, sometimes=EITHER), Agreement.DIFFERENT),
        ([a_run()], Expected(outcome=Outcome.VIOLATED, sometimes=EITHER), Agreement.DIFFERENT),
        # the harness's own failures are no word on the release
        ([UNSURE], Expected(outcome=Outcome.HOLDS), Agreement.UNDECIDED),
        ([a_run(), BROKEN], Expected(outcome=Outcome.HOLDS), Agreement.UNDECIDED),
        ([], Expected(outcome=Outcome.HOLDS), Agreement.UNDECIDED),
        ([UNSURE], Expected(outcome=Outcome.INCONCLUSIVE), Agreement.EXPECTED),
        # but a fault that was seen is
        ([a_run(FAILED), BROKEN], Expected(outcome=Outcome.HOLDS), Agreement.DIFFERENT),
        ([a_run(outcome=Outcome.UNRUNNABLE)], Expected(outcome=Outcome.UNRUNNABLE), Agreement.EXPECTED),
        ([a_run(outcome=Outcome.UNRUNNABLE)], Expected(outcome=Outcome.HOLDS), Agreement.DIFFERENT),
        ([a_run()], Expected(outcome=Outcome.UNRUNNABLE), Agreement.DIFFERENT),
    ],
)
def test_a_difference_in_either_direction_is_one(
    seen: list[RunResult], expected: Expected, agreement: Agreement
) -> None:
    assert compare(seen, expected) is agreement


def test_chance_may_hide_an_expected_finding_but_never_makes_one_that_is_not() -> None:
    steady = Expected(outcome=Outcome.VIOLATED, findings=(FAILED,))
    assert compare([a_run(FAILED)] * 4 + [a_run()], steady) is Agreement.DIFFERENT, "1 of 5: 4.9 %"
    assert compare([a_run(FAILED)] * 5 + [a_run()], steady) is Agreement.EXPECTED, "1 of 6: 5.9 %"
    assert compare([a_run(FAILED)] * 18 + [a_run()] * 2, steady) is Agreement.DIFFERENT
    unsure = replace(a_run("recycled-late"), untold=(FAILED,))
    late = replace(steady, sometimes=("recycled-late",))
    assert compare([a_run(FAILED), unsure, unsure], late) is Agreement.EXPECTED, "these two could not tell"
    assert compare([a_run(FAILED), a_run("recycled-late")], late) is Agreement.DIFFERENT
    assert compare([a_run()] * 100 + [a_run(FAILED)], Expected(outcome=Outcome.HOLDS)) is Agreement.DIFFERENT
