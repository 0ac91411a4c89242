"""The ledger of whole runs: it adds up on real releases, and each of its fates is told of a server that deserves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.engine.conclusion import judge_path
from harness.provision import tools
from harness.stack.programs import recipe_of
from tests.integration.stubs import Ran, make_wheel, needs_tools, run_harness, run_until_decided

pytestmark = needs_tools
PROXIES = [
    "h2o",
    *(
        pytest.param(
            name,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(tools.find_tool(recipe_of(name)) is None, reason=f"no {name} here"),
            ],
        )
        for name in ("nginx", "haproxy")
    ),
]
SMALL = ("--workers", "2", "--max-requests", "400", "--recycles", "6", "--connections", "20", "--duration", "3")


def run_stub(tmp_path: Path, behaviour: str, *options: str) -> Ran:
    return run_until_decided(
        tmp_path, "reproduce", make_wheel(tmp_path, behaviour), *SMALL, "--worker", "sync", *options
    )


def ledger(ran: Ran) -> dict[str, Any]:
    assert "ledger" in ran.verdict["counts"], ran.out + ran.err
    said: dict[str, Any] = ran.verdict["counts"]["ledger"]
    return said


def assert_adds_up(said: dict[str, Any]) -> None:
    assert said["unexplained"] == 0, said["examples"].get("unexplained")
    clients = said["by_client"].values()
    assert said["requests"] == sum(sum(endings.values()) for endings in clients)


@pytest.mark.parametrize("proxy", PROXIES)
def test_on_a_release_that_loses_requests_it_adds_up(tmp_path: Path, proxy: str) -> None:
    ran = run_until_decided(tmp_path, "reproduce", "19.5.0", "--profile", "quick", "--recycles", "20", "--proxy", proxy)
    said = ledger(ran)
    assert_adds_up(said)
    assert ran.verdict["counts"]["recycles"] >= 20
    assert said["witnesses"] == {"proxy": True, "gunicorn": True, "app": True}
    assert said["answered"] > 1000
    if proxy != "nginx":
        assert said["failed_before_gunicorn"] > 20
        assert "safe to retry" in ran.out
    assert said["under_way_at_end"] <= ran.verdict["cell"]["connections"]


@pytest.mark.parametrize("worker", ["gthread", pytest.param("sync", marks=pytest.mark.slow)])
def test_on_a_release_that_loses_nothing_it_adds_up(tmp_path: Path, worker: str) -> None:
    options = ("--profile", "quick", "--recycles", "20", "--worker", worker, "--proxy", "none", "--bind", "tcp")
    ran = run_until_decided(tmp_path, "reproduce", "27.0.1", *options)
    said = ledger(ran)
    assert_adds_up(said)
    assert set(said["examples"]) <= {"under_way_at_end"}, ran.out
    _, again = judge_path(tmp_path / "latest")
    assert json.loads(json.dumps(again))["counts"]["ledger"] == said


def test_the_totals_are_those_of_the_load(tmp_path: Path) -> None:
    ran = run_until_decided(tmp_path, "reproduce", "19.6.0", "--profile", "quick")
    said = ledger(ran)
    assert_adds_up(said)
    endings = said["by_client"]["load"]
    statuses = ran.verdict["counts"]["by_client"]["wrk"]
    assert endings["answered"] == statuses["200"]
    assert endings["failed_before_gunicorn"] + endings.get("failed_after_gunicorn", 0) == statuses["502"]


@pytest.mark.parametrize(
    ("way", "failure"),
    [(("--proxy", "h2o"), "502"), pytest.param(("--proxy", "none"), "closed", marks=pytest.mark.slow)],
)
def test_the_load_on_httpx_accounts_for_each_of_its_requests(
    tmp_path: Path, way: tuple[str, ...], failure: str
) -> None:
    options = ("--profile", "quick", "--recycles", "20", "--duration", "20", "--load", "httpx", *way)
    ran = run_until_decided(tmp_path, "reproduce", "19.5.0", *options)
    said = ledger(ran)
    assert_adds_up(said)
    assert ran.verdict["counts"]["recycles"] >= 20
    endings, outcomes = said["by_client"]["load"], ran.verdict["counts"]["by_client"]["httpx"]
    assert endings["answered"] == outcomes["200"]
    assert endings["failed_before_gunicorn"] + endings.get("failed_after_gunicorn", 0) == outcomes[failure] > 20
    assert said["under_way_at_end"] == 0, "it waits for the last answers"


@pytest.mark.slow  # test_detectors looks at the same of other servers that hang
def test_the_load_on_httpx_tells_which_requests_hung(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "hangs", "--load", "httpx")
    hung = ran.verdict["counts"]["by_client"]["httpx"]["timeout"]
    assert ledger(ran)["by_client"]["load"]["never_answered"] == hung == 20, ran.out
    assert_adds_up(ledger(ran))


@pytest.mark.slow
def test_a_server_that_hangs_is_hung_and_not_fast(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "hangs")
    said = ledger(ran)
    assert said["by_client"]["load"]["never_answered"] > 0, ran.out
    assert said["by_client"]["probe-direct"]["never_answered"] > 0
    assert "never answered (hung)" in ran.out
    assert_adds_up(said)


def test_a_lost_answer_is_told_from_a_request_that_never_ran(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "loses-answers")
    said = ledger(ran)
    assert said["failed_after_gunicorn"] > 0
    assert said["failed_before_gunicorn"] == 0
    assert "unsafe to retry" in ran.out
    assert_adds_up(said)


def test_a_request_that_ran_twice_is_seen(tmp_path: Path) -> None:
    ran = run_stub(tmp_path, "runs-twice")
    assert ledger(ran)["run_twice"] > 0
    assert_adds_up(ledger(ran))


def test_accounts_that_contradict_each_other_forbid_holds(tmp_path: Path) -> None:
    assert run_stub(tmp_path, "good").verdict["verdict"] == "holds"
    ran = run_stub(tmp_path, "answers-unrun", "-v")
    assert ledger(ran)["unexplained"] > 0
    assert (ran.code, ran.verdict["verdict"]) == (3, "inconclusive")
    assert "THE LEDGERS DON'T ADD UP" in ran.out
    assert "gunicorn knows nothing of the request" in ran.out


def test_without_a_ledger_nothing_of_it_is_left(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "good")
    ran = run_harness(tmp_path, "reproduce", wheel, *SMALL, "--worker", "sync", "--no-ledger")
    assert ran.verdict["verdict"] == "holds", ran.out + ran.err
    assert "ledger" not in ran.verdict["counts"]
    assert list((tmp_path / "latest" / "logs").glob("ledger*")) == []
    assert "X-Request-Id" not in (tmp_path / "latest" / "logs" / "gunicorn.access.log").read_text()


DYING = """
import os
import signal


