"""Each field of a cell, derived from its one row: options, JSON, the repeated command, make's variables, the page."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.main import make_parser
from harness.cli.makevars import OPTIONS
from harness.core.cell_fields import CELL_FIELDS, Cell
from harness.core.cells import CONTRACT_KEYS, cell_from_json, cell_to_json
from harness.core.errors import UsageError
from harness.core.field_kinds import LAST_PORT, CellField, Kind
from harness.disturb import list_turns
from harness.disturb.aims import AIMS
from harness.engine.cell_rules import RULES, as_flag, as_keyword, find_contradiction
from harness.engine.options import CHOICES, make_request, run_arguments
from harness.engine.request import RunRequest
from harness.report.repeat import repeat_command
from harness.stack.workers import find_worker
from maintenance.options_page import PAGE, render_page

ROOT = Path(__file__).resolve().parents[2]
FLAGS = [row for row in CELL_FIELDS.values() if row.flag is not None]
NOT_ASKED_FOR = {"spec", "gunicorn", "python", "scenario"}
"""Named without a flag, found out, or a scenario's own."""


REQUESTS: dict[str, list[Any]] = {
    "path": ["/", "/a?b=c&d", "/%20"],
    "method": ["GET", "POST", "DELETE"],
    "body": [None],  # a file, which has to be there
    "proxy_config": [None],  # likewise
    "header": [None, "Host: example", "X-A: b c\nX-B: d"],
    "expect_status": [200, 204, 302, 404],
    "umask": [None, "0", "022", "0o77"],
    "user": [None, "nobody", "33"],
}
"""What the fields of the request take, beside what is refused."""


def values_of(row: CellField) -> st.SearchStrategy[Any]:
    """Everything that the flag of a field takes."""
    if row.name == "disturb":
        return st.sampled_from(["recycle", "all", "reload,scale", "recycle,reload"])
    if row.name in CHOICES:
        return st.sampled_from(CHOICES[row.name])
    if row.name in REQUESTS:
        return st.sampled_from(REQUESTS[row.name])
    kinds: dict[Kind, st.SearchStrategy[Any]] = {
        Kind.COUNT: st.integers(row.least, min(LAST_PORT, row.most)),
        Kind.SECONDS: st.floats(0.001, 3600.0),
        Kind.SWITCH: st.booleans(),
        Kind.TEXT: st.sampled_from(["mine:app", "-m:app", "a b:c"]),
    }
    return st.none() | kinds[row.kind] if row.optional else kinds[row.kind]


def settle(cell: Cell) -> Cell:
    """The nearest cell that can be meant."""
    threads = cell.threads if find_worker(cell.worker).has_threads else 1
    load = "wrk" if cell.rate_per_s is None else "httpx"
    bind = "tcp" if (cell.proxy, load) == ("none", "wrk") else cell.bind
    if bind == "abstract" and (cell.proxy not in {"caddy", "none"} or cell.proxy_config is not None):
        bind = "unix"
    timeout = cell.timeout or (4 if cell.disturb == "all" else None)  # else it is fitted to the disturbances
    aim = cell.aim if list_turns(cell) and bind == "unix" and cell.trace else None
    if aim is not None and AIMS[aim].only is not None:
        aim = None
    settled = replace(cell, threads=threads, load=load, bind=bind, timeout=timeout, aim=aim)
    return settled if find_contradiction(settled) is None else replace(settled, backend="local")


specs = st.sampled_from(["19.6.0", "latest", "./a b", "--odd"])
cells = st.builds(Cell, spec=specs, **{row.name: values_of(row) for row in FLAGS}).map(settle)
requests = st.builds(
    RunRequest,
    cell=cells,
    out=st.sampled_from([Path("runs"), Path("-x y")]),
    python=st.none() | st.just("3.6"),
    era_shims=st.booleans(),
    load_named=st.just(True),
)


PARSER = make_parser()


def read_request(argv: list[str]) -> RunRequest:
    return make_request(PARSER.parse_args(["reproduce", *argv]))


