from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.engine.settings_reading import read_said, strip_program
from harness.stack.own_settings.reading import bind_kind, merge_cell
from harness.stack.own_settings.replacing import Resolved, resolve
from harness.stack.own_settings.writing import render_owned
from harness.stack.workers import find_worker, name_worker
from tests.unit.readings import make_reading

CELL = Cell(spec="23.0.0")


def _resolve(given: tuple[str, ...] = (), source: str = "", cell: Cell = CELL, **settings: Any) -> Resolved:
    return resolve(cell, make_reading(**settings), given, source=source, proxy_is_another_user=True)


def _rows(resolved: Resolved) -> dict[str, tuple[str, str, str]]:
    return {row.setting: (row.yours, row.run_with, row.why) for row in resolved.rows}


def _run(resolved: Resolved) -> dict[str, Any]:
    text = render_owned(
        resolved.text,
        resolved.overrides,
        worker=resolved.cell.worker,
        bind="unix:/run/x.sock",
        access_log="/logs/a",
        shims=(),
    )
    namespace: dict[str, Any] = {"__file__": "/config/config.py"}
    exec(text, namespace)  # noqa: S102 - this is what gunicorn does with it
    return namespace


def test_all_that_the_settings_say_of_the_fleet_is_run() -> None:
    cell = merge_cell(CELL, make_reading(workers=3, threads=8, max_requests=1000, max_requests_jitter=50), ())
    assert (cell.worker, cell.workers, cell.threads) == ("gthread", 3, 8), "several threads make it a thread worker"
    assert (cell.max_requests, cell.max_requests_jitter) == (1000, 50)


def test_where_the_fleet_is_described_gunicorns_own_defaults_hold_for_the_rest() -> None:
    cell = merge_cell(CELL, make_reading(max_requests=100), ())
    assert (cell.worker, cell.workers, cell.threads, cell.max_requests) == ("sync", 1, 1, 100)


def test_where_nothing_is_said_of_the_fleet_the_cell_has_it() -> None:
    resolved = _resolve(keepalive=75)
    assert resolved.cell == CELL
    assert _rows(resolved)["workers"] == ("not set (1)", "5", "it is not set; the run's default")
    assert _rows(resolved)["keepalive"] == ("75", "75", "as in the file")
    assert _run(resolved)["workers"] == 5


def test_an_option_that_was_given_wins_and_is_told() -> None:
    resolved = _resolve(("workers",), cell=Cell(spec="1", workers=9), workers=3, max_requests=7)
    assert (resolved.cell.workers, resolved.cell.max_requests) == (9, 7)
    assert _rows(resolved)["workers"] == ("3", "9", "--workers was given")
    assert _run(resolved)["workers"] == 9


@pytest.mark.parametrize(
    ("bind", "kind"),
    [
        (["unix:/run/g.sock"], "unix"),
        (["0.0.0.0:80", "unix:/run/g.sock"], "unix"),
        ("127.0.0.1:9000", "tcp"),
        (["fd://3"], None),
    ],
)
def test_the_kind_of_what_is_bound(bind: str | list[str], kind: str | None) -> None:
    reading = make_reading(bind=bind)
    assert bind_kind(reading) == kind
    assert merge_cell(CELL, reading, ()).bind == (kind or "unix")
    assert merge_cell(Cell(spec="1", bind="tcp"), reading, ("bind",)).bind == "tcp"


def test_only_what_the_run_has_to_own_is_replaced_and_each_with_its_reason() -> None:
    source = "import os\nhere = os.path.dirname(__file__)\nworkers = 3\ndef post_fork(server, worker): return 'mine'\n"
    owned: dict[str, Any] = {"daemon": True, "pidfile": "/run/g.pid", "loglevel": "error", "statsd_host": "stats:8125"}
    resolved = _resolve(source=source, workers=3, certfile="/x.pem", umask=0o007, errorlog="/var/log/g", **owned)
    namespace = _run(resolved)
    assert namespace["here"] == "/home/me", "the file's own folder, not that of the record"
    assert namespace["post_fork"](None, None) == "mine"
    expected = {"daemon": False, "pidfile": None, "loglevel": "info", "statsd_host": None, "certfile": None, "umask": 0}
    assert {name: namespace[name] for name in expected} == expected
    assert namespace["errorlog"] == "-"
    rows = _rows(resolved)
    assert all(rows[name][1] != rows[name][0] and rows[name][2] for name in (*expected, "errorlog"))


def test_what_gunicorn_refuses_here_is_replaced_and_shown_as_the_user_has_it() -> None:
    resolved = _resolve(workers=2, user="www-data", refused={"user": "www-data"})
    assert _rows(resolved)["user"] == ("'www-data'", "None", "it can't be taken here")
    assert _run(resolved)["user"] is None