def post_worker_init(worker):
    app, served = worker.wsgi, []

    def die_at_fifty(environ, start_response):
        body = app(environ, start_response)
        served.append(body)
        if len(served) == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return body

    worker.wsgi = die_at_fifty
"""
"""Settings under which each worker of a real release dies with answers that it has made and not yet sent."""


def run_dying(tmp_path: Path, proxy: str) -> Ran:
    settings = tmp_path / "dying.py"
    settings.write_text(DYING)
    options = ("--profile", "quick", "--duration", "2", "--proxy", proxy, "--settings", settings)
    return run_until_decided(tmp_path / "runs", "reproduce", "27.0.1", *options)


@pytest.mark.slow  # the stub that loses answers is the quicker one
def test_answers_that_a_dying_worker_takes_along_are_unsafe_to_retry(tmp_path: Path) -> None:
    ran = run_dying(tmp_path, "h2o")
    said = ledger(ran)
    assert said["failed_after_gunicorn"] > 5, ran.out
    assert said["run_twice"] == 0, "h2o never asks again"
    assert_adds_up(said)
    for example in said["examples"]["failed_after_gunicorn"]:
        assert example["client"] in {"502", "closed"}, "closed where a part of the answer had come, or without h2o"
        assert (example["runs"], len(example["workers"])) == (1, 1)


@pytest.mark.slow
@pytest.mark.skipif(tools.find_tool(recipe_of("nginx")) is None, reason="nginx is not here")
def test_nginx_has_gunicorn_run_them_twice(tmp_path: Path) -> None:
    ran = run_dying(tmp_path, "nginx")
    said = ledger(ran)
    assert said["run_twice"] > 5, ran.out
    assert_adds_up(said)
    example = said["examples"]["run_twice"][0]
    assert example["runs"] == len(example["workers"]) >= 2