@given(requests)
def test_a_request_and_its_arguments_say_the_same(request: RunRequest) -> None:
    assert read_request(run_arguments(request)) == request


def test_a_load_that_nobody_named_is_not_named_again() -> None:
    request = RunRequest(cell=Cell(spec="19.6.0"), out=Path("runs"))
    assert read_request(run_arguments(request)) == request


@given(cells.filter(lambda cell: not (cell.app or "").startswith("-") and not cell.spec.startswith("-")))
def test_the_command_that_repeats_a_run_means_the_same_cell(cell: Cell) -> None:
    assert read_request(repeat_command(cell)[2:]).cell == replace(cell, port=None)


@given(cells)
def test_a_cell_survives_json(cell: Cell) -> None:
    data = json.loads(json.dumps(cell_to_json(cell)))
    assert tuple(data)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert cell_from_json(data, where="cell.json") == cell


def test_every_field_is_asked_for_or_found_out() -> None:
    assert {row.name for row in FLAGS} == set(CELL_FIELDS) - NOT_ASKED_FOR
    assert set(CHOICES) <= {row.name for row in FLAGS}
    assert all(row.help for row in FLAGS)


def test_the_contract_s_keys_in_the_contract_s_order() -> None:
    assert (
        *("gunicorn", "python", "worker", "proxy", "bind", "backend", "workers", "threads"),
        *("max_requests", "max_requests_jitter", "load"),
    ) == CONTRACT_KEYS


@pytest.mark.parametrize(
    "row", [row for row in FLAGS if row.kind is not Kind.TEXT or row.name in CHOICES], ids=lambda row: row.name
)
@pytest.mark.parametrize("text", ["", "nonsense", "-1", "1e999"])
def test_what_cannot_be_meant_is_answered_with_the_flag(
    row: CellField, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        PARSER.parse_args(["reproduce", "19.6.0", f"{row.flag}={text}"])
    assert caught.value.code == 2
    assert f"argument {row.flag}: " in capsys.readouterr().err


@pytest.mark.parametrize("row", CELL_FIELDS.values(), ids=lambda row: row.name)
def test_json_of_a_wrong_type_is_answered_with_the_key(row: CellField) -> None:
    wrong: list[object] = [[], 1.5 if row.kind is Kind.COUNT else {}, 0 if row.kind is Kind.SWITCH else -1]
    for value in wrong:
        with pytest.raises(UsageError, match=rf"cell\.json: the key '{row.name}' must be"):
            cell_from_json({"spec": "1", row.name: value}, where="cell.json")


@pytest.mark.parametrize(
    ("cell", "named"),
    [
        (Cell(spec="1", worker="sync", threads=2), {"worker", "threads"}),
        (Cell(spec="1", proxy="none"), {"proxy", "bind", "load"}),
        (Cell(spec="1", rate_per_s=9), {"rate_per_s", "load"}),
        (Cell(spec="1", disturb="reload,relaod"), {"disturb"}),
    ],
)
def test_a_contradiction_is_told_in_the_user_s_own_words(cell: Cell, named: set[str]) -> None:
    said = str(find_contradiction(cell, as_flag))
    assert {row.name for row in FLAGS if re.search(rf"{row.flag}(?![-\w])", said)} == named
    said = str(find_contradiction(cell, as_keyword))
    assert "--" not in said
    assert {name for name in named if re.search(rf"\b{name}\b", said)} == named


def test_what_containers_do_not_have_is_a_contradiction_too() -> None:
    assert "--backend docker" in str(find_contradiction(Cell(spec="1", backend="docker", proxy="caddy")))
    assert find_contradiction(Cell(spec="1")) is None
    assert len(RULES) == 11


def test_make_has_the_variables_and_hands_them_on() -> None:
    makefile = (ROOT / "Makefile").read_text()
    variables = re.search(r"^override VARIABLES := (.*)$", makefile, re.MULTILINE)
    assert variables is not None
    assert {"GUNICORN", *OPTIONS, "ARGS", "BOOTSTRAP_PYTHON"} == set(variables[1].split())


def test_the_page_of_the_options_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_page()
