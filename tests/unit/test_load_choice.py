"""Which load a run gets, and how the one on httpx is started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import doctor, makevars
from harness.core.errors import SurroundingsError
from harness.core.model import Cell
from harness.engine.preparation import settle_load
from harness.engine.request import RunRequest
from harness.provision import tools
from harness.provision.tools import Recipe, Tool
from harness.stack.load import LOADS, choose_load, httpx_load

WRK = Tool(name="wrk", path=Path("/bin/wrk"))
CELL = Cell(spec="1")


def place(monkeypatch: pytest.MonkeyPatch, tool: Tool | None) -> None:
    monkeypatch.setattr("harness.stack.load.find_tool", lambda _name: tool)


def test_wrk_where_it_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    place(monkeypatch, WRK)
    assert choose_load(CELL) == (CELL, None)


def test_httpx_stands_in_for_wrk_with_a_word_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place(monkeypatch, None)
    cell, note = choose_load(CELL)
    assert cell == replace(CELL, load="httpx")
    assert note is not None
    assert note.startswith("wrk is missing, so httpx")
    assert choose_load(replace(CELL, load="httpx")) == (replace(CELL, load="httpx"), None)


def test_a_load_that_was_named_is_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    place(monkeypatch, None)
    request = RunRequest(cell=CELL, out=Path("runs"))
    settled = settle_load(request)
    assert (settled.cell.load, settled.load_note is not None) == ("httpx", True)
    for kept in (replace(request, load_named=True), replace(request, cell=replace(CELL, backend="docker"))):
        assert settle_load(kept) == kept


def test_wrk_by_name_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_tool", lambda _name: None)
    with pytest.raises(SurroundingsError, match=r"wrk is missing, and --load wrk needs it"):
        LOADS["wrk"].find_program()


@pytest.mark.parametrize(("load", "raises"), [("", False), ("wrk", True)])
def test_set_up_goes_on_without_wrk_only_where_nobody_asked_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], load: str, raises: bool
) -> None:
    fetched = []

    def install(recipe: Recipe) -> Tool:
        fetched.append(recipe.name)
        if recipe.name == "wrk":
            raise SurroundingsError(what="wrk is missing.")
        return Tool(name=recipe.name, path=Path("/bin") / recipe.name)

    monkeypatch.setattr(tools, "install_tool", install)
    environ = {"LOAD": load}
    if raises:
        with pytest.raises(SurroundingsError):
            makevars.fetch_tools(environ)
    else:
        makevars.fetch_tools(environ)
        assert "httpx makes the load" in capsys.readouterr().err
    assert fetched == ["h2o", "wrk"]


def test_the_command_of_a_closed_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    argv = httpx_load.render_command("python", CELL, url="http://127.0.0.1:1/", script="")
    assert argv[:2] == ["python", "-c"]
    assert argv[3:] == ["--processes=3", "--connections=200", "--duration=10", "http://127.0.0.1:1/"]


def test_the_command_of_an_open_loop_on_a_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1, 2})
    cell = replace(CELL, connections=2, duration_s=2.5, rate_per_s=700)
    argv = httpx_load.render_command("python", cell, url="unix:/s", script="")
    assert argv[3:] == ["--processes=2", "--connections=2", "--duration=2.5", "--rate=700", "unix:/s"]


def test_the_program_finds_the_harness_from_any_folder() -> None:
    program = httpx_load.find_program()
    assert (Path(program.env["PYTHONPATH"]) / "harness" / "stack" / "load" / "httpx_client.py").is_file()
    assert httpx_load.state_version(program).count(".") >= 4


@pytest.mark.usefixtures("bare_machine")
def test_the_doctor_misses_wrk_but_needs_it_not() -> None:
    row = next(row for row in doctor.examine() if row.name == "wrk")
    assert (row.ok, row.needed) == (False, False)
    assert row.found.startswith("not found; httpx stands in for it")
    assert "apt-get install wrk" in row.remedy
