"""A run's folder as the harness leaves it behind, made by hand: the tests of store, attachment and reports read it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from harness.core import keeping
from harness.core.cells import cell_to_json
from harness.core.findings import FindingId
from harness.core.model import Cell, Culprit, Finding, Moment, Outcome, State, Verdict
from harness.provision import interpreters, tools
from harness.records.store import load_run
from harness.records.stored import StoredRun
from harness.report.as_json import verdict_to_json

# How long an example takes is a matter of the machine and of what else it does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

STARTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
"""What Python tells of a process that is about to be started."""

LIBRARY_SEARCH = "ldconfig"
"""How ``ctypes`` finds a library, for the first import of inotify_simple."""

_unit_test_runs = False


def _forbid_processes(event: str, arguments: tuple[object, ...]) -> None:
    if _unit_test_runs and event in STARTS and not str(arguments[:1]).endswith(f"/{LIBRARY_SEARCH}',)"):
        raise AssertionError(f"a unit test starts a process, {event} {arguments[:1]}: its place is tests/integration")


sys.addaudithook(_forbid_processes)


@pytest.fixture(autouse=True)
def no_processes() -> Iterator[None]:
    """Lets a unit test fail that starts a process, whoever does it for the test: it would be slow, and differ."""
    global _unit_test_runs  # noqa: PLW0603 - an audit hook stays for good
    _unit_test_runs = True
    yield
    _unit_test_runs = False


@pytest.fixture(autouse=True)
def no_reaper(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a unit test makes needs none, and it would be a process."""
    monkeypatch.setattr(keeping, "start_reaper", lambda _marker: None)


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreters, no tools, an empty cache: asking those of a real machine would start them, and take its time."""
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(interpreters, "list_candidates", lambda _environ, _home: iter(()))
    monkeypatch.setattr(tools, "find_tool", lambda _recipe: None)


RUN_ID = "20261120T181804Z-19.6.0-py3.6-gthread-unix-h2o-wrk-local"
CELL = Cell(spec="19.6.0", gunicorn="19.6.0", python="3.6.15")
CULPRIT = Culprit(
    pid=4711,
    role="worker",
    call="os.unlink",
    stack=("gunicorn/workers/gthread.py:240 run", "gunicorn/sock.py:123 close"),
    source=("s.close()", "os.unlink(self.cfg_addr)"),
)
VIOLATED = Verdict(
    cell=CELL,
    outcome=Outcome.VIOLATED,
    reasons=("the socket file was deleted",),
    findings=(
        Finding(id=FindingId.SOCKET_DELETED, at_s=1.26951, detail="the path vanished", culprit=CULPRIT),
        Finding(id=FindingId.PERMANENT_OUTAGE, at_s=1.3, detail="nothing was answered any more"),
    ),
    invariants={
        "socket-survives": State.VIOLATED,
        "requests-answered": State.HOLDS,
        "service-recovers": State.VIOLATED,
        "workers-respawn": State.HOLDS,
        "max-requests-honoured": State.UNKNOWN,
    },
    invariant_reasons={"socket-survives": "it vanished", "max-requests-honoured": "the access log is gone"},
    counts={
        "requests": 12345,
        "statuses": {"200": 2731, "502": 9614},
        "client_errors": {"closed": 0, "timeout": 0, "refused": 0},
        "recycles": 5,
        "workers_seen": 10,
        "by_client": {"wrk": {"200": 2700}, "probe": {"missing": 31}},
    },
    strength={"recycles": 5, "failure_rate_upper_95": None},
    timing_s={"prepare": 0.1, "load": 1.4, "total": 2.6},
)
FACTS: dict[str, Any] = {
    "schema": 1,
    "run": RUN_ID,
    "started_utc": "2026-11-20T18:18:04.120+00:00",
    "harness": {"version": "0.1.0"},
    "gunicorn": {
        "version": "19.6.0",
        "spec": "19.6.0",
        "revision": None,
        "freeze": ["bottle==0.12.13", "gunicorn==19.6.0", "setuptools==59.6.0"],
        "shims": [{"name": "hide-so-reuseport", "why": "the kernel refuses it"}],
        "command": ["python", "-m", "gunicorn.app.wsgiapp", "web:app", "-c", "config.py"],
    },
    "python": {"version": "3.6.15"},
    "proxy": {"name": "h2o", "version": "2.2.5", "port": 45672},
    "load": {"name": "wrk", "version": "4.1.0"},
    "os": {"kernel": "Linux 6.1", "distribution": "Debian 12", "machine": "x86_64", "cpus": 2},
    "deviations": ["access log: in a file of its own"],
}
CONFIG = {
    "web.py": "from bottle import default_app\napp = default_app()\n",
    "config.py": "bind = 'unix:/tmp/rh-xyz/gunicorn.sock'\nerrorlog = \"-\"\n"
    "accesslog = '/srv/runs/x/logs/gunicorn.access.log'\n",
    "h2o.conf": (
        'listen:\n  host: 127.0.0.1\n  port: 45672\nhosts:\n  default:\n    paths:\n      "/":\n'
        "        proxy.reverse.url: http://[unix:/tmp/rh-xyz/gunicorn.sock]/\n    access-log: /dev/stdout\n"
    ),
}
LOGS = {
    "gunicorn.error.log": (
        "[2026-11-20 18:18:04 +0000] [1] [INFO] Starting gunicorn 19.6.0\n"
        "[2026-11-20 18:18:06 +0000] [4711] [INFO] Autorestarting worker after current request.\n"
        "Traceback (most recent call last):\n"
        "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/rh-xyz/gunicorn.sock'\n"
    ),
    "h2o.error.log": "h2o server is ready\n" + "[proxy.c] in request:/:failed to connect to host\n" * 1000,
}
EVENTS = [
    {"at_ns": 1000 + number, "kind": "probe", "via": "proxy", "outcome": "200", "took_ns": 100} for number in range(50)
]

RecordRun = Callable[..., StoredRun]


@pytest.fixture
def record_run(tmp_path: Path) -> RecordRun:
    """``record_run(verdict=..., facts=..., logs=..., config=..., edit=...)`` writes a run's folder and loads it."""

    def record(
        *,
        verdict: Verdict = VIOLATED,
        facts: dict[str, Any] | None = None,
        logs: dict[str, str] | None = None,
        config: dict[str, str] | None = None,
        edit: Callable[[dict[str, Any]], None] | None = None,
        root: Path | None = None,
    ) -> StoredRun:
        folder = (root or tmp_path / "runs") / RUN_ID
        for name, files in (("logs", LOGS if logs is None else logs), ("config", CONFIG if config is None else config)):
            (folder / name).mkdir(parents=True)
            for file, content in files.items():
                (folder / name / file).write_text(content, encoding="utf-8")
        story = [Moment(at_s=0.0, what="the load begins"), Moment(at_s=1.2695, what="the socket file is gone")]
        stored: dict[str, Any] = verdict_to_json(verdict, run_id=RUN_ID, story=story)
        if edit is not None:
            edit(stored)
        _write(folder / "cell.json", cell_to_json(verdict.cell))
        _write(folder / "facts.json", FACTS | (facts or {}))
        _write(folder / "verdict.json", stored)
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
        return load_run(folder)

    return record


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data), encoding="utf-8")
