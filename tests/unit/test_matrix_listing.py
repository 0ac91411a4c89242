from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.cli import main
from harness.core.cells import cell_to_json
from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.stack.proxies import PROXIES
from harness.studies.matrix.listing import LISTINGS, render_github, render_gitlab, render_json, render_text
from harness.studies.matrix.plan import PlannedCell, plan_cells


def plan(*specs: str, settings: str | None = None, identity: str = "") -> tuple[PlannedCell, ...]:
    return plan_cells(
        specs,
        ["gthread", "sync"],
        ["h2o"],
        make_cell=lambda spec, worker, proxy, disturb: Cell(spec=spec, worker=worker, proxy=proxy, disturb=disturb),
        identify=lambda spec: spec + identity,
        matter=[settings],
    )


CELLS = plan("1.0", "2.0", "3.0")


def test_a_name_says_what_the_cell_is_and_differs_with_all_that_makes_runs_differ() -> None:
    (first, second) = plan("1.0")
    assert first.name.startswith("1.0-gthread-unix-h2o-wrk-local-")
    names = {first.name, second.name, plan("1.0", settings="x")[0].name, plan("1.0", identity="x")[0].name}
    assert len(names) == 4
    assert plan("1.0")[0].name == first.name


def test_two_ways_to_the_same_checkout_are_one_cell_but_for_the_label() -> None:
    one, other = (
        plan_cells(
            [spec],
            ["sync"],
            ["h2o"],
            make_cell=lambda spec, worker, proxy, _disturb: Cell(spec=spec, worker=worker, proxy=proxy),
            identify=lambda _spec: "tree-1234",
        )[0]
        for spec in ("./gunicorn", "/srv/gunicorn/")
    )
    assert one.name == other.name
    assert cell_to_json(one.cell) != cell_to_json(other.cell)


def test_every_option_of_a_cell_is_in_its_name() -> None:
    def name(cell: Cell) -> str:
        return plan_cells(["1.0"], ["sync"], ["h2o"], make_cell=lambda *_: cell, identify=lambda spec: spec)[0].name

    changed = [
        Cell(spec="1.0", workers=2),
        Cell(spec="1.0", max_requests=1),
        Cell(spec="1.0", connections=20),
        Cell(spec="1.0", duration_s=5),
        Cell(spec="1.0", trace=False),
        Cell(spec="1.0", app="m:a"),
        Cell(spec="1.0", recycles=8),
    ]
    assert len({name(cell) for cell in [Cell(spec="1.0"), *changed]}) == len(changed) + 1


def test_the_list_for_github_is_one_line_of_includes() -> None:
    text = render_github(CELLS, 2)
    assert text.count("\n") == 1
    assert json.loads(text)["include"] == [
        {"shard": "1/2", "releases": "1.0 3.0", "cells": 4},
        {"shard": "2/2", "releases": "2.0", "cells": 2},
    ]
    by_release = json.loads(render_github(CELLS, None))["include"]
    assert by_release == [{"versions": version, "cells": 2} for version in ("1.0", "2.0", "3.0")]


def test_no_shard_is_empty() -> None:
    assert len(json.loads(render_github(CELLS, 9))["include"]) == 3
    assert json.loads(render_gitlab(CELLS, 9)) == [{"SHARD": ["1/9", "2/9", "3/9"]}]


def test_the_list_for_gitlab() -> None:
    assert json.loads(render_gitlab(CELLS, None)) == [{"VERSIONS": ["1.0", "2.0", "3.0"]}]


@pytest.mark.parametrize(("render", "most"), [(render_github, 256), (render_gitlab, 200)])
def test_more_jobs_than_the_system_takes_are_refused(render: object, most: int) -> None:
    cells = plan(*(f"1.{number}" for number in range(most + 1)))
    assert callable(render)
    with pytest.raises(UsageError, match=f"{most + 1} jobs are more than the {most}"):
        render(cells, None)
    render(cells[:-2], None)


def test_lists_for_people_and_programs() -> None:
    assert render_text(CELLS[:1], None) == "1.0 gthread h2o\n"
    assert render_text(CELLS[:1], 1) == "1/1 1.0 gthread h2o\n"
    rows = json.loads(render_json(CELLS, 2))
    assert [row["shard"] for row in rows] == ["1/2"] * 4 + ["2/2"] * 2
    assert rows[0]["name"] == CELLS[0].name
    assert set(LISTINGS) == {"text", "json", "github", "gitlab"}


def test_listing_runs_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["matrix", "--versions", "19.5..19.6,latest", "--workers", "sync", "--list", "--out", str(out)]
    assert main.main(arguments) == 0
    assert capsys.readouterr().out == "19.5.0 sync h2o\n19.6.0 sync h2o\nlatest sync h2o\n"
    assert not out.exists()


def test_without_a_proxy_wrk_comes_over_tcp(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["matrix", "--versions", "19.5", "--workers", "sync", "--proxies", "all", "--list", "--format", "json"]
    assert main.main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["proxy"], row["bind"]) for row in rows] == [
        (name, "tcp" if name == "none" else "unix") for name in PROXIES
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--versions", "5..6"], "No known release lies in"),
        (["--workers", "greenlet"], "--workers 'greenlet'"),
        (["--proxies", "squid"], "--proxies 'squid'"),
        (["--shards", "4"], "--shards only deals out a list"),
        (["--merge", "/no/such/folder"], "--merge /no/such/folder"),
        (["--expectations", "/no/such/file"], "can't be read"),
        (["--settings", "/no/such/file"], "/no/such/file"),
        (["--versions", "./no-such-checkout"], "no-such-checkout"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["matrix", "--versions", "19.6.0", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("shard", ["0/2", "3/2", "x"])
def test_a_bad_shard_is_wrong_usage(shard: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["matrix", "--shard", shard])
    assert caught.value.code == 2
    assert "is no shard" in capsys.readouterr().err
