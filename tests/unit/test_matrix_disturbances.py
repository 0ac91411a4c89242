"""A matrix whose cells are disturbed: one column for each disturbance, in every rendering."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli.main import make_parser
from harness.core.cells import cell_from_json
from harness.core.errors import UsageError
from harness.core.model import Cell, Json, Outcome
from harness.disturb import DISTURBANCES, RECYCLE
from harness.studies.diff.comparison import pair_cells
from harness.studies.matrix.campaign.options import choose_cells
from harness.studies.matrix.campaign.run_folders import read_result
from harness.studies.matrix.document import matrix_from_json, matrix_to_json
from harness.studies.matrix.expectations import load_expectations, parse_expectations
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.rates import rate_failures, tally
from harness.studies.matrix.report import FORMATS, load_matrix
from harness.studies.matrix.report.as_markdown import render_markdown
from harness.studies.matrix.report.as_terminal import render_terminal
from harness.studies.matrix.result import Agreement, RunResult
from harness.studies.matrix.transitions import find_transitions
from tests.unit.matrices import a_cell, a_matrix, a_run

OUT = ("--out", "runs", "--versions", "1.0,2.0", "--workers", "sync")


def _choose(*arguments: str) -> tuple[PlannedCell, ...]:
    return choose_cells(make_parser().parse_args(["matrix", *OUT, "--list", *arguments]))


def _disturbed(*findings: str, disturbances: int = 3) -> RunResult:
    return replace(a_run(*findings), recycles=0, disturbances=disturbances, bursts=len(findings))


def test_each_disturbance_has_cells_and_names_of_its_own() -> None:
    planned = _choose("--disturb", "reload,upgrade", "--times", "3")
    assert [(one.cell.spec, one.cell.disturb, one.cell.times) for one in planned] == [
        ("1.0", "reload", 3),
        ("1.0", "upgrade", 3),
        ("2.0", "reload", 3),
        ("2.0", "upgrade", 3),
    ]
    assert len({one.name for one in planned}) == len(planned)
    assert "-reload-" in planned[0].name


def test_without_the_option_nothing_is_disturbed_and_all_are_all() -> None:
    assert {one.cell.disturb for one in _choose()} == {RECYCLE}
    assert {one.cell.disturb for one in _choose("--disturb", "all")} == set(DISTURBANCES)


def test_what_cannot_be_done_over_tcp_is_left_out_of_all_and_refused_by_name() -> None:
    over_tcp = {one.cell.disturb for one in _choose("--disturb", "all", "--proxies", "none")}
    assert "reload" in over_tcp
    assert "remove-socket" not in over_tcp
    with pytest.raises(UsageError, match="remove-socket"):
        _choose("--disturb", "remove-socket", "--proxies", "none")


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(UsageError, match=r"did you mean reload\?"):
        _choose("--disturb", "relaod")


def test_all_cells_of_a_release_are_in_one_shard() -> None:
    first, second = (
        {one.cell.spec for one in _choose("--disturb", "reload,stop", "--shard", f"{number}/2")} for number in (1, 2)
    )
    assert (first, second) == ({"1.0"}, {"2.0"})


@pytest.mark.parametrize("name", ["md", "html", "json", "junit"])
def test_every_rendering_names_the_disturbance(name: str) -> None:
    matrix = a_matrix(a_cell("1.0", a_run()), a_cell("1.0", _disturbed("socket-deleted"), disturb="second-master"))
    text = FORMATS[name](matrix)
    assert "second-master" in text
    assert "second-master" in render_terminal(matrix)
    assert "recycle," not in render_terminal(matrix)


def test_a_matrix_comes_back_from_its_json_as_it_was() -> None:
    matrix = a_matrix(a_cell("1.0", _disturbed(), disturb="reload"), a_cell("1.0", a_run()))
    again = matrix_from_json(json.loads(json.dumps(matrix_to_json(matrix))), where="it")
    assert [cell.column for cell in again.cells] == [("sync", "h2o", "reload"), ("sync", "h2o", "recycle")]
    assert again.cells[0].runs[0].disturbances == 3
    assert again.cells[1].runs[0].disturbances is None


def test_edges_are_drawn_between_cells_of_one_disturbance_alone() -> None:
    many = [_disturbed("socket-deleted") for _ in range(9)], [_disturbed() for _ in range(9)]
    mixed = [a_cell("1.0", *many[0], disturb="upgrade"), a_cell("2.0", *many[1], disturb="reload")]
    assert find_transitions(mixed).supported == ()
    same = [a_cell("1.0", *many[0], disturb="upgrade"), a_cell("2.0", *many[1], disturb="upgrade")]
    assert [(edge.disturb, edge.gone_in) for edge in find_transitions(same).supported] == [("upgrade", "2.0")]


def test_cells_of_two_disturbances_are_not_compared() -> None:
    pairs, alone, _ = pair_cells(
        [a_cell("1.0", _disturbed(), disturb="stop")], [a_cell("1.0", _disturbed(), disturb="scale")]
    )
    assert pairs == []
    assert len(alone) == 2


def test_a_run_without_restarts_that_was_disturbed_has_shown_that_it_holds() -> None:
    assert tally([_disturbed()], "socket-deleted").runs == 1
    assert tally([replace(a_run(), recycles=0)], "socket-deleted").runs == 0


def test_what_was_lost_is_counted_per_disturbance() -> None:
    rates = {rate.name: rate for rate in rate_failures([_disturbed("failed-responses"), _disturbed()])}
    assert (rates["per_disturbance"].lost, rates["per_disturbance"].total) == (1, 6)


def test_a_verdict_tells_how_many_disturbances_lost_something() -> None:
    evidence: Json = {"by_disturbance": {"reload (1 of 3)": 4, "reload (3 of 3)": 1, "no disturbance": 2}}
    verdict: dict[str, Json] = {
        "verdict": "violated",
        "findings": [{"id": "failed-responses", "evidence": evidence}],
        "counts": {"recycles": 0, "requests": 10, "statuses": {}, "client_errors": {}},
        "strength": {"disturbances": 3},
    }
    result = read_result(verdict, None)
    assert (result.disturbances, result.bursts, result.trials) == (3, 2, 3)


def test_a_verdict_tells_which_findings_the_judge_could_not_tell() -> None:
    verdict: dict[str, Json] = {
        "verdict": "violated",
        "findings": [{"id": "recycled-late", "evidence": {}}],
        "counts": {"recycles": 8, "requests": 10, "statuses": {}, "client_errors": {}},
        "invariants": {
            "requests-answered": "unknown",
            "max-requests-honoured": "violated",
            "socket-survives": "holds",
            "a-promise-of-tomorrow": "unknown",
        },
    }
    assert read_result(verdict, None).untold == ("failed-responses",)
    assert read_result({**verdict, "invariants": {"max-requests-honoured": "unknown"}}, None).untold == (
        "max-requests-ignored",
        "recycled-early",
    ), "what was seen was told"


ENTRY = """
schema = 1
[[expect]]
releases = ">=1"
disturbances = ["second-master"]
findings = ["socket-deleted"]
reason = "It binds anew."
"""


def test_an_entry_is_about_the_disturbances_that_it_names_alone() -> None:
    known = parse_expectations(ENTRY, origin="it")
    expected = known.expect("1.0", Cell(spec="x", disturb="second-master"))
    assert expected.findings == ("socket-deleted",)
    assert expected.reason.startswith("Not promised by gunicorn")
    assert expected.reason.endswith("It binds anew.")
    for name in ("recycle", "upgrade"):
        assert known.expect("1.0", Cell(spec="x", disturb=name)).outcome is Outcome.HOLDS


@pytest.mark.parametrize("name", [name for name in DISTURBANCES if name != RECYCLE])
def test_every_disturbed_cell_says_whether_gunicorn_promises_it(name: str) -> None:
    reason = load_expectations().expect("27.0.1", Cell(spec="x", disturb=name)).reason
    promise = DISTURBANCES[name].PROMISE
    assert reason.startswith("Not promised by gunicorn" if promise is None else f"Promised in {promise}")


def test_an_unknown_disturbance_in_an_entry_is_refused() -> None:
    with pytest.raises(UsageError, match="second-mister is no disturbance"):
        parse_expectations(ENTRY.replace("second-master", "second-mister"), origin="it")


def test_no_recycle_entry_speaks_of_a_disturbed_cell() -> None:
    assert load_expectations().expect("19.6.0", Cell(spec="x", disturb="stop")).outcome is Outcome.HOLDS


DOCS = Path(__file__).resolve().parents[2] / "docs"
NOT_PUBLISHED = frozenset({RECYCLE})
"""Disturbances of which the published table has no runs: those of ``recycle`` are in docs/results.md."""


def test_the_published_table_is_made_of_its_data_and_says_what_is_expected() -> None:
    matrix = load_matrix(DOCS / "results" / "disturbances.json")
    made = "make it again: harness report docs/results/disturbances.json > docs/disturbance-results.md"
    assert (DOCS / "disturbance-results.md").read_text() == render_markdown(matrix), made
    assert {cell.disturb for cell in matrix.cells} == set(DISTURBANCES) - NOT_PUBLISHED
    known = load_expectations()
    for cell in matrix.cells:
        expected = known.expect(cell.release, cell_from_json({"spec": cell.spec, **cell.cell}, where="it"))
        assert (cell.expected, cell.agreement) == (expected, Agreement.EXPECTED), cell.name
