from __future__ import annotations

import ast
import json
from typing import Any

import pytest

from harness.cli.main import main, make_parser
from harness.core.errors import EXIT_OK, EXIT_USAGE
from harness.core.paths import fixtures_dir
from harness.engine.options import make_request
from harness.stack.gunicorn import parse_limit, parse_log_line
from harness.studies.scenarios import SCENARIOS, jitter
from harness.studies.scenarios.runner import ScenarioPlan


def plan(*arguments: str, name: str = "jitter") -> ScenarioPlan:
    """What would be run."""
    planned: list[ScenarioPlan] = []

    def keep(made: ScenarioPlan) -> int:
        planned.append(made)
        return EXIT_OK

    assert SCENARIOS[name].run(make_parser().parse_args(["scenario", name, *arguments]), keep) == EXIT_OK
    return planned[0]


def test_the_defaults_are_the_numbers_of_the_write_up() -> None:
    made = plan()
    assert (list(made.arms), made.main) == (["jitter-0", "jitter-36"], "jitter-36")
    cell = made.arms["jitter-36"].cell
    assert (cell.workers, cell.max_requests, cell.max_requests_jitter, cell.bind) == (64, 36, 36, "unix")
    assert (cell.connections, cell.recycles, cell.worker) == (64, 128, "sync")
    assert made.settings["most_away"] == 0.5
    assert made.arms["jitter-0"].cell.max_requests_jitter == 0
    assert all(request.all_ready for request in made.arms.values())


def test_clients_are_as_many_as_the_workers_serve_at_a_time() -> None:
    cell = plan("--workers=3", "--worker=gthread", "--threads=4").arms["jitter-36"].cell
    assert (cell.connections, cell.recycles) == (12, 20)
    assert plan("--workers=3", "--connections=7").arms["jitter-36"].cell.connections == 7


def test_more_jitters_can_be_compared_and_the_judged_one_runs_once() -> None:
    made = plan("--compare=0,9,18,36")
    assert list(made.arms) == ["jitter-0", "jitter-9", "jitter-18", "jitter-36"]


def test_the_repeated_command_means_the_same() -> None:
    made = plan("19.6.0", "--workers=5", "--boot-s=0.25", "--most-away=25%", "--compare=0,3", "--max-requests-jitter=7")
    assert made.repeat[:3] == ("harness", "scenario", "jitter")
    again = plan(*made.repeat[3:])
    assert again == made


def test_the_app_is_python_and_takes_its_time() -> None:
    text = jitter.render_app(boot_s=0.5, service_s=0.01)
    ast.parse(text)
    assert "time.sleep(0.5)" in text
    assert "time.sleep(0.01)" in text


def test_the_settings_make_workers_say_what_the_log_reader_understands() -> None:
    said: list[str] = []

    class Worker:
        pid, max_requests = 7, 41

        class log:  # noqa: N801 - as gunicorn names it
            info = staticmethod(lambda text, *values: said.append(text % values))

    settings: dict[str, Any] = {}
    exec((fixtures_dir() / "scenarios" / "telling.py").read_text(), settings)  # noqa: S102 - as gunicorn does
    settings["post_worker_init"](Worker)
    line = parse_log_line(f"[2026-01-01 00:00:00 +0000] [7] [INFO] {said[0]}")
    assert (line.state, line.pid, parse_limit(line.text)) == ("ready", 7, 41)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-requests=30", "--max-requests-jitter=31"], "A jitter of 31 is above --max-requests 30"),
        (["--compare=40"], "A jitter of 40 is above"),
        (["--max-requests=0", "--max-requests-jitter=0"], "restarts no worker"),
        (["--workers=2000"], "Add --simulate"),
        (["--boot-s=16"], "gunicorn kills a worker"),
        (["--worker=gevent"], "any number of requests at a time"),
        (["--rate=100"], "--rate 100: a constant rate leaves workers idle"),
        (["--seed=1"], "--seed is an option of the simulation"),
        (["--settings=setup.cfg"], "setup.cfg"),
        (["--app=web:app", "--boot-s=1"], "the scenario's own app"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "jitter", *arguments]) == EXIT_USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers=0"],
        ["--boot-s=-1"],
        ["--most-away=0%"],
        ["--most-away=150%"],
        ["--bound=25"],
        ["--rate=0"],
        ["--compare=x"],
    ],
)
def test_bad_values_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["scenario", "jitter", *arguments])
    assert ended.value.code == EXIT_USAGE
    assert "error:" in capsys.readouterr().err


