from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable

import pytest

from harness.cli.main import suggest
from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Outcome, State, Verdict
from harness.provision.releases import suggest_release
from harness.records.stored import StoredRun
from harness.report.as_html import render_html
from harness.report.as_junit import render_junit
from harness.report.as_markdown import render_markdown
from harness.report.as_short import MOST_LINES, render_line, render_short
from harness.report.as_terminal import render_terminal

RecordRun = Callable[..., StoredRun]
CELL = Cell(spec="23.0.0", gunicorn="23.0.0", python="3.10.13")


def test_the_first_screen_says_what_why_who_and_what_next(record_run: RecordRun) -> None:
    run = record_run()
    lines = render_short(run, colour=False, width=100).splitlines()
    assert len(lines) <= MOST_LINES
    assert lines[:2] == ["Socket file deleted 1.27 s after the load began", "gunicorn 19.6.0, gthread worker: violated"]
    text = "\n".join(lines)
    wanted = ["socket-deleted at", "Why ", "#1298", "Helps", "Who did it: worker, pid 4711", "Counts", "harness bundle"]
    assert [part for part in wanted if part not in text] == []
    assert "Invariants" not in text
    whole = render_terminal(run, colour=False, width=100)
    assert "Invariants" in whole
    assert "#1298" in whole


@pytest.mark.parametrize("width", [40, 60, 100, 400])
def test_it_never_gets_longer_and_its_paths_are_whole(record_run: RecordRun, width: int) -> None:
    many = [Finding(id=one, at_s=1.0, detail="a long tale of what was seen " * 30) for one in FindingId]
    run = record_run(verdict=Verdict(cell=CELL, outcome=Outcome.VIOLATED, reasons=(), findings=tuple(many)))
    lines = render_short(run, colour=False, width=width).splitlines()
    assert len(lines) <= MOST_LINES
    assert any(str(run.path) in line for line in lines)


def test_an_unknown_fault_asks_for_a_report(record_run: RecordRun) -> None:
    crash = Finding(id=FindingId.WORKER_CRASHED, at_s=0.5, detail="worker 7 ended by an exception")
    verdict = Verdict(cell=CELL, outcome=Outcome.VIOLATED, reasons=(), findings=(crash,))
    run = record_run(verdict=verdict)
    for said in (render_short(run, colour=False, width=100), render_markdown(run), render_html(run)):
        assert "Not known: nothing like it is in the tables." in said


def test_cause_and_remedies_are_in_every_report(record_run: RecordRun) -> None:
    run = record_run()
    sentence = "closing one also deletes the socket file"
    suite = ET.fromstring(render_junit(run))  # noqa: S314 - it is our own
    junit = "".join(failure.text or "" for failure in suite.iter("failure"))
    for said in (render_markdown(run), render_html(run), junit):
        assert sentence in said
        assert "https://github.com/benoitc/gunicorn/issues/1298" in said
        assert "introduced by commit 418f1404, between 19.5.0 and 19.6.0" in said
        assert "repaired by commit 0be79968, between 19.6.0 and 19.7.0" in said
        assert "max_requests = 0" in said.replace("\\_", "_")


def test_one_line_has_the_answer_and_the_place(record_run: RecordRun) -> None:
    run = record_run()
    (line,) = render_line(run).splitlines()
    assert line.startswith("gunicorn 19.6.0, gthread worker, h2o: violated: socket-deleted")
    assert line.endswith(f"({run.path})")


def test_a_calm_run_says_how_sure_and_asks_for_no_report(record_run: RecordRun) -> None:
    verdict = Verdict(
        cell=CELL,
        outcome=Outcome.HOLDS,
        reasons=(),
        invariants={"socket-survives": State.HOLDS},
        counts={"recycles": 34, "requests": 20000},
        strength={"recycles": 34, "requests": 20000, "failure_rate_upper_95": 0.0843},
    )
    text = render_short(record_run(verdict=verdict), colour=False, width=100)
    assert "fewer than 8.43% of all recycles" in text
    assert "bundle" not in text
    assert "Why" not in text


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("argument --worker: invalid choice: 'gthreads' (choose from 'gthread', 'sync')", "; did you mean gthread?"),
        ("argument --worker: invalid choice: 'xyz' (choose from 'gthread', 'sync')", ""),
        ("unrecognized arguments: --wrkers 3", "; did you mean --workers?"),
        ("unrecognized arguments: x", ""),
        ("the following arguments are required: SPEC", ""),
    ],
)
def test_what_is_nearly_right_is_suggested(message: str, hint: str) -> None:
    assert suggest(message) == hint


def test_a_release_that_is_nearly_right_is_suggested() -> None:
    assert suggest_release("19.60.0") == "did you mean 19.6.0?"
    assert suggest_release("x") == ""
