"""One table out of several: whose runs count, in which order, and what is expected of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.expectations import load_expectations
from harness.studies.matrix.report import load_matrix, render_json
from harness.studies.matrix.result import Agreement, RunResult
from maintenance.pooling import main, pool
from tests.unit.matrices import a_cell, a_matrix, a_run

EXPECTED = load_expectations(None)
FAILED = FindingId.FAILED_RESPONSES.value


def runs(name: str, count: int, *findings: str, outcome: Outcome | None = None) -> list[RunResult]:
    return [replace(a_run(*findings, outcome=outcome), path=f"{name}/{at}") for at in range(count)]


def test_runs_of_the_same_settings_are_put_together_each_once() -> None:
    shared = runs("shared", 2)
    one = a_matrix(a_cell("27.0.1", *shared, *runs("one", 1)))
    other = a_matrix(a_cell("27.0.1", *shared, *runs("other", 3, FAILED)))
    (cell,) = pool([one, other], EXPECTED).cells
    assert sorted(run.path or "" for run in cell.runs) == sorted(
        run.path or "" for run in (*shared, *runs("one", 1), *runs("other", 3))
    )
    assert (cell.folded.outcome, cell.folded.rates[FAILED]) == (Outcome.VIOLATED, "3 of 6")
    assert cell.agreement is Agreement.DIFFERENT, "what is expected of 27.0.1 is that it holds"


def test_of_other_settings_the_first_table_counts() -> None:
    wide = replace(a_cell("27.0.1", *runs("wide", 1)), name="with other settings")
    quick = a_cell("27.0.1", *runs("quick", 5))
    for tables, counted in (((wide, quick), 1), ((quick, wide), 5)):
        (cell,) = pool([a_matrix(table) for table in tables], EXPECTED).cells
        assert len(cell.runs) == counted


def test_undecided_runs_give_way_to_decided_ones() -> None:
    busy = runs("busy", 2, outcome=Outcome.INCONCLUSIVE)
    (cell,) = pool([a_matrix(a_cell("27.0.1", *busy)), a_matrix(a_cell("27.0.1", *runs("idle", 3)))], EXPECTED).cells
    assert (len(cell.runs), cell.set_aside, cell.folded.outcome) == (3, 2, Outcome.HOLDS)
    (alone,) = pool([a_matrix(a_cell("27.0.1", *busy))], EXPECTED).cells
    assert alone.folded.outcome is Outcome.INCONCLUSIVE, "nothing becomes a verdict by being left out"


def test_the_table_is_in_the_order_of_a_matrix_and_as_sure_as_the_surest() -> None:
    one = replace(a_matrix(a_cell("27.0.1", *runs("a", 3)), a_cell("9.0", *runs("b", 2))), sure=0.95, profile="wide")
    other = a_matrix(a_cell("19.6.0", *runs("c", 4)), a_cell("19.6.0", *runs("d", 4), worker="gthread"))
    pooled = pool([one, other], EXPECTED)
    assert [(cell.spec, cell.worker) for cell in pooled.cells] == [
        ("9.0", "sync"),
        ("19.6.0", "gthread"),
        ("19.6.0", "sync"),
        ("27.0.1", "sync"),
    ]
    assert (pooled.sure, pooled.repeats, pooled.profile) == (other.sure, 2, "wide, quick")


def write(folder: Path, name: str, matrix: Matrix) -> str:
    path = folder / name
    path.write_text(render_json(matrix))
    return str(path)


def test_it_is_read_and_written_as_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = [write(tmp_path, name, a_matrix(a_cell("27.0.1", *runs(name, 2)))) for name in ("one", "other")]
    monkeypatch.setattr("sys.argv", ["pooling", str(tmp_path / "out.json"), *tables])
    assert main() == 0
    assert "1 cells, 4 runs" in capsys.readouterr().out
    assert len(load_matrix(tmp_path / "out.json").cells[0].runs) == 4
    assert json.loads((tmp_path / "out.json").read_text())["repeats"] == 4


def test_what_is_no_table_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["pooling", str(tmp_path / "out.json"), str(tmp_path / "nowhere.json")])
    assert main() == 2
    assert "nowhere.json" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()
