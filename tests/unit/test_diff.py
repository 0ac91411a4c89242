from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import main
from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.diff.comparison import Comparison, compare_cells
from harness.studies.diff.report import comparison_to_json, render_markdown, render_text
from harness.studies.matrix.report import render_json
from harness.studies.matrix.result import CellResult, RunResult
from harness.studies.matrix.transitions import MEASURES_EACH, Measure
from tests.unit.matrices import a_cell, a_matrix, a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
RECORDS = Path(__file__).resolve().parents[1] / "records"
CLEAN, BROKEN = [a_run()] * 9, [a_run(FAILED)] * 9


def said(found: Comparison) -> list[tuple[str, str, bool]]:
    return [(one.other.release, one.finding, one.is_worse) for one in found.supported]


def test_what_is_worse_and_what_is_better_beyond_chance() -> None:
    ours = [a_cell("1.0", *CLEAN), a_cell("2.0", *[a_run(DELETED)] * 9)]
    theirs = [a_cell("1.0", *BROKEN), a_cell("2.0", *CLEAN)]
    found = compare_cells(ours, theirs)
    assert said(found) == [("1.0", FAILED, True), ("2.0", DELETED, False)]
    assert [one.finding for one in found.worse] == [FAILED]
    assert (found.pairs, found.looked_at, found.undecided) == (2, 2 * MEASURES_EACH, ())


def test_what_may_be_chance_is_undecided_and_says_how_many_runs_it_takes() -> None:
    found = compare_cells([a_cell("1.0", a_run())], [a_cell("1.0", a_run(FAILED))])
    assert (found.supported, found.worse) == ((), ())
    (one,) = found.undecided
    assert one.more_runs is not None
    enough = 1 + one.more_runs
    assert compare_cells([a_cell("1.0", *[a_run()] * enough)], [a_cell("1.0", *[a_run(FAILED)] * enough)]).worse


def test_a_checkout_is_compared_with_the_one_release_there_is() -> None:
    release = [a_cell("1.0", *CLEAN), a_cell("1.0", *CLEAN, worker="gthread")]
    checkout = [a_cell("1.1.dev0", *BROKEN), a_cell("1.1.dev0", *CLEAN, worker="gthread")]
    assert said(compare_cells(release, checkout)) == [("1.1.dev0", FAILED, True)]
    several = [*release, a_cell("2.0", *CLEAN)]
    found = compare_cells(several, checkout)
    assert found.pairs == 1, "there are two releases with sync workers: it is not clear which is meant"
    assert found.alone == ("only in A: 1.0 sync h2o", "only in A: 2.0 sync h2o", "only in B: 1.1.dev0 sync h2o")


def test_a_cell_without_a_verdict_is_named_and_not_compared() -> None:
    unsure = a_cell("1.0", a_run(outcome=Outcome.INCONCLUSIVE))
    found = compare_cells([a_cell("1.0", *CLEAN)], [unsure])
    assert (found.pairs, found.alone) == (0, ("no verdict on both sides: 1.0 sync h2o (holds, inconclusive)",))


def test_other_settings_are_told() -> None:
    def with_workers(count: int, *runs: RunResult) -> CellResult:
        cell = a_cell("1.0", *runs)
        return replace(cell, cell={**cell.cell, "workers": count, "python": f"3.{count}"})

    found = compare_cells([with_workers(2, *CLEAN)], [with_workers(5, *CLEAN)])
    assert found.settings == ("workers: 2 in A, 5 in B",)


def test_two_single_runs_are_compared_by_their_restarts() -> None:
    losing = replace(a_run(FAILED), bursts=20, recycles=30)
    spared = replace(a_run(FAILED), bursts=1, recycles=30)
    found = compare_cells([a_cell("1.0", spared)], [a_cell("1.0", losing)])
    (one,) = found.worse
    assert (one.measure, one.before.runs, one.after.seen) == (Measure.RESTARTS, 30, 20)
    alike = replace(a_run(FAILED), bursts=18, recycles=30)
    assert compare_cells([a_cell("1.0", alike)], [a_cell("1.0", losing)]).supported == ()


@given(st.integers(0, 9), st.integers(0, 9))
def test_turned_round_it_says_the_same_the_other_way(ours: int, theirs: int) -> None:
    one = a_cell("1.0", *[a_run(FAILED)] * ours, *[a_run()] * (9 - ours))
    other = a_cell("1.0", *[a_run(FAILED)] * theirs, *[a_run()] * (9 - theirs))
    forth, back = compare_cells([one], [other]), compare_cells([other], [one])
    assert [d.p_value for d in forth.supported] == pytest.approx([d.p_value for d in back.supported])
    assert [d.is_worse for d in forth.supported] == [not d.is_worse for d in back.supported]


def test_the_renderings_say_it_all() -> None:
    ours = [a_cell("1.0", *CLEAN), a_cell("2.0", *CLEAN), a_cell("3.0", *CLEAN)]
    theirs = [a_cell("1.0", *BROKEN), a_cell("2.0", *CLEAN[:8], a_run(DELETED))]
    found = compare_cells(ours, theirs)
    text = render_text(found)
    assert (
        text.splitlines()[-1]
        == "2 cells compared: 1 worse, 0 better beyond chance (99% sure of all of it), 1 undecided"
    )
    assert "1.0 sync h2o  failed-responses  0 of 9  9 of 9  worse" in text
    assert "2.0 sync h2o  socket-deleted  0 of 9  1 of 9  worse?" in text
    assert "Not compared: only in A: 3.0 sync h2o" in text
    page = render_markdown(found)
    assert "| 1.0 sync h2o | failed-responses | 0 of 9 | 9 of 9 | worse |" in page
    data = comparison_to_json(found)
    assert (data["worse"], data["compared_cells"]) == (1, 2)


def written(folder: Path, *cells: CellResult) -> str:
    folder.mkdir()
    (folder / "matrix.json").write_text(render_json(a_matrix(*cells)))
    return str(folder)


def test_the_command_exits_with_1_where_something_got_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clean = written(tmp_path / "clean", a_cell("1.0", *CLEAN))
    broken = written(tmp_path / "broken", a_cell("1.0", *BROKEN))
    assert main(["diff", clean, broken]) == 1
    assert "Differs beyond chance" in capsys.readouterr().out
    assert main(["diff", broken, clean, "--json"]) == 0, "it got better"
    assert json.loads(capsys.readouterr().out)["differences"][0]["change"] == "better"
    assert main(["diff", clean, clean, "--format", "md"]) == 0
    assert "0 undecided" in capsys.readouterr().out


def test_what_can_not_be_compared_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = written(tmp_path / "one", a_cell("1.0", *CLEAN, worker="gthread"))
    other = written(tmp_path / "other", a_cell("1.0", *CLEAN, worker="sync"))
    assert main(["diff", one, other]) == 2
    assert "no cell in common" in capsys.readouterr().err
    assert main(["diff", one, str(tmp_path / "none")]) == 2


def test_two_stored_runs_are_compared(capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(RECORDS / name) for name in ("sync-27.0.1.zip", "gthread-25.3.0.zip")]
    assert main(["diff", *runs]) == 2, "another worker class"
    runs = [str(RECORDS / name) for name in ("gthread-25.3.0.zip", "gthread-19.6.0.zip")]
    capsys.readouterr()
    main(["diff", *runs])
    told = capsys.readouterr().out
    assert "25.3.0 -> 19.6.0 gthread h2o  socket-deleted" in told
    assert "1 cell compared" in told
