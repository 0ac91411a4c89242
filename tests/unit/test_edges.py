"""Two maps of disjoint runs: which claimed edges agree, and whether the other map contradicts or saw too little."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.findings import FindingId
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.report import render_json
from harness.studies.matrix.result import CellResult, RunResult
from maintenance.edges import (
    Agreement,
    EdgeMatch,
    compare_maps,
    conclude,
    list_shared_runs,
    main,
    render_markdown,
    render_text,
)
from tests.unit.matrices import DAYS, a_cell, a_matrix, a_run

FAILED = FindingId.FAILED_RESPONSES.value


def many(seen: int, of: int, name: str = "a") -> list[RunResult]:
    runs = [a_run(FAILED) if at < seen else a_run() for at in range(of)]
    return [replace(run, path=f"{name}/{at}") for at, run in enumerate(runs)]


def a_map(name: str, **rates: tuple[int, int]) -> Matrix:
    """Releases by their names with a letter before, each seen in so many of so many runs: ``v1_0=(0, 8)``."""
    cells = [a_cell(v[1:].replace("_", "."), *many(*rate, f"{name}/{v}")) for v, rate in rates.items()]
    return a_matrix(*cells)


NEW_IN_2 = a_map("a", v1_0=(0, 10), v2_0=(10, 10))


def look(other: Matrix, one: Matrix = NEW_IN_2) -> list[EdgeMatch]:
    return compare_maps(one, other)


def test_what_both_claim_is_named_once() -> None:
    (match,) = look(a_map("b", v1_0=(0, 12), v2_0=(12, 12)))
    assert match.agreement is Agreement.CLAIMED
    assert match.edge.after.release == "2.0"
    assert match.there == "0 of 12 in 1.0, 12 of 12 in 2.0"


def test_too_few_runs_are_no_contradiction() -> None:
    (match,) = look(a_map("b", v1_0=(0, 2), v2_0=(2, 2)))
    assert (match.by, match.agreement) == ("A", Agreement.UNDECIDED)
    assert "0 of 2 in 1.0, 2 of 2 in 2.0; the same way, about " in match.there
    assert match.there.endswith("more runs of each would decide it")
    (backwards,) = compare_maps(a_map("b", v1_0=(0, 2), v2_0=(2, 2)), NEW_IN_2)
    assert (backwards.by, backwards.agreement) == ("B", Agreement.UNDECIDED)


def test_the_opposite_is_a_contradiction_as_is_a_side_that_does_not_repeat() -> None:
    opposite = look(a_map("b", v1_0=(10, 10), v2_0=(0, 10)))
    assert {match.agreement for match in opposite} == {Agreement.CONTRADICTED}
    assert [match.by for match in opposite] == ["A", "B"]
    assert "claims the opposite" in opposite[0].there
    (never,) = look(a_map("b", v1_0=(0, 12), v2_0=(0, 12)))
    assert never.agreement is Agreement.CONTRADICTED
    assert never.there == "0 of 12 in 1.0, 0 of 12 in 2.0; the runs of 2.0 differ beyond chance"


def test_what_the_other_did_not_try_it_can_not_tell() -> None:
    (match,) = look(a_map("b", v1_0=(0, 10), v3_0=(10, 10)))[:1]
    assert match.agreement is Agreement.SILENT
    assert match.there == "0 of 10 in 1.0, not tried in 2.0"


def test_an_edge_from_an_earlier_release_is_the_same_where_one_between_said_nothing() -> None:
    one = a_map("a", v1_0=(0, 10), v2_0=(0, 10), v1_1=(10, 10))
    other = a_map("b", v1_0=(0, 10), v1_1=(10, 10))
    (match,) = compare_maps(one, other)
    assert match.edge.before.release == "2.0"
    assert match.agreement is Agreement.CLAIMED


def test_runs_that_are_in_both_are_told() -> None:
    assert list_shared_runs(NEW_IN_2, a_map("b", v1_0=(0, 2))) == []
    shared = list_shared_runs(NEW_IN_2, a_map("a", v1_0=(0, 2)))
    assert shared == ["a/v1_0/0", "a/v1_0/1"]
    assert conclude([], shared)[-1] == "NOT DISJOINT: 2 runs are in both"


def draw(seed: int, runs: int) -> Matrix:
    """Releases whose rates are known, the same for every seed."""
    chance = random.Random(seed)  # noqa: S311 - a simulation, the same each time

    def cell(release: str, rate: float) -> CellResult:
        return a_cell(release, *many(sum(chance.random() < rate for _ in range(runs)), runs, f"{seed}/{release}"))

    return a_matrix(*(cell(release, rate) for release, rate in zip(DAYS, (0.0, 1.0, 0.5, 0.01), strict=True)))


def test_two_maps_of_the_same_rates_never_contradict_each_other() -> None:
    agreements = [match.agreement for seed in range(40) for match in compare_maps(draw(seed, 16), draw(seed + 99, 30))]
    assert Agreement.CONTRADICTED not in agreements
    assert agreements.count(Agreement.CLAIMED) >= 40, "never against always is found by both, whatever is drawn"
    assert Agreement.UNDECIDED in agreements, "half against nearly never takes more than 16 runs"


def test_the_command_prints_both_formats_and_its_exit_code_tells(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = {"a": NEW_IN_2, "b": a_map("b", v1_0=(0, 2), v2_0=(2, 2)), "c": a_map("c", v1_0=(9, 9), v2_0=(0, 9))}
    for name, matrix in maps.items():
        (tmp_path / f"{name}.json").write_text(render_json(matrix))

    def run(*arguments: str) -> int:
        monkeypatch.setattr("sys.argv", ["edges", *(str(tmp_path / a) if ".json" in a else a for a in arguments)])
        return main()

    assert run("a.json", "b.json") == 0
    said = capsys.readouterr().out
    assert "0 edges are claimed by both, 1 by A alone, 0 by B alone" in said
    assert "the two share no run" in said
    assert run("a.json", "c.json", "--format", "md") == 1
    assert "| sync, h2o | failed-responses | 2.0, more often | A | 0 of 10 in 1.0" in capsys.readouterr().out
    assert run("a.json", "a.json") == 1, "not disjoint"
    (tmp_path / "broken.json").write_text(json.dumps({}))
    assert run("a.json", "broken.json") == 2
    monkeypatch.setattr("sys.argv", ["edges"])
    monkeypatch.setenv("ARGS", f"{tmp_path / 'a.json'} {tmp_path / 'b.json'}")
    assert main() == 0


def test_a_map_without_edges_is_told_as_such() -> None:
    matches = compare_maps(a_map("a", v1_0=(0, 2)), a_map("b", v1_0=(0, 2)))
    assert render_text(matches, []).splitlines()[0] == "0 edges are claimed by both, 0 by A alone, 0 by B alone"
    assert render_markdown(matches, []).startswith("- 0 edges are claimed by both")
