from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from harness.cli import main
from harness.core.errors import SurroundingsError
from harness.studies.matrix.campaign.site import publish, write_page
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import render_json
from harness.studies.matrix.result import CellResult, RunResult
from tests.unit.events import healthy
from tests.unit.matrices import a_cell, a_matrix, a_run
from tests.unit.runs import deleted, write_run

PATHS = ("one/run", "two/run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A matrix of two cells; both runs have the same name, and neither has its page."""
    found = tmp_path / "matrix"
    for path, record in zip(PATHS, (healthy(), deleted()), strict=True):
        write_run(record, found / path)
        (found / path / "report.md").write_text("# Report\n")
    (found / "matrix.json").write_text(render_json(a_table()))
    return found


def a_table(*more: CellResult) -> Matrix:
    runs = [a_run(), a_run("socket-deleted")]
    cells = [a_cell(f"{at}.0", replace(run, path=path)) for at, (run, path) in enumerate(zip(runs, PATHS, strict=True))]
    return a_matrix(*cells, *more)


def links(page: Path) -> list[str]:
    return [unquote(link) for link in dict.fromkeys(re.findall(r'href="([^"]*)"', page.read_text()))]


def test_the_page_of_a_finished_matrix_links_what_is_there(folder: Path) -> None:
    (folder / "two" / "run" / "report.html").write_text("kept")
    assert links(write_page(folder, a_table())) == ["./one/run/report.md", "./two/run/report.html"]


def test_in_the_matrix_folder_missing_pages_are_made_and_others_left(folder: Path) -> None:
    (folder / "two" / "run" / "report.html").write_text("kept")
    page = publish(a_table(), [folder], folder, say=_silent)
    assert page == folder / "index.html"
    assert links(page) == ["./one/run/report.html", "./two/run/report.html"]
    assert "socket file survived" in (folder / "one" / "run" / "report.html").read_text()
    assert (folder / "two" / "run" / "report.html").read_text() == "kept"


def test_a_folder_of_its_own_has_all_it_leads_to(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "new" / "site"
    site.mkdir(parents=True)
    page = publish(a_table(), [folder], site, say=_silent)
    assert links(page) == ["./records/run/report.html", "./records/run-2/report.html"]
    told = [(site / link).read_text() for link in links(page)]
    assert "socket file survived" in told[0]
    assert "socket file deleted" in told[1]
    assert sorted(path.name for path in site.iterdir()) == ["index.html", "records"]
    assert not (folder / "one" / "run" / "report.html").exists(), "the records stay as they were"


@pytest.mark.parametrize("record", ["gone", "../outside", "/etc", "", ".", "one/run/cell.json", "a\x00b", "x" * 5000])
def test_what_is_no_record_here_gets_no_link_and_is_told(folder: Path, tmp_path: Path, record: str) -> None:
    write_run(healthy(), tmp_path / "outside")
    said: list[str] = []
    site = tmp_path / "site"
    site.mkdir()
    page = publish(a_table(a_cell("9.0", a_stray(record))), [folder], site, say=said.append)
    assert len(links(page)) == 2
    assert said == [f"{record}: its record is not here, so nothing leads to it."]
    assert len(links(write_page(folder, a_table(a_cell("9.0", a_stray(record)))))) == 2


def a_stray(record: str) -> RunResult:
    return replace(a_run(), path=record)


def test_a_damaged_record_is_told_and_the_rest_is_shown(folder: Path, tmp_path: Path) -> None:
    (folder / "one" / "run" / "verdict.json").write_text("{")
    said: list[str] = []
    page = publish(a_table(), [folder], tmp_path, say=said.append)
    assert links(page) == ["./records/run/report.html"]
    assert len(said) == 1
    assert "verdict.json is damaged" in said[0]


def test_a_folder_that_cannot_be_made_is_one_error(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "records").write_text("in the way")
    with pytest.raises(SurroundingsError, match="could not be made: Not a directory"):
        publish(a_table(), [folder], tmp_path, say=_silent)


def test_the_command_writes_files_with_and_without_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["report", str(folder), "--format", "html"]) == 0
    assert capsys.readouterr().out == f"{folder / 'index.html'}\n"
    site = tmp_path / "site"
    assert main.main(["report", str(folder / "matrix.json"), "--format", "md,html", "--out", str(site)]) == 0
    assert capsys.readouterr().out.split() == [str(site / "matrix.md"), str(site / "index.html")]
    assert all((site / link).is_file() for link in links(site / "index.html"))


def _silent(text: str) -> None:
    raise AssertionError(text)
