from __future__ import annotations

import copy
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.errors import UsageError
from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.document import Matrix, matrix_from_json, matrix_to_json
from harness.studies.matrix.report import is_matrix, load_matrix, render_json
from harness.studies.matrix.report.as_junit import render_junit
from harness.studies.matrix.report.as_markdown import render_markdown
from harness.studies.matrix.report.as_terminal import render_terminal
from harness.studies.matrix.result import Expected
from tests.unit.matrices import a_cell, a_matrix, a_run

DELETED, FAILED = FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value
KNOWN = Expected(outcome=Outcome.VIOLATED, findings=(DELETED,), reason="a worker | unlinks it", upstream=(1298,))
MATRIX = a_matrix(
    a_cell("1.0", a_run()),
    a_cell("1.0", a_run(), worker="gthread"),
    a_cell("1.1", a_run(DELETED), expected=KNOWN),
    a_cell("2.0", a_run(FAILED), a_run(), replace(a_run(), untold=(DELETED,))),
    a_cell("3.0", a_run(outcome=Outcome.INCONCLUSIVE, detail="too few <recycles>")),
    a_cell("9.9"),
)


def test_what_is_written_is_read_back() -> None:
    assert matrix_from_json(json.loads(render_json(MATRIX)), where="x") == MATRIX


def test_the_keys_of_the_contract() -> None:
    data: Any = matrix_to_json(MATRIX)
    assert {"schema", "made_utc", "harness", "profile", "cells", "transitions"} <= set(data)
    assert data["schema"] == 1
    flaky = data["cells"][3]
    assert (flaky["verdict"], flaky["findings"], flaky["flaky"]) == ("violated", [FAILED], "1 of 3")
    assert {"path", "verdict", "findings", "recycles", "requests"} <= set(flaky["runs"][0])
    assert (data["cells"][2]["expected"]["findings"], data["cells"][2]["reason"]) == ([DELETED], KNOWN.reason)
    assert flaky["finding_rates"] == [
        {"id": FAILED, "seen": 1, "runs": 3, "hidden": 0, "interval_95": [0.008404, 0.905701]}
    ]
    assert data["transitions"] == []
    assert [edge["more_runs"] > 0 for edge in data["undecided"]] == [True] * 3


def test_a_claimed_transition_has_its_p_value_and_both_sides() -> None:
    clean, broken = a_cell("1.0", *[a_run()] * 9), a_cell("2.0", *[a_run(FAILED)] * 9)
    data = _data(a_matrix(clean, broken))
    (edge,) = data["transitions"]
    assert {"worker": "sync", "proxy": "h2o", "finding": FAILED, "introduced_in": "2.0", "gone_in": None}.items() <= (
        edge.items()
    )
    assert edge["supported"] is True
    assert 0 < edge["p_value"] <= 0.01
    assert edge["before"] == {"release": "1.0", "seen": 0, "runs": 9, "hidden": 0}
    assert edge["dates"] == {"before": "2020-01-01", "after": "2020-02-01"}
    assert (data["undecided"], data["sure"]) == ([], 0.99)


def test_the_losses_have_rates_with_intervals() -> None:
    losing = replace(a_run(FAILED), bursts=2, recycles=8, failed=30)
    rates = _data(a_matrix(a_cell("1.0", losing, losing, a_run())))["cells"][0]["failure_rates"]
    assert rates == {}, "one of the records does not say at how many restarts"
    rates = _data(a_matrix(a_cell("1.0", losing, replace(losing, bursts=4))))["cells"][0]["failure_rates"]
    assert (rates["per_recycle"]["estimate"], rates["per_recycle"]["unit"]) == (0.375, "run")
    assert rates["per_recycle"]["interval_95"][0] < 0.375 < rates["per_recycle"]["interval_95"][1]
    assert rates["per_request"]["estimate"] == 0.06


def _data(matrix: Matrix) -> Any:  # noqa: ANN401 - JSON of whatever shape
    return json.loads(render_json(matrix))


def _drop(key: str) -> Callable[[Any], None]:
    return lambda data: data.pop(key)


def _set(value: object, *path: str | int) -> Callable[[Any], None]:
    def change(data: Any) -> None:  # noqa: ANN401 - JSON of whatever shape
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = value

    return change


