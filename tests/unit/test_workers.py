"""The worker classes: how each is asked for, which app it serves, and the shims that some releases need."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.stack.gunicorn import (
    fixture_app,
    most_in_hand,
    parse_access,
    parse_log_line,
    render_command,
    render_config,
)
from harness.stack.shims import SHIMS
from harness.stack.workers import WORKERS

TEMPLATE = (fixtures_dir() / "config.py.in").read_text()


def _settings(cell: Cell) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(render_config(TEMPLATE, cell, bind="b", access_log="/dev/null", shims=()), namespace)  # noqa: S102
    return namespace


@pytest.mark.parametrize("worker", [worker for worker in WORKERS if worker != "gthread"])
def test_a_worker_class_is_asked_for_by_its_name_and_has_one_thread(worker: str) -> None:
    settings = _settings(Cell(spec="1", worker=worker, threads=1))
    assert (settings["worker_class"], settings["threads"]) == (worker, 1)


def test_the_thread_worker_is_asked_for_as_in_the_original_report() -> None:
    settings = _settings(Cell(spec="1", worker="gthread", threads=5))
    assert (settings["worker_class"], settings["threads"]) == ("sync", 5)
    assert _settings(Cell(spec="1", worker="gthread", threads=1))["worker_class"] == "gthread"


@pytest.mark.parametrize("worker", WORKERS)
def test_the_app_of_each_worker_class_is_a_fixture(worker: str) -> None:
    module, _, name = fixture_app(worker).partition(":")
    source = (fixtures_dir() / f"{module}.py").read_text()
    assert f"{name} = " in source or f"async def {name}(" in source
    assert (module == "asgi") is (worker == "asgi")


def _load_asgi() -> Callable[..., Awaitable[None]]:
    spec = importlib.util.spec_from_file_location("asgi_fixture", fixtures_dir() / "asgi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app: Callable[..., Awaitable[None]] = module.app
    return app


def _ask(scope: dict[str, Any], *messages: str) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        return {"type": next(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def run() -> None:
        await _load_asgi()(scope, receive, send)

    asyncio.run(run())
    return sent


@pytest.mark.parametrize(("path", "status", "body"), [("/", 200, b"Hello World"), ("/x", 404, b"Not Found")])
def test_the_asgi_twin_answers_as_the_wsgi_app_does(path: str, status: int, body: bytes) -> None:
    start, rest = _ask({"type": "http", "path": path})
    assert (start["status"], rest["body"]) == (status, body)
    assert (b"content-length", str(len(body)).encode()) in start["headers"]


def test_the_asgi_twin_takes_part_in_the_lifespan() -> None:
    sent = _ask({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown")
    assert [message["type"] for message in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.fixture
def fake_gunicorn(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package of the name ``gunicorn`` whose modules ``sock`` and ``util`` look as the shims expect them."""
    package = ModuleType("gunicorn")
    for name in ("sock", "util"):
        module = ModuleType(f"gunicorn.{name}")
        setattr(package, name, module)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(sys.modules, "gunicorn", package)
    vars(package)["sock"].socket = socket
    vars(package)["util"].parse_address = lambda address, port=8000: (address, port)
    vars(package)["util"].is_writable = None
    return package


def _apply(shim: str) -> None:
    exec(SHIMS[shim], {})  # noqa: S102


@pytest.mark.skipif(not hasattr(socket, "SO_REUSEPORT"), reason="this system has no SO_REUSEPORT to hide")
def test_so_reuseport_is_hidden_from_gunicorn_alone(fake_gunicorn: ModuleType) -> None:
    _apply("hide-so-reuseport")
    seen = vars(fake_gunicorn)["sock"].socket
    assert not hasattr(seen, "SO_REUSEPORT")
    assert (seen.AF_UNIX, seen.socket) == (socket.AF_UNIX, socket.socket)
    assert hasattr(socket, "SO_REUSEPORT"), "gevent needs it"


@pytest.mark.parametrize(("address", "meant"), [("unix:/tmp/x", "unix:///tmp/x"), ("127.0.0.1:80", "127.0.0.1:80")])
def test_the_leading_slash_of_a_path_is_kept(fake_gunicorn: ModuleType, address: str, meant: str) -> None:
    _apply("keep-leading-slash")
    assert vars(fake_gunicorn)["util"].parse_address(address, 1) == (meant, 1)


def test_log_files_are_trusted(fake_gunicorn: ModuleType) -> None:
    _apply("trust-log-files")
    assert vars(fake_gunicorn)["util"].is_writable("any", 0, 0) is True


def test_a_release_without_a_module_that_runs_is_called_by_name() -> None:
    argv = render_command("/e/bin/python", "web:app", "/r/config.py", ("run-by-name",))
    assert argv == [
        "/e/bin/python",
        "-c",
        "from gunicorn.app.wsgiapp import run; run()",
        "web:app",
        "-c",
        "/r/config.py",
    ]


@pytest.mark.parametrize(
    "head",
    ["2026-11-20 19:39:17 [123]", "[2026-11-20 19:39:17 +0000] [123]", "[2026-11-20 19:39:17] [123]"],
)
def test_a_log_line_is_read_with_the_date_as_each_era_writes_it(head: str) -> None:
    line = parse_log_line(f"{head} [INFO] Autorestarting worker after current request.")
    assert (line.pid, line.level, line.state) == (123, "INFO", "restarting")
    assert parse_log_line(f"{head} [INFO] Worker exiting (pid: 124)").pid == 124


def test_what_one_worker_may_have_in_hand() -> None:
    cell = Cell(spec="1", threads=5, connections=200)
    assert most_in_hand(cell) == 5
    assert most_in_hand(replace(cell, worker="sync", threads=1)) == 1
    assert {most_in_hand(replace(cell, worker=w, threads=1)) for w in ("gevent", "eventlet", "tornado", "asgi")} == {
        200
    }


def test_tornados_own_access_log_is_written_as_gunicorns_is_read(tmp_path: Path) -> None:
    log, logger = tmp_path / "access.log", logging.getLogger("tornado.access")
    before = (logger.level, logger.propagate, list(logger.handlers))
    try:
        exec(WORKERS["tornado"].settings_lines, {"accesslog": str(log)})  # noqa: S102
        logger.info("%d %s %.2fms", 200, "GET / (127.0.0.1)", 0.4)
        logger.warning("%d %s %.2fms", 404, "GET /x (127.0.0.1)", 0.4)
    finally:
        logger.level, logger.propagate = before[:2]
        logger.handlers[:] = before[2]
    assert parse_access(log.read_bytes()) == {(os.getpid(), "200"): 1, (os.getpid(), "404"): 1}


def test_the_lines_of_a_worker_come_first_and_go_to_that_worker_alone() -> None:
    with_lines = render_config(TEMPLATE, Cell(spec="1", worker="tornado"), bind="b", access_log="a", shims=())
    assert with_lines.index("tornado.access") < with_lines.index("bind =")
    assert "tornado" not in render_config(TEMPLATE, Cell(spec="1"), bind="b", access_log="a", shims=())
