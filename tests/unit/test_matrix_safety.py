"""What is called safe, and the answer on top of a table: never what was not seen to lose nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.report.answer import ANSWER_HEADS, answer_rows
from harness.studies.matrix.report.as_html import render_html
from harness.studies.matrix.report.as_markdown import render_markdown
from harness.studies.matrix.result import CellResult, RunResult
from harness.studies.matrix.safety import HARMLESS, Safety, judge_cell
from tests.unit.matrices import a_cell, a_matrix, a_run

FAILED, LATE = FindingId.FAILED_RESPONSES.value, FindingId.RECYCLED_LATE.value


def sound(*findings: str, outcome: Outcome | None = None) -> RunResult:
    """A run that lost nothing, whatever else it showed."""
    return replace(a_run(*findings, outcome=outcome), failed=0)


def of_day(release: str, day: str, *runs: RunResult) -> CellResult:
    return replace(a_cell(release, *runs), released=day)


def a_sync(release: str, *runs: RunResult) -> CellResult:
    """With the real day, so that the catalogue knows its neighbours."""
    days = {
        "24.0.0": "2026-01-23",
        "24.1.0": "2026-01-23",
        "24.1.1": "2026-01-24",
        "25.0.0": "2026-02-01",
        "25.0.1": "2026-02-02",
        "27.0.0": "2026-11-10",
        "27.0.1": "2026-11-12",
    }
    return of_day(release, days[release], *runs)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (a_cell("1.0", sound(), sound()), Safety.SAFE),
        (a_cell("1.0", sound(LATE), sound()), Safety.SAFE),
        (a_cell("1.0", sound(), sound(FAILED)), Safety.BREAKS),
        (a_cell("1.0", sound(LATE), a_run(LATE)), Safety.UNKNOWN),
        (a_cell("1.0", sound(), a_run()), Safety.UNKNOWN),
        (a_cell("1.0", sound(LATE), sound(outcome=Outcome.INCONCLUSIVE)), Safety.UNKNOWN),
        (a_cell("1.0", sound(outcome=Outcome.ERROR)), Safety.UNKNOWN),
        (a_cell("1.0"), Safety.UNKNOWN),
        (a_cell("1.0", sound(outcome=Outcome.UNRUNNABLE)), Safety.UNRUNNABLE),
        (replace(a_cell("1.0", sound(LATE)), blind=(FAILED,)), Safety.UNKNOWN),
        (replace(a_cell("1.0", sound(FAILED)), blind=(FAILED,)), Safety.BREAKS),
        (a_cell("1.0", sound(LATE), replace(sound(LATE), untold=(FAILED,))), Safety.UNKNOWN),
        (a_cell("1.0", sound(FAILED), replace(sound(LATE), untold=(FAILED,))), Safety.BREAKS),
        (a_cell("1.0", sound("a-finding-of-tomorrow")), Safety.BREAKS),
    ],
)
def test_only_what_was_seen_to_lose_nothing_is_safe(cell: CellResult, wanted: Safety) -> None:
    assert judge_cell(cell) is wanted


RUNS = st.lists(
    st.builds(
        lambda findings, outcome, failed: replace(
            a_run(*findings, outcome=Outcome.VIOLATED if findings else outcome), failed=failed
        ),
        st.lists(st.sampled_from([LATE, FAILED, "permanent-outage"]), unique=True, max_size=2),
        st.sampled_from([Outcome.HOLDS, Outcome.HOLDS, Outcome.INCONCLUSIVE, Outcome.ERROR]),
        st.sampled_from([0, 0, 0, 5, None]),
    ),
    max_size=4,
)


@given(RUNS, st.booleans())
def test_whatever_the_runs_a_release_that_is_called_safe_lost_nothing(runs: list[RunResult], blind: bool) -> None:
    cell = replace(a_cell("3.0", *runs), blind=(FAILED,) if blind else ())
    named = "3.0" in answer_rows(a_matrix(cell))[0][2]
    fit = [run.outcome in (Outcome.HOLDS, Outcome.VIOLATED) and not run.failed for run in runs]
    assert named == (bool(runs) and all(fit) and not blind and all(set(run.findings) <= HARMLESS for run in runs))


def test_the_answer_names_the_newest_the_ranges_and_how_sure_that_is() -> None:
    matrix = a_matrix(
        a_sync("24.0.0", sound()),
        a_sync("24.1.0", sound(), sound(LATE)),
        a_sync("24.1.1", sound()),
        a_sync("25.0.0", sound()),
        a_sync("27.0.0", a_run(FAILED)),
        a_sync("27.0.1", sound(LATE), sound(outcome=Outcome.INCONCLUSIVE)),
    )
    (row,) = answer_rows(matrix)
    said = dict(zip(ANSWER_HEADS, row, strict=True))
    assert said["worker, proxy"] == "sync, h2o"
    assert said["newest that is safe"] == "25.0.0", "of 27.0.1 it isn't known"
    assert said["safe with"] == "25.0.0 to 24.0.0"
    assert said["not known of"] == "27.0.1"
    assert said["runs of each"] == "1 to 2"
    assert said["restarts that may lose something all the same (95 %)"] == "at most 21% to 37%", "0 of 16, 0 of 8"
    assert said["seen beside it"] == "recycled-late in 1 of 4 releases"


def test_a_range_leaves_out_nothing_that_was_not_tried() -> None:
    """25.0.1 lies between, and the table does not have it."""
    (row,) = answer_rows(a_matrix(a_sync("25.0.0", sound()), a_sync("24.1.1", sound()), a_sync("27.0.1", sound())))
    assert row[2] == "27.0.1, 25.0.0, 24.1.1"
    (row,) = answer_rows(a_matrix(a_cell("1.0", sound()), a_cell("2.0", sound()), a_cell("1.1", sound())))
    assert row[1:3] == ("1.1", "1.1, 2.0, 1.0"), "the catalogue knows none of them"


def test_a_checkout_is_not_the_newest_release() -> None:
    checkout = replace(a_cell("x", sound()), label="27.0.1 + 3 commits (1a2b3c4)")
    (row,) = answer_rows(a_matrix(checkout, a_sync("24.1.1", sound())))
    assert row[1:3] == ("24.1.1", "27.0.1 + 3 commits (1a2b3c4), 24.1.1")


def test_where_nothing_is_safe_it_says_none_and_what_is_disturbed_has_no_answer() -> None:
    (row,) = answer_rows(a_matrix(a_cell("1.0", a_run(FAILED))))
    assert row[1:] == ("none", "none", "", "", "", "")
    assert answer_rows(a_matrix(a_cell("1.0", sound(), disturb="reload"))) == []


def test_the_answer_stands_on_top_of_the_page_and_of_the_markdown() -> None:
    matrix = a_matrix(a_sync("27.0.1", sound()))
    for text in (render_markdown(matrix), render_html(matrix)):
        assert text.index("Safe with") < text.index("The table") < text.index("Where rates changed")
    disturbed = a_matrix(a_cell("1.0", sound(), disturb="reload"))
    assert "Safe with" not in render_markdown(disturbed) + render_html(disturbed)