@pytest.mark.parametrize(
    "damage",
    [
        _drop("cells"),
        _set(2, "schema"),
        _set({}, "cells"),
        _set("x", "cells", 0),
        _set("x", "cells", 0, "runs"),
        _set("fine", "cells", 0, "verdict"),
        _set("fine", "cells", 0, "agreement"),
        _set([1], "cells", 0, "findings"),
        _set(None, "cells", 0, "spec"),
        _set("x", "cells", 0, "cell"),
        _set(True, "cells", 0, "runs", 0, "recycles"),
        _set("x", "versions"),
        _set(1, "sure"),
        _set("x", "sure"),
        _set("x", "cells", 0, "blind"),
    ],
)
def test_what_is_no_matrix_is_refused_in_one_way(damage: Callable[[Any], None]) -> None:
    data: Any = copy.deepcopy(json.loads(render_json(MATRIX)))
    damage(data)
    with pytest.raises(UsageError, match=r"^there is no matrix as this version writes them|^there "):
        matrix_from_json(data, where="there")


def test_a_stored_matrix_is_found(tmp_path: Path) -> None:
    (tmp_path / "matrix.json").write_text(render_json(MATRIX))
    assert load_matrix(tmp_path) == load_matrix(tmp_path / "matrix.json") == MATRIX
    assert is_matrix(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "verdict.json").write_text("{}")
    assert not is_matrix(tmp_path / "run")
    assert not is_matrix(tmp_path / "run" / "verdict.json")
    with pytest.raises(UsageError, match=r"none\.json does not exist"):
        load_matrix(tmp_path / "none.json")


def test_the_page_tells_everything() -> None:
    page = render_markdown(MATRIX)
    lines = page.splitlines()
    assert "| release | date | sync, h2o | gthread, h2o |" in lines
    assert "| 1.1 | 2020-03-01 | socket-deleted |  |" in lines
    assert "| 2.0 | 2020-02-01 | failed-responses (flaky: 1 of 3) |  |" in lines
    assert "| 9.9 |  | error |  |" in lines
    assert "No change is beyond chance." in lines
    assert any(line.startswith("| sync, h2o | failed-responses | 2.0 (2020-02-01) | more often? |") for line in lines)
    assert any("failed-responses 1 of 3 (0.84% to 91%)" in line for line in lines)
    assert lines[lines.index("```diff") + 1 : lines.index("```diff") + 4] == [
        "@@ 2.0 sync h2o @@",
        "-holds",
        "+violated (1 of 3): failed-responses (1 of 3)",
    ]
    assert "- 3.0 sync h2o: inconclusive: too few &lt;recycles&gt;" in lines
    assert "- 9.9 sync h2o: there is no record of it" in lines
    assert r"a worker \| unlinks it ([#1298](https://github.com/benoitc/gunicorn/issues/1298))" in page
    assert page.startswith("# ")
    assert "interrupted" not in page
    assert "not complete" in render_markdown(a_matrix(interrupted=True))


def test_the_terminal_shows_the_table_then_what_differs_then_the_sum() -> None:
    lines = render_terminal(MATRIX).splitlines()
    assert lines[0].split() == ["release", "date", "sync,", "h2o", "gthread,", "h2o"]
    assert lines[-1] == "6 cells: 3 as expected, 1 different, 2 undecided"
    assert lines.index("Not as expected (- expected, + seen)") < lines.index("No verdict")
    assert "  3.0 sync h2o: inconclusive: too few <recycles>" in lines


def test_junit_passes_what_was_expected_and_nothing_else() -> None:
    suite = ET.fromstring(render_junit(MATRIX)).find("testsuite")  # noqa: S314 - made just now, by us
    assert suite is not None
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "6",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failing = [case.get("name") for case in suite.iter("testcase") if case.find("failure") is not None]
    assert failing == ["2.0"]
    assert [child.text for case in suite for child in case if child.tag == "failure"] == [
        "@@ 2.0 sync h2o @@\n-holds\n+violated (1 of 3): failed-responses (1 of 3)"
    ]


@given(st.text(max_size=60))
def test_no_recorded_text_breaks_a_rendering(hostile: str) -> None:
    matrix = a_matrix(a_cell("1.0", a_run(outcome=Outcome.ERROR, detail=hostile)), a_cell("2.0", a_run(hostile)))
    ET.fromstring(render_junit(matrix))  # noqa: S314 - made just now, by us
    assert matrix_from_json(json.loads(render_json(matrix).encode("utf-8", "surrogatepass")), where="x") == matrix
    rows = [line for line in render_markdown(matrix).splitlines() if line.startswith("| 1.0")]
    assert len(rows) == 1
