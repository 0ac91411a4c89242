"""What `harness advise` warns of, made to happen on real releases, and not where it is heeded: `make advise`."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.backends.local import prepare_environment
from harness.core.model import Cell, is_failure
from harness.core.ports import find_free_port
from harness.provision import tools
from harness.stack.programs import recipe_of
from tests.integration.stubs import Ran, needs_tools, run_harness

pytestmark = [needs_tools, pytest.mark.slow]
RELEASE = "23.0.0"
SLOW_APP = """\
import time

def app(environ, start_response):
    time.sleep({sleep_s})
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    cell = Cell(spec=RELEASE, worker="gthread")
    with closing(prepare_environment(cell, python=None, era_shims=True, say=lambda _: None)) as environment:
        yield str(environment.python)


@contextmanager
def gunicorn(
    python: str, folder: Path, bind: str, *options: str, sleep_s: float = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """A gunicorn of the release, in a process group of its own, which is killed at the end."""
    (folder / "app.py").write_text(SLOW_APP.format(sleep_s=sleep_s))
    process = subprocess.Popen(
        [python, "-m", "gunicorn.app.wsgiapp", "-b", bind, "-k", "gthread", "--threads", "4", *options, "app:app"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def ask(port: int, *, wait_s: float = 10, method: str = "GET") -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=wait_s)
    try:
        connection.request(method, "/")
        return str(connection.getresponse().status)
    except OSError as problem:
        return type(problem).__name__
    finally:
        connection.close()


def await_answer(port: int) -> None:
    end = time.monotonic() + 20
    while ask(port) != "200":
        assert time.monotonic() < end, "no answer"
        time.sleep(0.1)


@pytest.mark.parametrize(("stop_s", "answer"), [(1.0, "lost"), (20.0, "200")])
def test_systemd_kills_what_graceful_timeout_would_wait_for(
    tmp_path: Path, python: str, stop_s: float, answer: str
) -> None:
    """A request of 3 s is under way when the unit is stopped: SIGTERM, and SIGKILL after TimeoutStopSec."""
    port, got = find_free_port(), []
    with gunicorn(python, tmp_path, f"127.0.0.1:{port}", "--graceful-timeout", "30", sleep_s=3) as process:
        await_answer(port)
        asking = threading.Thread(target=lambda: got.append(ask(port)))
        asking.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=stop_s)
        except subprocess.TimeoutExpired:
            kill(process)
        asking.join()
    assert (got == ["200"]) is (answer == "200"), got


NGINX = """\
daemon off; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi; uwsgi_temp_path {folder}/uwsgi;
    upstream app {{ server 127.0.0.1:{app}; keepalive 64; keepalive_timeout {idle}; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://app; }}
    }}
}}
"""
CLIENTS, LONGEST_S = 60, 60.0


@contextmanager
def nginx(folder: Path, *, app: int, idle: str) -> Iterator[int]:
    tool = tools.require_tool(recipe_of("nginx"), "the test")
    port = find_free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, app=app, port=port, idle=idle))
    process = subprocess.Popen(
        [str(tool.path), "-p", str(folder), "-c", str(config)], stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        yield port
    finally:
        kill(process)


@pytest.mark.skipif(tools.find_tool(recipe_of("nginx")) is None, reason="nginx is not here")
@pytest.mark.parametrize(("keepalive_s", "idle", "loses"), [(1, "60s", True), (5, "500ms", False)])
def test_a_proxy_that_keeps_connections_longer_than_gunicorn_loses_posts(
    tmp_path: Path, python: str, *, keepalive_s: int, idle: str, loses: bool
) -> None:
    """All clients come back at once, about when gunicorn closes idle connections; nginx does not send a POST again."""
    app, got = find_free_port(), Counter[str]()
    end = time.monotonic() + (LONGEST_S if loses else 15)
    pauses_s = itertools.cycle(0.9 + 0.03 * step for step in range(40))
    with (
        gunicorn(python, tmp_path, f"127.0.0.1:{app}", "-w", "2", "--keep-alive", str(keepalive_s)),
        nginx(tmp_path, app=app, idle=idle) as port,
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        await_answer(port)
        while time.monotonic() < end and not got["502"]:
            got.update(clients.map(lambda _: ask(port, method="POST"), range(CLIENTS)))
            time.sleep(next(pauses_s))
    assert got["200"] > CLIENTS
    assert bool(got["502"]) is loses, got


def share_lost(ran: Ran) -> float:
    counts: dict[str, Any] = ran.verdict["counts"]
    outcomes = {**counts["statuses"], **counts["client_errors"]}
    failed = sum(int(count) for outcome, count in outcomes.items() if is_failure(outcome))
    return failed / int(counts["requests"])


def test_a_limit_below_the_connections_loses_a_greater_share(tmp_path: Path) -> None:
    """Three runs of each, by turns: that each of three is above each of the others is chance in 1 of 20 cases.

    The smaller limit gets more restarts, for as many requests.
    """
    lost: dict[int, list[float]] = {10: [], 400: []}
    for number, (limit, restarts) in enumerate([(10, 80), (400, 10)] * 3):
        options = ["--max-requests", limit, "--recycles", restarts]
        options += ["--connections", 100, "--workers", 2, "--threads", 5]
        ran = run_harness(tmp_path / str(number), "reproduce", RELEASE, *map(str, options))
        assert ran.verdict["counts"]["requests"] > 500, ran.out + ran.err
        lost[limit].append(share_lost(ran))
    assert min(lost[10]) > max(lost[400]), lost


@pytest.mark.parametrize(("jitter", "verdict"), [(5, "violated"), (60, "holds")])
def test_a_jitter_that_is_small_beside_the_boot_spreads_nothing(tmp_path: Path, jitter: int, verdict: str) -> None:
    """Six workers at 60 requests, a boot of a second: with a small jitter all are away at once."""
    options = ["--max-requests", "60", "--max-requests-jitter", str(jitter), "--workers", "6", "--threads", "1"]
    options += ["--worker", "sync", "--boot-s", "1", "--service-s", "0.1", "--most-away", "0.9"]
    ran = run_harness(tmp_path / "runs", "scenario", "jitter", "27.0.1", *options, "--compare", str(jitter))
    assert ran.verdict["verdict"] == verdict, ran.out + ran.err


def test_a_socket_file_that_is_cleaned_away_takes_the_service_with_it(tmp_path: Path, python: str) -> None:
    path = tmp_path / "app.sock"
    with gunicorn(python, tmp_path, f"unix:{path}"):
        end = time.monotonic() + 20
        while not path.exists():
            assert time.monotonic() < end, "never bound"
            time.sleep(0.05)
        assert connects(path)
        path.unlink()  # as a cleaner does
        time.sleep(3)
        assert not connects(path), "gunicorn does not bind it again"


def connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True
