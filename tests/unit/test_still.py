"""The still picture of a page, for readers without script."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.model import Json, Outcome, State
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.report.as_html import render_html
from harness.report.drawing import draw
from harness.report.fields import items
from harness.report.invariants import invariant_rows
from harness.report.still import Still, draw_still
from harness.report.still_marks import RIGHT, WIDTH
from tests.unit.pages import Page
from tests.unit.runs import bursts, deleted, write_run

RECORDS = Path(__file__).parents[1] / "records"
DRAWN = ("gthread-19.6.0", "gthread-19.6.0-tcp", "scenario-tcp", "scenario-jitter-violated", "scenario-leak")


def still_of(stored: StoredRun) -> tuple[Still, list[str]]:
    drawn = draw(stored.cell, list(stored.events()), items({"story": []}, "story"))
    assert drawn is not None
    return draw_still(drawn.spec), [str(panel["title"]) for panel in drawn.spec["vconcat"]]


@pytest.mark.parametrize("name", DRAWN)
def test_each_kind_of_chart_is_drawn_whole_and_within_its_frame(name: str) -> None:
    with load_run(RECORDS / f"{name}.zip") as stored:
        still, titles = still_of(stored)
    words = [one.text for one in still.shapes if one.kind == "words"]
    assert [title for title in titles if title not in words] == []
    assert "seconds since the load began" in words
    assert sum(one.kind != "words" for one in still.shapes) > len(titles)
    for one in still.shapes:
        assert 0 <= one.y <= still.height
        assert one.kind == "words" or one.x <= WIDTH - RIGHT + 1
        assert one.width >= 0
        assert "nan" not in one.points


def test_it_shows_what_the_script_would(tmp_path: Path) -> None:
    stored = write_run(deleted(), tmp_path / "run")
    still, _ = still_of(stored)
    words = {one.text for one in still.shapes}
    assert {"present", "gone", "socket file gone", "502", "101", "102"} <= words
    page = Page(render_html(stored))
    assert "still picture of the whole run" in page.text
    tags = [tag for tag, _ in page.tags]
    assert "svg" in tags
    assert "circle" in tags


def test_the_colours_of_the_lanes_have_a_legend(tmp_path: Path) -> None:
    stored = write_run(bursts(), tmp_path / "run")
    drawn = draw(stored.cell, list(stored.events()))
    assert drawn is not None
    (workers,) = (panel for panel in drawn.spec["vconcat"] if panel["title"] == "Workers, a lane each")
    colour = workers["layer"][0]["encoding"]["color"]
    assert "legend" not in colour
    fates = colour["scale"]["domain"]
    assert "recycled (max_requests)" in fates
    assert "leaving" in fates
    legend = {one.text for one in draw_still(drawn.spec).shapes}
    assert set(fates) <= legend
    assert "failed" not in fates, "nobody failed in this run"


def test_the_line_of_the_deletion_is_labelled(tmp_path: Path) -> None:
    stored = write_run(deleted(), tmp_path / "run")
    drawn = draw(stored.cell, list(stored.events()))
    assert drawn is not None
    labels = [
        layer["data"]["values"][0]["what"]
        for panel in drawn.spec["vconcat"]
        for layer in panel["layer"]
        if layer["mark"].get("type") == "text" and "data" in layer
    ]
    assert labels.count("socket file gone") == 3


def test_what_was_not_judged_is_not_said_to_hold() -> None:
    verdict: dict[str, Json] = {
        "verdict": Outcome.HOLDS.value,
        "invariants": {"socket-survives": State.HOLDS.value, "workers-respawn": State.HOLDS.value},
        "invariant_reasons": {
            "socket-survives": "does not apply: gunicorn listens on TCP",
            "workers-respawn": "2 of 2",
        },
    }
    assert invariant_rows(verdict) == [
        ("socket-survives", "does not apply", "gunicorn listens on TCP"),
        ("workers-respawn", "holds", "2 of 2"),
    ]
