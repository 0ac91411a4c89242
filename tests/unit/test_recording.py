"""A run's record: what it has before anything starts, and that whatever ends the run is an event in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.model import Cell
from harness.engine.recording import Run, describe_cell, open_run, recording
from harness.engine.request import RunRequest


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return open_run(RunRequest(cell=Cell(spec="19.6.0"), out=tmp_path / "runs"), None, lambda _text: None)


def told(run: Run) -> list[dict[str, Any]]:
    """The events of the record, but for its end."""
    run.sink.close()
    lines = [json.loads(line) for line in (run.folder.path / "events.jsonl").read_text().splitlines()]
    return [line for line in lines if line["kind"] != "end"]


def end_with(run: Run, problem: BaseException) -> dict[str, Any]:
    def experiment() -> None:
        raise problem

    with recording(run):
        experiment()
    (event,) = told(run)
    return event


def test_cell_and_surroundings_are_there_before_anything_starts(run: Run) -> None:
    assert json.loads((run.folder.path / "cell.json").read_text())["spec"] == "19.6.0"
    facts = json.loads((run.folder.path / "facts.json").read_text())
    assert (facts["schema"], facts["run"]) == (1, run.folder.run_id)
    assert told(run) == []


def test_without_an_environment_the_release_is_called_what_was_asked_for() -> None:
    request = RunRequest(cell=Cell(spec="/src/gunicorn/"), out=Path("runs"))
    assert describe_cell(request, None) == (request.cell, "gunicorn")


def test_phases_are_events_and_the_last_one_of_the_experiment_is_known(run: Run) -> None:
    for number, phase in enumerate(("boot", "load", "closed", "ended")):
        run.enter(phase, number)
    assert run.phase == "load"
    assert [(event["name"], event["at_ns"]) for event in told(run)] == [
        ("boot", 0),
        ("load", 1),
        ("closed", 2),
        ("ended", 3),
    ]


def test_a_run_that_ends_well_adds_nothing(run: Run) -> None:
    with recording(run):
        pass
    assert told(run) == []
    assert not run.interrupted


def test_an_interruption_names_the_phase_that_it_met(run: Run) -> None:
    run.phase = "settle"
    event = end_with(run, KeyboardInterrupt())
    assert run.interrupted
    assert (event["kind"], event["phase"]) == ("interrupted", "settle")


@pytest.mark.parametrize(
    ("problem", "outcome"),
    [(SurroundingsError(what="no h2o", remedy="get it"), "error"), (UnrunnableError(what="no h2o"), "unrunnable")],
)
def test_what_is_missing_is_no_verdict_on_the_release(
    run: Run, problem: SurroundingsError | UnrunnableError, outcome: str
) -> None:
    vars(problem)["__notes__"] = ["and another thing"]
    event = end_with(run, problem)
    assert (event["kind"], event["outcome"], event["type"]) == ("fault", outcome, type(problem).__name__)
    assert event["what"] == "no h2o and another thing"
    assert event["remedy"] == problem.remedy


def test_a_bug_of_ours_is_an_error_with_its_traceback(run: Run) -> None:
    event = end_with(run, ZeroDivisionError("by nothing"))
    assert (event["outcome"], event["type"], event["log"]) == (
        "error",
        "ZeroDivisionError",
        "logs/harness.traceback.log",
    )
    assert "ZeroDivisionError: by nothing" in (run.folder.path / event["log"]).read_text()


def test_a_log_of_the_record_is_named_and_one_from_elsewhere_is_copied_into_it(run: Run, tmp_path: Path) -> None:
    inside, outside = run.folder.logs / "h2o.error.log", tmp_path / "uv.log"
    outside.write_text("no matching distribution")
    for log in (inside, outside, tmp_path / "gone.log"):
        with recording(run):
            raise SurroundingsError(what="it failed", log=log)
    assert [event["log"] for event in told(run)] == [
        "logs/h2o.error.log",
        "logs/install.log",
        str(tmp_path / "gone.log"),
    ]
    assert (run.folder.logs / "install.log").read_text() == "no matching distribution"
