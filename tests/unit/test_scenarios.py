"""The frame of the scenarios: how the arms' runs become one record, and how the command line speaks of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from harness.cli import main
from harness.core.errors import SurroundingsError, UsageError
from harness.core.events.base import ArmEvent
from harness.engine.request import RunRequest
from harness.engine.run import Result
from harness.judge.scenarios import JUDGES
from harness.judge.scenarios.record import read_trial
from harness.judge.verdict import judge_events
from harness.records.store import load_run
from harness.report.as_terminal import render_terminal
from harness.report.drawing import draw
from harness.report.formats import FORMATS
from harness.report.picture import picture_spec
from harness.studies.scenarios import SCENARIOS, runner
from harness.studies.scenarios.leak import DEFAULTS, render_app
from harness.watch.progress import Progress
from tests.unit.events import Record
from tests.unit.leaks import CELL, App, arms
from tests.unit.runs import write_run

Fate: TypeAlias = Callable[[str, RunRequest], Record | BaseException]
Theatre: TypeAlias = Callable[[Fate], list[str]]


@pytest.fixture
def theatre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Theatre:
    """Runs are made up: ``fate`` gives the record of an arm, or what running it raises; the list names what ran."""
    ran: list[str] = []

    def prepare(fate: Fate) -> list[str]:
        def run_cell(request: RunRequest, **_: object) -> Result:
            name = request.label.removesuffix("-")
            ran.append(name)
            record = fate(name, request)
            if isinstance(record, BaseException):
                raise record
            path = request.out / f"20261120T22000{len(ran)}Z-{name}-1.0"
            write_run(record, path, facts={"gunicorn": {"version": "1.0"}, "deviations": ["a", name]})
            verdict, observations = judge_events(record.cell, record.events)
            return Result(path=path, verdict=verdict, interrupted=observations.interrupted is not None)

        monkeypatch.setattr(runner, "run_cell", run_cell)
        return ran

    def no_environment(_wish: RunRequest, _say: object) -> tuple[None, None]:
        return None, None

    monkeypatch.setattr(runner, "prepare_environment", no_environment)
    monkeypatch.chdir(tmp_path)
    return prepare


def leaking(name: str, _: RunRequest) -> Record:
    return dict(zip(("without", "with"), arms(App(leak=32_768.0)), strict=True))[name]


def run(*options: str) -> int:
    return main.main(["scenario", "leak", "1.0", *options])


def verdict() -> dict[str, Any]:
    found = json.loads(Path("runs/latest/verdict.json").read_text())
    assert isinstance(found, dict)
    return found


def test_every_scenario_has_its_judge() -> None:
    assert set(SCENARIOS) == set(JUDGES)


def test_a_scenario_is_a_record_like_any_other(theatre: Theatre, capsys: pytest.CaptureFixture[str]) -> None:
    assert theatre(leaking) == []
    assert run() == 0
    folder = Path("runs/latest").resolve()
    assert folder.name[17:] == "scenario-leak-1.0-gthread-unix-h2o-wrk-local"
    present = {path.name for path in folder.iterdir()}
    assert present >= {"cell.json", "facts.json", "events.jsonl", "verdict.json", "report.md", "report.html", "arms"}
    assert "reproduce.sh" not in present
    told = verdict()
    assert (told["verdict"], told["cell"]["scenario"], told["run"]) == ("holds", "leak", folder.name)
    for arm in told["scenario"]["arms"].values():
        assert (folder / arm["run"] / "verdict.json").is_file()
    assert (folder / "config" / "with" / "config.py").is_file()
    assert (folder / "logs" / "without" / "gunicorn.error.log").is_file()
    facts = json.loads((folder / "facts.json").read_text())
    assert facts["deviations"] == ["a", "without: without", "with: with"]
    assert facts["repeat"][:3] == ["harness", "scenario", "leak"]
    assert "Memory stays in bounds" in capsys.readouterr().out


def test_judged_again_it_says_the_same(theatre: Theatre, capsys: pytest.CaptureFixture[str]) -> None:
    theatre(leaking)
    run("--json")
    first = capsys.readouterr().out
    assert main.main(["judge", "runs/latest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(first)
    assert main.main(["bundle", "runs/latest", "--out", "x.zip"]) == 0
    capsys.readouterr()
    assert main.main(["judge", "x.zip", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(first)


@pytest.mark.parametrize(("expect", "code"), [("holds", 0), ("memory-unbounded", 1)])
def test_expectations(theatre: Theatre, expect: str, code: int) -> None:
    theatre(leaking)
    assert run("--expect", expect) == code


def test_every_format_renders_it(theatre: Theatre) -> None:
    theatre(leaking)
    run()
    with load_run(Path("runs/latest")) as stored:
        page = str(FORMATS["html"](stored))
        assert 'id="chart"' in page
        assert "promised by the settings" in page
        assert "| promised by the settings | no bound |" in str(FORMATS["md"](stored))
        assert "harness scenario leak" in str(FORMATS["md"](stored))
        assert 'name="memory-bounded"' in str(FORMATS["junit"](stored))
        assert "without" in str(FORMATS["json"](stored))
        lines = render_terminal(stored, colour=False, width=100)
        assert "Memory of arbiter and workers" in lines
        chart = draw(stored.cell, list(stored.events()))
    assert chart is not None
    panels = chart.spec["vconcat"]
    assert [panel["title"].partition(",")[0] for panel in panels] == [
        "All processes together",
        "Each process without max_requests",
        "Each process with max_requests",
    ]
    assert all(panel["data"]["values"] for panel in panels)


def test_a_failed_arm_is_the_last(theatre: Theatre) -> None:
    def fate(name: str, request: RunRequest) -> Record:
        record = leaking(name, request)
        return record.add(0.1, "fault", outcome="unrunnable", type="X", what="no Python", remedy="get one", log=None)

    ran = theatre(fate)
    assert run() == 5
    assert ran == ["without"]
    assert (verdict()["verdict"], verdict()["error"]["what"]) == ("unrunnable", "no Python")


def test_an_interrupted_arm_is_the_last_and_the_record_is_kept(theatre: Theatre) -> None:
    ran = theatre(lambda name, request: leaking(name, request).add(2.0, "interrupted", phase="load"))
    assert run() == 130
    assert (ran, verdict()["verdict"]) == (["without"], "inconclusive")


def test_interrupted_between_two_runs_the_record_is_kept(theatre: Theatre) -> None:
    ran = theatre(lambda name, request: leaking(name, request) if name == "without" else KeyboardInterrupt())
    assert run() == 130
    assert ran == ["without", "with"]
    assert "between its runs" in str(verdict()["reasons"])


def test_what_can_not_be_meant_leaves_no_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(_wish: RunRequest, _say: object) -> None:
        raise UsageError(what="no such release")

    monkeypatch.setattr(runner, "prepare_environment", refuse)
    monkeypatch.chdir(tmp_path)
    assert run() == 2
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_can_not_be_completed_is_an_error(theatre: Theatre, capsys: pytest.CaptureFixture[str]) -> None:
    def fate(name: str, request: RunRequest) -> Record:
        (request.out.parent / "config" / name).mkdir()  # stands in the way
        return leaking(name, request)

    theatre(fate)
    assert run() == 4
    assert "could not be copied" in capsys.readouterr().err


# --- the options of leak ----------------------------------------------------------------------------------------


def plan(*options: str) -> runner.ScenarioPlan:
    parsed = main.make_parser().parse_args(["scenario", "leak", "1.0", *options])
    plans: list[runner.ScenarioPlan] = []

    def keep(one: runner.ScenarioPlan) -> int:
        plans.append(one)
        return 0

    SCENARIOS["leak"].run(parsed, keep)
    return plans[0]


def test_the_arms_differ_in_max_requests_alone() -> None:
    made = plan()
    without, with_ = made.arms["without"].cell, made.arms["with"].cell
    assert with_ == replace(DEFAULTS, spec="1.0", ledger=False)
    assert without == replace(with_, max_requests=0, max_requests_jitter=0)
    assert all(request.memory and request.app_text == render_app("objects", 32768) for request in made.arms.values())


def test_the_repeated_command_means_the_same() -> None:
    made = plan("--leak", "native", "--leak-bytes", "4096", "--limit-mb", "90", "--workers", "3", "--no-trace")
    again = plan(*[argument for argument in made.repeat[3:] if argument not in ("--", "1.0")])
    assert again.repeat == made.repeat
    assert again.settings == made.settings == {"leak": "native", "leak_bytes": 4096, "limit_mb": 90}
    assert [request.cell for request in again.arms.values()] == [request.cell for request in made.arms.values()]


def test_jitter_stays_in_proportion_where_it_is_not_given() -> None:
    assert plan("--max-requests", "36").arms["with"].cell.max_requests_jitter == 7
    assert plan("--max-requests", "36", "--max-requests-jitter", "36").arms["with"].cell.max_requests_jitter == 36


def test_an_app_of_the_users_own_takes_the_place_of_ours() -> None:
    made = plan("--app", "mine:app")
    assert [(request.cell.app, request.app_text) for request in made.arms.values()] == [("mine:app", None)] * 2
    assert made.settings["leak"] is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--max-requests", "0"), "nothing to compare"),
        (("--max-requests", "10", "--max-requests-jitter", "11"), "is more than --max-requests 10"),
        (("--worker", "asgi"), "WSGI app"),
        (("--proxy", "none"), "there is no proxy between"),
    ],
)
def test_contradictions_are_refused(options: tuple[str, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plan(*options)


@pytest.mark.parametrize("options", [("--workers", "0"), ("--leak-bytes", "1"), ("--limit-mb", "0"), ("--leak", "x")])
def test_values_that_mean_nothing_are_refused(options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        plan(*options)
    assert caught.value.code == 2
    assert options[0] in capsys.readouterr().err


def test_without_memory_to_measure_nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse() -> None:
        raise SurroundingsError(what="There is no memory to measure", remedy="Linux")

    monkeypatch.setattr("harness.studies.scenarios.leak.require_memory_source", refuse)
    monkeypatch.chdir(tmp_path)
    assert run() == 4
    assert list(tmp_path.iterdir()) == []


def test_the_load_ends_once_enough_was_seen_or_before_the_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.core.procfs.available_bytes", lambda: 1_000)
    enough, endless = plan().arms["with"].enough, plan("--full-duration").arms["with"].enough
    assert enough is not None
    assert endless is not None
    progress = Progress()
    assert not enough(progress)
    progress.served, progress.memory_samples = 5_000, 100
    assert enough(progress)
    progress.memory_samples = 10
    assert not enough(progress)
    progress.served = 15_000
    assert enough(progress)
    assert not endless(progress)
    progress.memory_bytes = 501
    assert endless(progress)


def test_an_event_of_an_arm_that_has_not_begun_is_refused() -> None:
    (event,) = Record().add(0.0, "phase", name="load").events
    with pytest.raises(UsageError, match=r"broken: its 'phase' event .* of the arm 'with', which has not begun"):
        read_trial(CELL, [ArmEvent(at_ns=event.at_ns, arm="with", event=event)])


def test_the_picture_has_the_answer_as_its_heading(theatre: Theatre) -> None:
    theatre(leaking)
    run()
    with load_run(Path("runs/latest")) as stored:
        spec = picture_spec(stored)
    subject, answer = spec["title"]["text"]
    assert subject.endswith("holds")
    assert answer.startswith("memory stays in bounds")
    assert len(spec["vconcat"]) == 3
