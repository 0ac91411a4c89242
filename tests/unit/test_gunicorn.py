from __future__ import annotations

import ast
from typing import Any

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.stack.gunicorn import (
    ACCESS_FORMAT,
    DEVIATIONS,
    REPORT_ACCESS_FORMAT,
    app_error,
    last_error,
    parse_access,
    parse_ledger,
    parse_log_line,
    put_before_values,
    render_command,
    render_config,
    started_worker_class,
)
from harness.stack.shims import SHIMS


def _config(cell: Cell, **more: Any) -> dict[str, Any]:
    template = (fixtures_dir() / "config.py.in").read_text()
    asked = {"bind": "unix:/x/g.sock", "access_log": "/x/access.log", "shims": ()} | more
    namespace: dict[str, Any] = {}
    exec(render_config(template, cell, **asked), namespace)  # noqa: S102 - this is what gunicorn does with it
    return namespace


def test_the_settings_are_those_of_the_original_report() -> None:
    config = _config(Cell(spec="19.6.0"))
    wanted = {
        "bind": "unix:/x/g.sock",
        "workers": 5,
        "threads": 5,
        "worker_class": "sync",
        "max_requests": 512,
        "max_requests_jitter": 0,
        "backlog": 2048,
        "timeout": 30,
        "keepalive": 2,
        "worker_connections": 1000,
        "umask": 0,
        "loglevel": "info",
        "errorlog": "-",
        "accesslog": "/x/access.log",
        "access_log_format": ACCESS_FORMAT,
    }
    assert {name: config[name] for name in wanted} == wanted
    assert ACCESS_FORMAT.removeprefix(REPORT_ACCESS_FORMAT) == " %({x-request-id}i)s %(p)s"
    assert any("pid" in text for text in DEVIATIONS)


def test_what_is_rendered_is_data_and_not_code() -> None:
    config = _config(Cell(spec="1"), bind="unix:/x/'; raise SystemExit #$bind", access_log='/x/"\n$workers')
    assert config["bind"] == "unix:/x/'; raise SystemExit #$bind"
    assert config["accesslog"] == '/x/"\n$workers'


@pytest.mark.parametrize(
    ("worker", "threads", "wanted"),
    [
        ("gthread", 5, ("sync", 5)),
        ("gthread", 1, ("gthread", 1)),
        ("sync", 5, ("sync", 1)),
        ("gevent", 5, ("gevent", 1)),
    ],
)
def test_how_a_worker_class_is_asked_for(worker: str, threads: int, wanted: tuple[str, int]) -> None:
    assert started_worker_class(Cell(spec="1", worker=worker, threads=threads)) == wanted


def test_shims_come_first_and_are_python() -> None:
    template = (fixtures_dir() / "config.py.in").read_text()
    text = render_config(template, Cell(spec="1"), bind="x", access_log="y", shims=tuple(SHIMS))
    assert text.index("shim hide-so-reuseport") < text.index("bind =")
    ast.parse(text)


def test_an_unknown_shim_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match=r"unknown shim 'x'.*\n.*hide-so-reuseport"):
        _config(Cell(spec="1"), shims=("x",))


def test_the_users_own_settings_come_before_the_cells_values() -> None:
    template = (fixtures_dir() / "config.py.in").read_text()
    mixed = put_before_values("workers = 99\nprice = '$5'\ndef post_fork(server, worker): ...\n", template)
    namespace: dict[str, Any] = {}
    exec(render_config(mixed, Cell(spec="1"), bind="b", access_log="a", shims=()), namespace)  # noqa: S102
    assert (namespace["workers"], namespace["price"]) == (5, "$5")
    assert namespace["post_fork"](None, None) is None, "the fixture's own hooks are left out"


def test_the_users_own_log_gives_way_to_gunicorns() -> None:
    template = (fixtures_dir() / "config.py.in").read_text()
    mixed = put_before_values("logconfig_dict = {'version': 1}\nlogconfig = 'log.ini'\nerrorlog = 'e'\n", template)
    namespace: dict[str, Any] = {}
    exec(render_config(mixed, Cell(spec="1"), bind="b", access_log="a", shims=()), namespace)  # noqa: S102
    assert (namespace["logconfig_dict"], namespace["logconfig"], namespace["errorlog"]) == ({}, None, "-")