def test_where_each_setting_comes_from() -> None:
    resolved = _resolve(variable={"keepalive": 9}, arguments={"timeout": 120}, workers=2)
    rows = _rows(resolved)
    assert [rows[name][2] for name in ("keepalive", "timeout", "workers")] == [
        "as in GUNICORN_CMD_ARGS",
        "as in the command line",
        "as in the file",
    ]
    assert {"keepalive": 9, "timeout": 120}.items() <= _run(resolved).items()


def test_a_module_is_imported_as_gunicorn_does() -> None:
    resolved = _resolve(file="python:string", workers=2)
    assert _run(resolved)["digits"] == "0123456789"


@pytest.mark.parametrize("head", ['"""Ours."""\n', "from __future__ import annotations\n", "# ours\n"])
def test_a_files_name_stands_after_what_has_to_come_first(head: str) -> None:
    assert _run(_resolve(source=f"{head}x = __file__\n", workers=2))["x"] == "/home/me/gunicorn.conf.py"


def test_the_app_is_the_users_unless_another_is_given() -> None:
    reading = make_reading(wsgi_app="site.wsgi", workers=2)
    assert merge_cell(CELL, reading, ()).app == "site.wsgi"
    assert merge_cell(Cell(spec="1", app="other:app"), reading, ("app",)).app == "other:app"
    assert merge_cell(CELL, make_reading(app="named:app", wsgi_app="site.wsgi"), ()).app == "named:app"


def test_a_setting_that_the_release_does_not_know_is_told() -> None:
    reading = make_reading(workers=2, unknown=("reuse_port", "my_own_name"), without=("reuse_port",))
    rows = _rows(resolve(CELL, reading, (), source=""))
    assert rows["reuse_port"][1] == "nothing"
    assert "my_own_name" not in rows


def test_a_number_that_no_run_can_have_is_refused() -> None:
    with pytest.raises(UsageError, match=r"workers = 0"):
        merge_cell(CELL, make_reading(workers=0), ())


@pytest.mark.parametrize(
    ("named", "threads", "short"),
    [
        ("sync", 1, "sync"),
        ("sync", 4, "gthread"),
        ("gunicorn.workers.ggevent.GeventWorker", 1, "gevent"),
        ("gunicorn.workers.gthread.ThreadWorker", 1, "gthread"),
        ("egg:gunicorn#eventlet", 1, "eventlet"),
        ("uvicorn.workers.UvicornWorker", 1, "uvicorn.workers.UvicornWorker"),
        ("mine.Worker", 1, "mine.Worker"),
    ],
)
def test_how_a_class_is_named(named: str, threads: int, short: str) -> None:
    assert name_worker(named, threads) == short


def test_uvicorns_worker_runs_asgi_apps_whatever_package_it_is_from() -> None:
    assert find_worker("uvicorn.workers.UvicornWorker").asgi
    assert find_worker("uvicorn_worker.UvicornWorker").asgi
    assert not find_worker("mine.Worker").asgi


def test_what_settings_can_be(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text("workers = 2\n")
    assert read_said("conf.py", tmp_path).arguments == ("-c", str(tmp_path / "conf.py"))
    assert read_said("conf.py", tmp_path).text == "workers = 2\n"
    assert read_said("python:site.conf", tmp_path).arguments == ("-c", "python:site.conf")
    line = "exec /venv/bin/gunicorn -w 4 --bind 'unix:/run/a b.sock' site.wsgi"
    assert read_said(line, tmp_path).arguments == ("-w", "4", "--bind", "unix:/run/a b.sock", "site.wsgi")
    assert strip_program(["python3", "-m", "gunicorn", "app:app"]) == ["app:app"]
    assert read_said("-w 4", tmp_path).arguments == ("-w", "4")
    with pytest.raises(UsageError, match="there is no such file"):
        read_said("none.py", tmp_path)
    with pytest.raises(UsageError, match="Quote"):
        read_said("gunicorn 'x", tmp_path)


def test_time_outs_are_the_users_and_what_they_leave_open_is_fitted() -> None:
    fitted = replace(CELL, timeout=4)
    assert (_resolve(timeout=9, graceful_timeout=8).cell.timeout, _resolve(timeout=0).cell.timeout) == (9, None)
    assert _resolve(cell=fitted, workers=2).overrides["timeout"] == 4
    assert "timeout" not in _resolve(workers=2).overrides
    assert _resolve(("timeout",), cell=fitted, timeout=9).overrides["timeout"] == 4
