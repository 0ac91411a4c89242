"""A matrix is resumed, merged and told truly whatever became of its runs; the runs themselves are made up."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.core import locks
from harness.core.errors import HarnessError
from harness.core.model import Cell, Outcome
from harness.studies.matrix.campaign.command import exit_code
from harness.studies.matrix.campaign.runner import LOCK, conduct
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import parse_expectations
from harness.studies.matrix.report import load_matrix
from harness.studies.matrix.result import Agreement
from tests.integration.fake_runs import Theatre, campaign, plan, write_record

EVERYTHING = ["31.0-gthread", "31.0-sync", "32.0-gthread", "32.0-sync"]


def fine(_cell: Cell, _before: int) -> str:
    return "holds"


def outcomes(matrix: Matrix) -> dict[str, str]:
    return {cell.name: cell.folded.outcome.value for cell in matrix.cells}


def test_what_has_a_record_is_not_run_again_unless_asked(tmp_path: Path) -> None:
    theatre = Theatre(story=fine)
    wanted = campaign(tmp_path, "31.0", "32.0")
    first = conduct(wanted, theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING
    again = conduct(wanted, theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING
    assert again.cells == first.cells
    anew = conduct(replace(wanted, rerun=True), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING * 2
    assert {cell.runs for cell in anew.cells}.isdisjoint({cell.runs for cell in first.cells})
    more = conduct(replace(wanted, repeats=3), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING * 3, "two were there"
    assert {len(cell.runs) for cell in more.cells} == {3}


@pytest.mark.parametrize("left", ["killed", "interrupted"])
def test_a_run_that_was_cut_off_is_run_again_and_its_record_left(tmp_path: Path, left: str) -> None:
    write_record(tmp_path / "31.0-sync" / "20261120T190000Z-31.0-sync", Cell(spec="31.0", worker="sync"), left)
    theatre = Theatre(story=fine)
    matrix = conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING[:2]
    assert outcomes(matrix) == {"31.0-gthread": "holds", "31.0-sync": "holds"}
    assert (tmp_path / "31.0-sync" / "20261120T190000Z-31.0-sync" / "events.jsonl").is_file()


def test_a_crash_of_one_run_is_told_tried_again_and_ends_nothing_else(tmp_path: Path) -> None:
    theatre = Theatre(story=lambda cell, _before: "crash" if cell.worker == "sync" else "holds")
    matrix = conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == ["31.0-gthread", "31.0-sync", "31.0-sync"]
    crashed = matrix.cells[1]
    assert (crashed.folded.outcome, crashed.agreement) == (Outcome.ERROR, Agreement.UNDECIDED)
    assert "ended with status 1 and left no record: Segmentation fault" in crashed.runs[0].detail
    assert exit_code(matrix) == 4


def test_what_said_nothing_is_tried_again_and_set_aside_once_there_is_a_verdict(tmp_path: Path) -> None:
    theatre = Theatre(story=lambda _cell, before: "holds" if before else "inconclusive")
    matrix = conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert outcomes(matrix) == {"31.0-gthread": "holds", "31.0-sync": "holds"}
    assert [cell.set_aside for cell in matrix.cells] == [1, 1]
    assert exit_code(matrix) == 0
    stubborn = Theatre(story=lambda _cell, _before: "inconclusive")
    matrix = conduct(campaign(tmp_path / "other", "31.0"), stubborn.watch(), start=stubborn.start, ahead=False)
    assert len(stubborn.made) == 4
    assert exit_code(matrix) == 3
    conduct(campaign(tmp_path / "other", "31.0"), stubborn.watch(), start=stubborn.start, ahead=False)
    assert len(stubborn.made) == 4, "its records are there, though they say nothing"


@pytest.mark.parametrize(
    ("fate", "expected", "code"),
    [
        ("holds", "", 0),
        ("failed-responses", "", 1),
        ("failed-responses", 'findings = ["failed-responses"]', 0),
        ("socket-deleted", 'findings = ["failed-responses"]', 1),
        ("holds", 'findings = ["failed-responses"]', 1),
        ("holds", 'sometimes = ["failed-responses"]', 0),
        ("holds", 'verdict = "unrunnable"', 1),
        ("unrunnable", 'verdict = "unrunnable"', 0),
        ("unrunnable", "", 5),
        ("inconclusive", "", 3),
        ("inconclusive", 'verdict = "inconclusive"', 0),
        ("error", "", 4),
    ],
)
def test_the_exit_code_says_whether_it_is_as_expected(tmp_path: Path, fate: str, expected: str, code: int) -> None:
    row = f'[[expect]]\nreleases = ">0"\nreason = "r"\n{expected}\n' if expected else ""
    known = parse_expectations(f"schema = 1\n{row}", origin="it")
    theatre = Theatre(story=lambda _cell, _before: fate)
    matrix = conduct(campaign(tmp_path, "31.0", expectations=known), theatre.watch(), start=theatre.start, ahead=False)
    assert exit_code(matrix) == code


def test_a_difference_outranks_what_could_not_be_decided(tmp_path: Path) -> None:
    theatre = Theatre(story=lambda cell, _before: "error" if cell.worker == "sync" else "socket-deleted")
    matrix = conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert exit_code(matrix) == 1


def test_ctrl_c_keeps_the_records_and_tables_what_there_is(tmp_path: Path) -> None:
    theatre = Theatre(story=fine)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def press() -> None:
        if len(theatre.made) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    theatre.on_start = press
    try:
        matrix = conduct(campaign(tmp_path, "31.0", "32.0", jobs=1), theatre.watch(), start=theatre.start, ahead=False)
    finally:
        signal.signal(signal.SIGINT, before)
    assert matrix.interrupted
    assert exit_code(matrix) == 130
    assert outcomes(matrix) == dict(zip(EVERYTHING, ["holds", "holds", "error", "error"], strict=True))
    assert load_matrix(tmp_path) == matrix
    theatre.on_start = lambda: None
    whole = conduct(campaign(tmp_path, "31.0", "32.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == EVERYTHING
    assert set(outcomes(whole).values()) == {"holds"}


def test_a_cell_that_another_matrix_is_at_is_waited_for_and_not_made_twice(tmp_path: Path) -> None:
    theatre = Theatre(story=fine)
    other = locks.try_exclusive(tmp_path / "31.0-gthread" / LOCK)
    assert other is not None

    def finish_the_others() -> None:
        """Called when our first run starts, which must be that of the other cell."""
        assert theatre.made == []
        write_record(tmp_path / "31.0-gthread" / "20261120T190000Z-x", Cell(spec="31.0"), "socket-deleted")
        other.close()

    theatre.on_start = finish_the_others
    matrix = conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert theatre.made == ["31.0-sync"]
    assert outcomes(matrix) == {"31.0-gthread": "violated", "31.0-sync": "holds"}


def test_records_of_several_machines_are_merged_and_what_is_missing_is_seen(tmp_path: Path) -> None:
    one, other = tmp_path / "in" / "records-0", tmp_path / "in" / "records-1"
    for out, spec in ((one, "31.0"), (other, "32.0")):
        theatre = Theatre(story=fine)
        conduct(campaign(out, spec), theatre.watch(), start=theatre.start, ahead=False)
    idle = Theatre(story=fine)
    merging = campaign(tmp_path / "out", "31.0", "32.0", "33.0", merge=(tmp_path / "in",))
    matrix = conduct(merging, idle.watch(), start=idle.start, ahead=False)
    assert idle.made == []
    assert outcomes(matrix) == dict.fromkeys(EVERYTHING, "holds") | {"33.0-gthread": "error", "33.0-sync": "error"}
    assert exit_code(matrix) == 4
    whole = conduct(replace(merging, planned=plan("31.0", "32.0")), idle.watch(), start=idle.start, ahead=False)
    assert exit_code(whole) == 0
    assert all(cell.runs[0].path and (tmp_path / "in" / cell.runs[0].path).is_dir() for cell in whole.cells)


def test_runs_that_hold_are_kept_small_and_bad_ones_whole(tmp_path: Path) -> None:
    theatre = Theatre(story=lambda cell, _before: "holds" if cell.worker == "sync" else "socket-deleted")
    conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    (good,) = (tmp_path / "31.0-sync").glob("2*")
    (bad,) = (tmp_path / "31.0-gthread").glob("2*")
    assert sorted(path.name for path in (good / "logs").iterdir()) == ["dropped.txt", "gunicorn.error.log"]
    assert "gunicorn.access.log: 60 bytes" in (good / "logs" / "dropped.txt").read_text()
    assert not (good / "report.html").exists()
    assert (good / "events.jsonl").is_file()
    assert sorted(path.name for path in (bad / "logs").iterdir()) == ["gunicorn.access.log", "gunicorn.error.log"]
    conduct(campaign(tmp_path / "all", "31.0", keep_all_logs=True), theatre.watch(), start=theatre.start, ahead=False)
    assert len(list((tmp_path / "all").rglob("gunicorn.access.log"))) == 2


def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    write_record(tmp_path / "31.0-sync" / "20261120T190000Z-x", Cell(spec="31.0", worker="sync"), "holds")
    verdict = tmp_path / "31.0-sync" / "20261120T190000Z-x" / "verdict.json"
    theatre = Theatre(story=fine)
    for text in ("[]", "{", '{"verdict": "fine", "cell": {}, "findings": [], "counts": {}}', '{"verdict": "holds"}'):
        verdict.write_text(text)
        with pytest.raises(HarnessError, match=r"verdict\.json can't be read"):
            conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)


def test_a_stored_matrix_is_rendered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    theatre = Theatre(story=fine)
    conduct(campaign(tmp_path, "31.0"), theatre.watch(), start=theatre.start, ahead=False)
    assert main.main(["report", str(tmp_path)]) == 0
    assert capsys.readouterr().out == (tmp_path / "matrix.md").read_text()
    assert main.main(["report", str(tmp_path), "--format", "md,json,junit", "--out", str(tmp_path / "r")]) == 0
    assert sorted(path.name for path in (tmp_path / "r").iterdir()) == ["matrix.json", "matrix.md", "matrix.xml"]
    assert load_matrix(tmp_path / "r") == load_matrix(tmp_path)
    assert main.main(["report", str(tmp_path), "--format", "svg"]) == 2
    assert "A matrix has no format svg" in capsys.readouterr().err


@pytest.mark.parametrize(("fate", "runs", "code"), [("error", 4, 4), ("unrunnable", 2, 5)])
def test_what_failed_here_is_tried_again_another_time(tmp_path: Path, fate: str, runs: int, code: int) -> None:
    ill = Theatre(story=lambda _cell, _before: fate)
    matrix = conduct(campaign(tmp_path, "31.0"), ill.watch(), start=ill.start, ahead=False)
    assert (len(ill.made), exit_code(matrix)) == (runs, code)
    mended = Theatre(story=fine)
    matrix = conduct(campaign(tmp_path, "31.0"), mended.watch(), start=mended.start, ahead=False)
    assert (len(mended.made), exit_code(matrix)) == (2, 0)
    assert [cell.set_aside for cell in matrix.cells] == [0, 0]


def test_a_sure_matrix_goes_on_where_it_is_needed_and_claims_the_edge(tmp_path: Path) -> None:
    """Releases that the catalogue knows, because edges go by their dates."""
    theatre = Theatre(
        story=lambda cell, _: "holds" if cell.worker == "sync" or cell.spec < "25" else "failed-responses"
    )
    wanted = campaign(tmp_path, "22.0.0", "23.0.0", "25.0.0", "25.1.0", sure=0.99)
    matrix = conduct(wanted, theatre.watch(), start=theatre.start, ahead=False)
    (edge,) = matrix.map.supported
    assert (edge.worker, edge.before.release, edge.introduced_in) == ("gthread", "23.0.0", "25.0.0")
    assert matrix.map.undecided == ()
    made = Counter(theatre.made)
    assert made["23.0.0-gthread"] == made["25.0.0-gthread"] > made["22.0.0-gthread"] == made["22.0.0-sync"] == 8
    assert made["25.1.0-gthread"] == 2
    assert [cell["more_runs"] for cell in json.loads((tmp_path / "matrix.json").read_text())["cells"]] == [0] * 8
    conduct(wanted, theatre.watch(), start=theatre.start, ahead=False)
    assert Counter(theatre.made) == made, "all is settled"


def test_a_budget_ends_a_sure_matrix_and_it_goes_on_from_there(tmp_path: Path) -> None:
    theatre = Theatre(story=fine)
    wanted = campaign(tmp_path, "31.0", sure=0.99, budget=5)
    matrix = conduct(wanted, theatre.watch(), start=theatre.start, ahead=False)
    assert len(theatre.made) == 5
    assert sum(len(cell.runs) for cell in matrix.cells) == 5
    conduct(replace(wanted, budget=None), theatre.watch(), start=theatre.start, ahead=False)
    assert Counter(theatre.made) == {"31.0-gthread": 8, "31.0-sync": 8}


def test_a_cell_that_reaches_no_verdict_does_not_keep_a_sure_matrix_running(tmp_path: Path) -> None:
    theatre = Theatre(story=lambda cell, _before: "inconclusive" if cell.worker == "sync" else "holds")
    matrix = conduct(campaign(tmp_path, "31.0", sure=0.99), theatre.watch(), start=theatre.start, ahead=False)
    assert Counter(theatre.made) == {"31.0-gthread": 8, "31.0-sync": 2}
    assert exit_code(matrix) == 3