def test_the_command_is_the_module_form() -> None:
    assert render_command("/e/bin/python", "web:app", "/r/config.py") == [
        "/e/bin/python",
        "-m",
        "gunicorn.app.wsgiapp",
        "web:app",
        "-c",
        "/r/config.py",
    ]


ARBITER, WORKER = 100, 123
# The wording of the releases 19.3 to 27.0, as their arbiter and workers write it: the process that writes comes first.
LINES: list[tuple[int, str, int, str | None]] = [
    (ARBITER, "Starting gunicorn 19.6.0", ARBITER, "starting"),
    (ARBITER, "Listening at: unix:/tmp/x/gunicorn.sock (100)", ARBITER, None),
    (WORKER, "Booting worker with pid: 123", WORKER, "booted"),
    (WORKER, "Worker spawned (pid: 123)", WORKER, None),
    (WORKER, "Autorestarting worker after current request.", WORKER, "restarting"),
    (WORKER, "Worker exiting (pid: 123)", WORKER, "exiting"),
    (WORKER, "Exception in worker process", WORKER, "crashed"),
    (WORKER, "Exception in worker process:", WORKER, "crashed"),  # 19.3 adds the traceback
    (WORKER, "Exception during worker exit:", WORKER, None),
    (ARBITER, "WORKER TIMEOUT (pid:123)", WORKER, "timed-out"),
    (ARBITER, "Worker with pid 123 was terminated due to signal 9", WORKER, "signalled"),  # 20.1
    (ARBITER, "Worker with pid 123 was terminated due to signal 11", WORKER, "signalled"),
    (ARBITER, "Worker with pid 123 was terminated due to signal 15", WORKER, "terminated"),
    (ARBITER, "Worker (pid:123) was sent SIGKILL! Perhaps out of memory?", WORKER, "signalled"),  # 21 and later
    (ARBITER, "Worker (pid:123) was sent SIGSEGV!", WORKER, "signalled"),
    (ARBITER, "Worker (pid:123) was sent code 139!", WORKER, "signalled"),  # with a core dump
    (ARBITER, "Worker (pid:123) was sent SIGTERM!", WORKER, "terminated"),
    (ARBITER, "Worker (pid:123) exited with code 1", WORKER, "failed"),
    (ARBITER, "Worker (pid:123) exited with code 255.", WORKER, "failed"),
    (ARBITER, "Worker (pid:123) exited with code 3.", WORKER, "failed"),
    (ARBITER, "Worker (pid:123) exited with code 0", ARBITER, None),
    (ARBITER, "Dirty arbiter (pid:123) exited with code 1", ARBITER, None),
    (ARBITER, "Handling signal: term", ARBITER, "asked-to-stop"),
    (ARBITER, "Handling signal: int", ARBITER, "asked-to-stop"),
    (ARBITER, "Handling signal: quit", ARBITER, "asked-to-stop"),
    (ARBITER, "Handling signal: hup", ARBITER, "asked"),
    (ARBITER, "Handling signal: ttou", ARBITER, "asked"),
    (ARBITER, "Handling signal: usr2", ARBITER, "asked"),
    (ARBITER, "Handling signal: usr1", ARBITER, None),  # re-opens the logs
    (ARBITER, "Handling signal: chld", ARBITER, None),
    (ARBITER, "Handling signal: winch", ARBITER, None),  # ignored unless daemonised
    (ARBITER, "Shutting down: Master", ARBITER, "stopping"),
    (ARBITER, "Reason: Worker failed to boot.", ARBITER, None),
    (WORKER, "Parent changed, shutting down: <Worker 123>", WORKER, None),
    (WORKER, "Worker graceful timeout (pid:123)", WORKER, None),
    (WORKER, "Error handling request /Booting worker with pid: 9", WORKER, None),
]


@pytest.mark.parametrize(("writer", "message", "pid", "state"), LINES)
def test_log_lines_of_all_releases(writer: int, message: str, pid: int, state: str | None) -> None:
    text = f"[2026-11-20 19:02:04 +0000] [{writer}] [ERROR] {message}"
    line = parse_log_line(text)
    assert (line.pid, line.state, line.level, line.text) == (pid, state, "ERROR", text)


