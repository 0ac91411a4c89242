"""Disturbances in the timeline: a band from begin to end, behind what it may explain."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report.chart import draw_timeline
from harness.report.chart_data import DONE, IN_VAIN, tabulate
from harness.report.chart_parts import Spec
from harness.report.drawing import draw
from harness.report.still import draw_still
from maintenance.site.strips import STEPS, Strip, load_strips, make_strip, write_strips
from tests.unit.events import Record, healthy
from tests.unit.runs import bursts, disturbed, write_run

TITLE = "Disturbances, shaded below"


def _panels(record: Record) -> dict[str, Spec]:
    return {str(one["title"]).partition(",")[0]: one for one in draw_timeline(tabulate(record.observe()))["vconcat"]}


def test_a_disturbance_is_a_bar_with_its_name_and_its_times() -> None:
    first, second = tabulate(disturbed(healthy()).observe()).disturbances
    assert (first["from"], first["to"], first["name"], first["state"]) == (0.5, 1.5, "scale 1/2", DONE)
    assert second["said"] == "reload (2 of 2), from 2.000 to 4.000 s"


def test_one_in_vain_is_told_from_the_others_and_says_what_did_not_come() -> None:
    record = disturbed(healthy(), missing="new workers", within_s=2.0, detail="1 of 2")
    first, second = tabulate(record.observe()).disturbances
    assert (first["state"], second["state"], second["to"]) == (DONE, IN_VAIN, 4.0)
    assert str(second["said"]).endswith(": new workers did not come")
    legend = _panels(record)["Disturbances"]["layer"][0]["encoding"]["color"]["scale"]["domain"]
    assert legend == [DONE, IN_VAIN]


def test_one_without_an_end_lasts_as_long_as_the_run() -> None:
    tables = tabulate(disturbed(healthy()).remove("disturbance", state="ended", number=2).observe())
    assert tables.disturbances[1]["to"] == tables.to_s


@pytest.mark.parametrize("title", ["Workers", "Answered", "Failed", "Probes through the proxy and direct"])
def test_the_band_lies_behind_what_happened_then(title: str) -> None:
    plain, shaded = _panels(bursts())[title], _panels(disturbed(bursts()))[title]
    band, *marks = shaded["layer"]
    assert [(row["from"], row["to"]) for row in band["data"]["values"]] == [(0.5, 1.5), (2.0, 4.0)]
    assert band["encoding"]["y2"]["value"] == shaded["height"]
    assert [one["mark"] for one in marks] == [one["mark"] for one in plain["layer"]]


def test_without_disturbances_there_is_neither_panel_nor_band() -> None:
    assert not {"Disturbances"} & _panels(healthy()).keys()
    assert "disturbance" not in json.dumps(draw_timeline(tabulate(healthy().observe())))


def test_the_still_picture_has_them_too(tmp_path: Path) -> None:
    stored = write_run(disturbed(bursts()), tmp_path / "run")
    drawn = draw(stored.cell, list(stored.events()))
    assert drawn is not None
    words = {one.text for one in draw_still(drawn.spec).shapes}
    assert {TITLE, "scale 1/2", "reload 2/2", DONE} <= words


def test_the_small_timelines_of_the_site_keep_them(tmp_path: Path) -> None:
    strip = make_strip(write_run(disturbed(healthy()), tmp_path / "run"))
    assert [(name, first < last) for first, last, name in strip.bands] == [("scale 1/2", True), ("reload 2/2", True)]
    assert "scale 1/2 from 0.5 to 1.6 s" in strip.said
    write_strips({"a": strip, "b": replace(strip, bands=())}, tmp_path / "strips.json")
    kept = load_strips(tmp_path / "strips.json")
    assert (kept["a"].said, kept["b"].bands) == (strip.said, ())


def test_small_timelines_from_before_there_were_bands_are_read() -> None:
    old = Strip(span_s=1.0, answered=[1] * STEPS, failed=[0] * STEPS, restarts=[], disturbances=[3], gone_s=None)
    assert old.said == f"{STEPS} answered, 0 failed in 1 s"
    assert all(strip.peak >= 1 for strip in load_strips().values())
