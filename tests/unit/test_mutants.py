"""The table of mutants, its patches, and how a verdict is compared with it: no process is started here."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.scoring import count_by_fault, list_complaints
from tests.mutants.subjects import pack
from tests.mutants.table import HERE, Fault, Mutant, TableError, load_table, parse_row

MUTANTS = load_table()
ROW: dict[str, Any] = {
    "name": "some",
    "patch": "patches/1.0/some.patch",
    "release": "1.0",
    "fault": "path",
    "worker": "sync",
    "verdict": "violated",
    "findings": ["socket-deleted"],
    "why": "the worker deletes it",
}


def _row(**changes: object) -> Mutant:
    return parse_row({name: value for name, value in {**ROW, **changes}.items() if value is not None})


def _finding(name: str, *, role: str | None = None, detail: str = "") -> dict[str, Any]:
    culprit = {"role": role, "call": "os.unlink"} if role else None
    return {"id": name, "detail": detail, "culprit": culprit}


# --- the table --------------------------------------------------------------------------------------------------


def test_there_are_enough_of_every_kind() -> None:
    by_fault = Counter(mutant.fault for mutant in MUTANTS)
    assert len(MUTANTS) >= 60
    assert set(by_fault) == set(Fault)
    assert by_fault[Fault.HARMLESS] >= 10
    assert {"27.0.1", "20.1.0", "19.6.0"} <= {mutant.release for mutant in MUTANTS}
    assert {"sync", "gthread", "gevent", "eventlet", "tornado", "asgi"} == {mutant.worker for mutant in MUTANTS}


def test_each_patch_belongs_to_one_row_and_tells_what_it_does() -> None:
    patches = [mutant.patch for mutant in MUTANTS]
    assert sorted(patches) == sorted((HERE / "patches").rglob("*.patch"))
    for mutant in MUTANTS:
        assert mutant.patch.parent.name == mutant.release
        assert mutant.patch.read_text(encoding="utf-8").splitlines()[0].endswith("."), mutant.name


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"why": None}, "lacks why"),
        ({"color": "red"}, "unknown color"),
        ({"findings": ["socket-lost"]}, "unknown finding socket-lost"),
        ({"verdict": "perhaps"}, "unknown verdict perhaps"),
        ({"worker": "fast"}, "unknown worker class fast"),
        ({"findings": None}, "needs a finding"),
        ({"verdict": "holds"}, "needs `violated`"),
        ({"fault": "harmless"}, "harmless change holds"),
        ({"healed_by": "luck"}, "healed by the unknown luck"),
    ],
)
def test_a_row_that_cannot_be_right_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(TableError, match=told):
        _row(**changes)


# --- packages ----------------------------------------------------------------------------------------------------


def _tree(folder: Path) -> Path:
    (folder / "gunicorn").mkdir(parents=True)
    (folder / "gunicorn" / "sock.py").write_text("one\ntwo\nthree\n")
    (folder / "gunicorn-1.0.dist-info").mkdir()
    (folder / "gunicorn-1.0.dist-info" / "INSTALLER").write_text("uv")
    (folder / "gunicorn-1.0.dist-info" / "METADATA").write_text("Name: gunicorn\nVersion: 1.0\n")
    return folder


def test_equal_trees_are_packed_into_equal_wheels(tmp_path: Path) -> None:
    first = pack(_tree(tmp_path / "one"), tmp_path / "one.whl").read_bytes()
    assert first == pack(_tree(tmp_path / "two"), tmp_path / "two.whl").read_bytes()


# --- the comparison ---------------------------------------------------------------------------------------------


def test_a_verdict_as_expected_draws_no_complaint() -> None:
    said = {"verdict": "violated", "findings": [_finding("socket-deleted"), _finding("permanent-outage")]}
    assert list_complaints(_row(also=["permanent-outage"]), said) == []


def test_a_finding_that_is_missing_or_wrong_is_told() -> None:
    said = {"verdict": "violated", "findings": [_finding("failed-responses")]}
    assert list_complaints(_row(), said) == ["socket-deleted is missing", "failed-responses is wrong"]


def test_another_verdict_is_told() -> None:
    assert list_complaints(_row(findings=None, verdict=["holds", "inconclusive"]), {"verdict": "holds"}) == []
    told = list_complaints(_row(findings=None, verdict="holds"), {"verdict": "error"})
    assert told == ["error instead of holds"]


def test_one_of_several_findings_is_enough() -> None:
    row = _row(findings=None, one_of=["wrong-answers", "failed-responses"])
    assert list_complaints(row, {"verdict": "violated", "findings": [_finding("wrong-answers")]}) == []
    assert list_complaints(row, {"verdict": "violated"}) == ["none of failed-responses, wrong-answers"]


def test_what_may_follow_is_right_where_the_change_itself_holds() -> None:
    row = _row(findings=None, verdict="holds", also=["recycled-late"])
    assert list_complaints(row, {"verdict": "violated", "findings": [_finding("recycled-late")]}) == []
    told = list_complaints(row, {"verdict": "violated", "findings": [_finding("failed-responses")]})
    assert told == ["violated (failed-responses) instead of holds"]


@pytest.mark.parametrize(
    ("finding", "told"),
    [
        (_finding("socket-deleted", role="worker"), []),
        (
            _finding("socket-deleted", role="arbiter"),
            ["arbiter with os.unlink is blamed instead of worker with os.unlink"],
        ),
        (_finding("socket-deleted"), ["no culprit instead of worker with os.unlink"]),
    ],
)
def test_the_culprit_is_compared(finding: dict[str, Any], told: list[str]) -> None:
    row = _row(culprit={"role": "worker", "call": "os.unlink"})
    assert list_complaints(row, {"verdict": "violated", "findings": [finding]}) == told


def test_nobody_is_blamed_where_nobody_can_be_seen() -> None:
    row = _row(culprit={"seen": False})
    unseen = _finding("socket-deleted", detail="not seen by the tracer")
    assert list_complaints(row, {"verdict": "violated", "findings": [unseen]}) == []
    outside = _finding("socket-deleted", detail="removed from outside gunicorn")
    told = list_complaints(row, {"verdict": "violated", "findings": [outside]})
    assert told == ["the outside is blamed without evidence"]


@pytest.mark.parametrize(
    ("recovery", "complaints"),
    [
        ({"healed_by": "reload"}, []),
        ({"healed_by": None}, ["healed by nothing instead of reload"]),
        (None, ["no ladder was climbed"]),
    ],
)
def test_what_heals_it_is_compared(recovery: object, complaints: list[str]) -> None:
    row = _row(findings=None, verdict="holds", healed_by="reload")
    assert list_complaints(row, {"verdict": "holds", "recovery": recovery}) == complaints


def test_notes_are_expected_and_interference_is_refused() -> None:
    row = _row(findings=None, verdict="holds", notes=["slower-after-restart"])
    told = list_complaints(row, {"verdict": "holds", "notes": [{"id": "interference"}]})
    assert told == ["the note slower-after-restart is missing", "the note interference blames others"]


def test_the_score_is_counted_by_class() -> None:
    results = [(Fault.PATH, True), (Fault.STOP, False), (Fault.PATH, False)]
    assert count_by_fault(results) == {Fault.PATH: (1, 2), Fault.STOP: (0, 1)}