@pytest.mark.parametrize("message", ["Exception in worker process: none", "WORKER TIMEOUT (pid:123): there was none"])
def test_words_of_alarm_at_a_level_of_none_are_no_bad_end(message: str) -> None:
    assert parse_log_line(f"[2026-11-20 19:02:04 +0000] [123] [INFO] {message}").state is None


@pytest.mark.parametrize("head", ["[2026-11-20 19:02:04 +0000]", "2026-11-20 19:02:04"])
@pytest.mark.parametrize("before", ["....", "\r 10%|#    | 1/10", "[2/3] ", "x" * 5000])
def test_what_an_app_writes_without_a_lines_end_does_not_hide_gunicorns_line(head: str, before: str) -> None:
    said = f"{head} [123] [INFO] Worker exiting (pid: 123)"
    line = parse_log_line(before + said)
    assert (line.pid, line.state, line.text) == (123, "exiting", said)


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):",
        '  File "gunicorn/sock.py", line 123, in close',
        "FileNotFoundError: [Errno 2] No such file or directory: '/x'",
        "Booting worker with pid: 123",
        "",
        "[] [] []",
        "[2026-11-20 19:02:04 +0000] [x] [INFO] Booting worker with pid: 123",
    ],
)
def test_lines_that_are_not_gunicorns_mean_nobody(text: str) -> None:
    line = parse_log_line(text)
    assert (line.pid, line.level, line.state) == (None, None, None)


def test_the_access_log_is_counted_by_worker_and_status() -> None:
    line = b' - - [20/Nov/2026:19:02:04 +0000] "GET / HTTP/1.1" %d 11 "-" "agent" <%d>\n'
    chunk = line % (200, 101) * 3 + line % (502, 101) + line % (200, 102) + b"half a li"
    assert parse_access(chunk) == {(101, "200"): 3, (101, "502"): 1, (102, "200"): 1}


def test_an_access_log_without_pids_counts_nothing() -> None:
    assert parse_access(b' - - [20/Nov/2026] "GET / HTTP/1.1" 200 11 "-" "agent"\n') == {}


@pytest.mark.parametrize(
    ("tail", "said"),
    [
        ("", "it said nothing"),
        ("\n \n", "it said nothing"),
        ("hello\nworld\n", "world"),
        ("[x] [1] [ERROR] bad\nbye\n", "[x] [1] [ERROR] bad"),
        ("Error: class uri 'gevent' invalid\nbye\n", "Error: class uri 'gevent' invalid"),
        ("[x] [1] [ERROR] bad\nAttributeError: module 'x' has no y\nbye\n", "AttributeError: module 'x' has no y"),
        ("pkg.mod.CustomError: x\n", "pkg.mod.CustomError: x"),
    ],
)
def test_why_a_process_ended(tail: str, said: str) -> None:
    assert last_error(tail) == said


def test_the_access_log_says_which_request_each_line_is_of() -> None:
    line = b' - - [20/Nov/2026:19:02:04 +0000] "GET / HTTP/1.1" %d 11 "-" "a \\" 418 w9" %s <%d>\n'
    chunk = line % (200, b"w12", 101) + line % (500, b"p3", 102) + line % (200, b"-", 101) + line % (200, b"x1", 101)
    assert parse_ledger(chunk) == [(b"200", b"w", b"12"), (b"500", b"p", b"3")]
    assert parse_access(chunk) == {(101, "200"): 3, (102, "500"): 1}


_IMPORT = """\
[2026-11-20 22:01:32 +0000] [12] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/x/gunicorn/arbiter.py", line 608, in spawn_worker
    worker.init_process()
  File "/x/gunicorn/util.py", line 370, in import_app
    mod = importlib.import_module(module)
ModuleNotFoundError: No module named 'nope'
[2026-11-20 22:01:32 +0000] [12] [INFO] Worker exiting (pid: 12)
"""


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (_IMPORT, "ModuleNotFoundError: No module named 'nope'"),
        (
            "Failed to find attribute 'nothing' in 'lru'.\n[x] [ERROR] exited with code 4\n",
            "Failed to find attribute 'nothing' in 'lru'.",
        ),
        ("Application object must be callable.\n", "Application object must be callable."),
        (_IMPORT.replace("import_app", "run"), None),
        ("", None),
    ],
)
def test_an_app_that_can_not_be_loaded_is_told_from_a_release_that_does_not_start(log: str, reason: str | None) -> None:
    assert app_error(log) == reason