def test_a_simulation_needs_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "jitter", "--simulate", "--rate=100", "--lives=1"]) == EXIT_OK
    assert "100 requests/s, spread: even" in capsys.readouterr().out
    arguments = ["--simulate", "--workers=500", "--max-requests=100", "--max-requests-jitter=50", "--bound=90%"]
    assert main(["scenario", "jitter", *arguments, "--lives=1"]) == EXIT_OK
    told = capsys.readouterr().out
    assert "Simulated: 500 workers" in told
    assert "<- asked" in told
    assert "At most 90% away at once: a jitter of " in told
    assert main(["scenario", "jitter", *arguments, "--lives=1", "--json"]) == EXIT_OK
    said = json.loads(capsys.readouterr().out)
    assert f"a jitter of {said['jitter_needed']} is enough" in told
    worst = {row["jitter"]: row["worst_mean"] for row in said["curve"]}
    assert worst[0] == 500
    assert worst[100] < worst[50]


def test_a_bound_that_no_jitter_reaches_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "jitter", "--simulate", "--workers=50", "--bound=2%", "--lives=1"]) == EXIT_OK
    told = capsys.readouterr().out
    assert "no jitter up to max_requests 36 is enough" in told
    arguments = ["--simulate", "--workers=50", "--bound=2%", "--lives=1", "--json"]
    assert main(["scenario", "jitter", *arguments]) == EXIT_OK
    limit = json.loads(capsys.readouterr().out)["max_requests_needed"]
    assert limit is None or f"max_requests {limit} with a jitter of {limit} is" in told


def test_the_max_requests_that_would_do_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--simulate", "--workers=20", "--max-requests=12", "--max-requests-jitter=12", "--bound=20%"]
    assert main(["scenario", "jitter", *arguments, "--boot-s=2", "--json"]) == EXIT_OK
    said = json.loads(capsys.readouterr().out)
    assert said["jitter_needed"] is None
    limit = said["max_requests_needed"]
    assert limit > 12
    again = [f"--max-requests={limit}", f"--max-requests-jitter={limit}"]
    assert main(["scenario", "jitter", *arguments, *again, "--boot-s=2"]) == EXIT_OK
    told = capsys.readouterr().out
    assert "At most 20% away at once: a jitter of " in told
    assert "95% at or below" in told
    assert f"{'#' * 6}|" in told


def test_tcp_runs_both_and_judges_the_port() -> None:
    made = plan(name="tcp")
    assert ({name: request.cell.bind for name, request in made.arms.items()}, made.main) == (
        {"unix": "unix", "tcp": "tcp"},
        "tcp",
    )
    assert made.arms["tcp"].cell.spec == "19.6.0"
    assert plan(*made.repeat[3:], name="tcp") == made


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bind=unix"], "the other half"),
        (["--proxy=none"], "can't be reached"),
        (["--max-requests=0"], "restarts no worker"),
    ],
)
def test_what_tcp_cannot_mean_is_refused(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenario", "tcp", *arguments]) == EXIT_USAGE
    assert said in capsys.readouterr().err


def test_a_wish_is_made_of_the_scenarios_own_defaults() -> None:
    options = make_parser().parse_args(["scenario", "tcp"])
    assert make_request(options).cell.workers == 5
