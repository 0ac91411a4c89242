from __future__ import annotations

from dataclasses import replace
from random import Random

from bench.certainty import RATES, draw_truth, run_fixed, run_sequentially, total
from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.result import CellResult
from harness.studies.matrix.steering import MOST_OF_A_CELL, count_lacking_of_cell, find_needs
from harness.studies.matrix.transitions import find_transitions
from tests.unit.matrices import a_cell, a_run

FAILED = FindingId.FAILED_RESPONSES.value


def needs(*cells: CellResult, exhausted: tuple[str, ...] = ()) -> list[tuple[str, bool]]:
    found = find_needs(cells, find_transitions(cells), exhausted=exhausted)
    return [(need.name.partition("-")[0], need.at_edge) for need in found]


def test_a_cell_is_settled_by_eight_clean_runs_or_by_two_that_show_the_same() -> None:
    assert [count_lacking_of_cell(a_cell("1.0", *[a_run()] * n), sure=0.99) for n in (0, 3, 8)] == [8, 5, 0]
    assert count_lacking_of_cell(a_cell("1.0", a_run(FAILED), a_run(FAILED)), sure=0.99) == 0
    assert count_lacking_of_cell(a_cell("1.0", a_run(FAILED), a_run()), sure=0.99) > 0
    assert count_lacking_of_cell(a_cell("1.0", a_run(outcome=Outcome.UNRUNNABLE)), sure=0.99) == 0


def test_every_cell_has_its_first_run_before_any_other_has_a_second() -> None:
    assert needs(a_cell("1.0", a_run()), a_cell("2.0"), a_cell("3.0")) == [("2.0", False), ("3.0", False)]


def test_cells_at_an_edge_go_first() -> None:
    cells = (a_cell("1.0", a_run()), a_cell("2.0", a_run()), a_cell("1.1", a_run(FAILED)))
    assert needs(*cells) == [("2.0", True), ("1.1", True)]
    settled = (a_cell("1.0", a_run()), a_cell("2.0", *[a_run()] * 9), a_cell("1.1", *[a_run(FAILED)] * 9))
    assert needs(*settled) == [("1.0", False)], "only this one is open"


def test_what_is_settled_or_can_not_be_settled_is_left_alone() -> None:
    clean = a_cell("1.0", *[a_run()] * 9)
    assert needs(clean) == []
    assert needs(clean, a_cell("2.0", a_run(outcome=Outcome.UNRUNNABLE))) == []
    open_cell = a_cell("2.0", a_run(outcome=Outcome.INCONCLUSIVE))
    assert needs(clean, open_cell) == [("2.0", False)]
    assert needs(clean, open_cell, exhausted=(open_cell.name,)) == []
    between = [a_run(FAILED), a_run(), a_run(), a_run(), a_run()] * (MOST_OF_A_CELL // 5)
    assert needs(a_cell("1.0", *between)) == []


def test_an_edge_that_is_too_far_from_a_decision_takes_no_runs() -> None:
    cells = (a_cell("1.0", *[a_run()] * 19, a_run(FAILED)), a_cell("2.0", *[a_run()] * 20))
    assert find_transitions(cells).undecided != ()
    assert needs(*cells) == []


def test_settings_that_can_not_show_a_finding_make_no_edge() -> None:
    blind = replace(a_cell("2.0", *[a_run()] * 9), blind=(FAILED,))
    assert needs(a_cell("1.0", *[a_run(FAILED)] * 2), blind) == []


def test_on_simulated_matrices_no_edge_is_false_and_runs_are_saved() -> None:
    """`python -m bench certainty` does it with 50 releases, and more of them."""
    truths = [draw_truth(Random(seed), 16) for seed in range(3)]  # noqa: S311 - no secret
    assert {rate for truth in truths for row in truth for rate in row.values()} == set(RATES)
    steered = total([run_sequentially(truth, Random(5)) for truth in truths])  # noqa: S311 - no secret
    fixed = total([run_fixed(truth, Random(5), 30) for truth in truths])  # noqa: S311 - no secret
    assert (steered.false_edges, fixed.false_edges) == (0, 0)
    assert steered.large_edges > 5
    assert steered.missed <= fixed.missed
    assert steered.runs < 0.7 * fixed.runs
