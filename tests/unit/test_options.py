from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from harness.core.errors import UsageError
from harness.core.field_kinds import at_least, seconds, tcp_port
from harness.core.findings import FindingId
from harness.core.model import Cell
from harness.engine.options import (
    CHOICES,
    PROFILES,
    add_run_options,
    expectation,
    make_request,
    run_arguments,
)
from harness.engine.request import RunRequest


def _parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    return parser.parse_args(["19.6.0", *arguments])


def _request(*arguments: str) -> RunRequest:
    return make_request(_parse(*arguments))


def test_the_defaults_are_those_of_the_original_report() -> None:
    request = _request()
    assert request.cell == Cell(spec="19.6.0")
    assert (request.out, request.python, request.settings) == (Path("runs"), None, None)
    cell = request.cell
    assert (cell.worker, cell.threads, cell.workers, cell.max_requests) == ("gthread", 5, 5, 512)
    assert (cell.max_requests_jitter, cell.bind, cell.proxy, cell.load) == (0, "unix", "h2o", "wrk")
    assert (cell.load_threads, cell.connections, cell.duration_s, cell.recycles) == (10, 200, 10.0, 30)
    assert (cell.full_duration, cell.backend, cell.port, cell.trace, cell.app) == (False, "local", None, True, None)


def test_every_option_reaches_the_cell() -> None:
    cell = _request(
        *("--threads", "2", "--workers", "3", "--max-requests", "7", "--max-requests-jitter", "4", "--bind", "tcp"),
        *("--proxy", "none", "--load-threads", "1", "--connections", "9", "--duration", "2.5", "--full-duration"),
        *("--recycles", "6", "--port", "18080", "--no-trace", "--app", "m:a", "--no-upstream-keepalive"),
    ).cell
    assert cell == Cell(
        spec="19.6.0",
        threads=2,
        workers=3,
        max_requests=7,
        max_requests_jitter=4,
        bind="tcp",
        proxy="none",
        load_threads=1,
        connections=9,
        duration_s=2.5,
        full_duration=True,
        recycles=6,
        port=18080,
        trace=False,
        app="m:a",
        upstream_keepalive=False,
    )


def test_the_load_on_httpx_has_a_rate_and_asks_a_unix_socket() -> None:
    request = _request("--load", "httpx", "--rate", "500", "--proxy", "none")
    cell = request.cell
    assert (cell.load, cell.rate_per_s, cell.proxy, cell.bind) == ("httpx", 500, "none", "unix")
    assert request.load_named
    assert not _request().load_named
    assert _request("--load", "wrk").load_named


def test_what_is_no_part_of_the_cell_reaches_the_request(tmp_path: Path) -> None:
    settings = tmp_path / "settings.py"
    settings.touch()
    request = _request("--python", "3.6", "--out", "elsewhere", "--settings", str(settings), "--workers", "3")
    assert (request.python, request.out) == ("3.6", Path("elsewhere"))
    assert request.own is not None
    assert (request.own.said, request.own.given) == (str(settings), frozenset({"workers"}))
    assert request.project == (), "the newest Python, and nothing beside gunicorn"
    assert _request().project is None


def test_a_run_with_own_settings_is_repeated_with_what_was_given_beside_them(tmp_path: Path) -> None:
    settings = tmp_path / "settings.py"
    settings.touch()
    again = run_arguments(_request("--settings", str(settings), "--threads", "3", "--with", "flask==3.0.0"))
    assert f"--settings={settings}" in again
    assert "--threads=3" in again
    assert "--with=flask==3.0.0" in again
    assert not any(one.startswith(("--workers", "--max-requests", "--worker=", "--bind")) for one in again)


def test_the_sync_worker_has_one_thread() -> None:
    assert _request("--worker", "sync").cell.threads == 1
    assert _request("--worker", "sync", "--threads", "1").cell.threads == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--worker", "sync", "--threads", "2"), r"--worker sync has one thread, not 2\.\nTo do: .*--worker gthread"),
        (("--rate", "100"), r"wrk has no constant rate.*\nTo do: .*--load httpx"),
        (("--proxy", "none"), r"wrk can't talk to a Unix socket.*\nTo do: .*--bind tcp"),
        (("--settings", "/no/such/file"), r"--settings /no/such/file: there is no such file\.\nTo do: "),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_remedy(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        _request(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workers", "0"),
        ("--workers", "-1"),
        ("--workers", "2.0"),
        ("--workers", "1e3"),
        ("--workers", " 3"),
        ("--workers", "٣"),  # a digit, but not one of ours
        ("--threads", "0"),
        ("--max-requests", "-1"),
        ("--connections", "0"),
        ("--recycles", "0"),
        ("--duration", "0"),
        ("--duration", "-1"),
        ("--duration", "nan"),
        ("--duration", "inf"),
        ("--duration", "3601"),
        ("--duration", "10s"),
        ("--port", "0"),
        ("--port", "65536"),
        ("--worker", "greenlet"),
        ("--bind", "udp"),
        ("--proxy", "squid"),
        ("--load", "ab"),
        ("--backend", "cloud"),
        ("--expect", ""),
        ("--expect", "socket-delted"),
        ("--expect", "holds,socket-deleted"),
    ],
)
def test_nonsense_is_wrong_usage(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _parse(*arguments)
    assert caught.value.code == 2
    assert f"argument {arguments[0]}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("holds", {"holds"}),
        ("socket-deleted", {"socket-deleted"}),
        (" socket-deleted , permanent-outage,", {"socket-deleted", "permanent-outage"}),
    ],
)
def test_expectations(text: str, names: set[str]) -> None:
    assert expectation(text) == names


def test_an_unknown_expectation_is_answered_with_all_that_are_known() -> None:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        expectation("nonsense")
    assert all(finding.value in str(caught.value) for finding in FindingId)


def test_limits_themselves_are_allowed() -> None:
    assert (at_least(0)("0"), at_least(1)("1"), tcp_port("1"), tcp_port("65535")) == (0, 1, 1, 65535)
    assert (seconds("0.001"), seconds("3600")) == (0.001, 3600.0)


@pytest.mark.parametrize(("name", "choices"), CHOICES.items())
def test_every_choice_that_is_offered_is_taken(name: str, choices: tuple[str, ...]) -> None:
    assert [getattr(_parse(f"--{name}", choice), name) for choice in choices] == list(choices)


def test_a_profile_is_a_set_of_defaults_and_what_is_named_wins() -> None:
    assert _request("--profile", "default").cell == Cell(spec="19.6.0")
    quick = _request("--profile", "quick").cell
    assert quick == replace(PROFILES["quick"], spec="19.6.0")
    assert (quick.workers, quick.max_requests, quick.recycles, quick.connections) == (2, 64, 8, 20)
    mixed = _request("--profile", "quick", "--workers", "5", "--max-requests", "0").cell
    assert mixed == replace(quick, workers=5, max_requests=0)
