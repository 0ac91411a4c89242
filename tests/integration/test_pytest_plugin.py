"""The plugin in somebody else's project: their app, their settings, their pytest, as a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from harness.core.active import find_interrupted, sweep_interrupted
from harness.core.clock import wait_until
from harness.core.reaper import MARKER

TIMEOUT_S = 60.0

APP = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"shop"]
"""

SETTINGS = """
workers = 9  # the cell's number wins
threads = 3  # nobody else names one
proc_name = "cost: $5"

def when_ready(server):
    server.log.info("the shop is open")
"""

INI = """
[pytest]
gunicorn_app = shop.wsgi:application
gunicorn_app_folder = src
gunicorn_settings = conf/gunicorn.py
asyncio_default_fixture_loop_scope = function
"""

CONFTEST = """
from dataclasses import replace
import pytest

@pytest.fixture
def recycle_cell(recycle_cell):
    return replace(recycle_cell, workers=2, max_requests=64, recycles=8, connections=20, load_threads=2)
"""

SHOP_TESTS = """
import json
from time import monotonic, sleep
from urllib.request import urlopen

def test_socket(recycle_run):
    assert recycle_run.socket_survived

def test_answers(recycle_run):
    assert recycle_run.statuses[502] == 0

def test_shop(gunicorn_server, h2o_proxy, recycle_load):
    cell = json.loads((gunicorn_server.folder / "cell.json").read_text())
    assert (cell["workers"], cell["threads"], cell["worker"]) == (2, 3, "gthread")
    with urlopen(h2o_proxy.url) as answer:
        assert answer.read() == b"shop"
    assert recycle_load(duration_s=1, connections=2).statuses[200] > 0
    assert "the shop is open" in (gunicorn_server.logs / "gunicorn.error.log").read_text()
    until = monotonic() + 10
    while gunicorn_server.live_workers != 2 and monotonic() < until:
        sleep(0.05)  # one may just be restarting
    assert gunicorn_server.live_workers == 2
"""

TWO_LOADS = """
def test_each_load_goes_on_until_it_has_seen_enough(h2o_proxy, recycle_load):
    first = recycle_load(duration_s=10, connections=4, recycles=1)
    second = recycle_load(duration_s=1, connections=4)
    assert second.statuses[200] > 100, (first, second)
"""

TWO_TESTS = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_socket(recycle_run, number, worker_id):
    assert recycle_run.socket_survived
    assert worker_id != "master"
"""

AMONG_OTHERS = """
import asyncio
import shop.wsgi

async def test_socket(recycle_run, worker_id):
    await asyncio.sleep(0)
    assert recycle_run.socket_survived
    assert worker_id != "master"

async def test_app():
    assert shop.wsgi.application({}, lambda status, headers: None) == [b"shop"]
"""

XFAIL_TEST = """
from dataclasses import replace
import pytest

@pytest.fixture
def recycle_cell(recycle_cell):
    return replace(recycle_cell, max_requests=1_000_000, duration_s=1)

@pytest.mark.xfail(strict=True, raises=AssertionError)
def test_socket(recycle_run):
    assert recycle_run.socket_survived
"""

BLOCKING_TEST = """
import sys, time
from pathlib import Path
from tempfile import TemporaryDirectory

def test_blocks(gunicorn_server, h2o_proxy):
    Path("ready.tmp").write_text(gunicorn_server.folder.name)
    Path("ready.tmp").rename("ready")
    sys.stdin.read()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A project with an app and settings of its own, and what its pytest left running or registered."""

    folder: Path
    temporary: Path  # its TMPDIR, by which its processes are told from those of other runs of the same second

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def argv(self, arguments: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "pytest", "-ra", "--gunicorn-out", "runs", *arguments]

    def environ(self) -> dict[str, str]:
        """Without what the pytest that runs this test leaves in its own."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        return {**others, "TMPDIR": str(self.temporary)}

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.argv(arguments),
            cwd=self.folder,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def runs(self) -> list[Path]:
        return sorted(path for path in (self.folder / "runs").glob("2*") if path.is_dir())

    def processes(self) -> list[int]:
        """The pids of all processes that belong to a run of this project."""
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                variables = entry.read_bytes().split(b"\0")
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
            marked = any(variable.startswith(f"{MARKER}=".encode()) for variable in variables)
            if marked and f"TMPDIR={self.temporary}".encode() in variables:
                found.append(int(entry.parent.name))
        return found

    def registered(self) -> list[Path]:
        return list((self.folder / ".pytest_cache" / "d" / ".xprocess").iterdir())


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with TemporaryDirectory(prefix="plugin-") as temporary:  # short, as the path of a socket has to be
        Path(temporary).chmod(0o755)  # gunicorn's user passes through it
        yield make_project(tmp_path, Path(temporary))


def make_project(folder: Path, temporary: Path) -> Project:
    made = Project(folder=folder, temporary=temporary)
    made.write("src/shop/__init__.py", "")
    made.write("src/shop/wsgi.py", APP)
    made.write("conf/gunicorn.py", SETTINGS)
    made.write("pytest.ini", INI)
    made.write("tests/conftest.py", CONFTEST)
    return made


def test_a_projects_own_app_and_settings_are_tested(project: Project) -> None:
    project.write("tests/test_shop.py", SHOP_TESTS)
    done = project.pytest("--gunicorn", "19.6.0", "-v", "-W", "error")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 failed, 1 passed" in done.stdout
    assert "FAILED tests/test_shop.py::test_socket[19.6.0] - assert False" in done.stdout
    assert "-- gunicorn under test --" in done.stdout
    assert "gunicorn 19.6.0, gthread worker: violated\n" in done.stdout
    assert "\nsocket-deleted at " in done.stdout
    assert "xprocess reminder" not in done.stdout
    assert "process startup detected" not in done.stdout
    assert len(project.runs()) == 2, "one run for both assertions, one scene"
    assert f"\nrecord: {project.runs()[0]}\n" in done.stdout
    config = (project.runs()[0] / "config" / "config.py").read_text()
    assert 'proc_name = "cost: $5"' in config
    assert "\nworkers = 2\n" in config
    assert project.processes() == []
    assert project.registered() == []


@pytest.mark.slow
def test_the_load_may_be_httpx(project: Project) -> None:
    project.write("tests/conftest.py", CONFTEST.replace("workers=2", 'load="httpx", workers=2'))
    project.write("tests/test_shop.py", SHOP_TESTS.replace('(2, 3, "gthread")', '(2, 1, "sync")'))
    done = project.pytest("--gunicorn", "19.6.0", "--gunicorn-worker", "sync", "-W", "error")
    assert (done.returncode, "3 passed" in done.stdout) == (pytest.ExitCode.OK, True), done.stdout + done.stderr
    assert all((run / "logs" / "httpx.result").is_file() for run in project.runs())
    assert len(project.runs()) == 2
    assert project.processes() == []


def test_a_load_that_ended_early_does_not_end_the_next_one(project: Project) -> None:
    project.write("tests/test_loads.py", TWO_LOADS)
    done = project.pytest("--gunicorn", "19.6.0", "--gunicorn-worker", "sync")
    assert (done.returncode, "1 passed" in done.stdout) == (pytest.ExitCode.OK, True), done.stdout + done.stderr


def test_workers_of_xdist_do_not_meet_and_other_plugins_are_at_home(project: Project) -> None:
    project.write("tests/test_two.py", AMONG_OTHERS)
    project.write("pytest.ini", INI + "asyncio_mode = auto\npythonpath = src\n")
    both = ["-n", "2", "--dist", "each", "--assert=plain", "--cov=shop", "--cov-report=term", "-v", "-W", "error"]
    done = project.pytest(*both, "--gunicorn", "19.6.0", "--gunicorn-worker", "sync")
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    assert re.search(r"src/shop/wsgi\.py +3 +0 +100%", done.stdout), done.stdout
    assert len(project.runs()) == 2, "one run for each worker"
    assert project.processes() == []
    assert project.registered() == []
    assert "xprocess reminder" not in done.stdout


def test_a_release_that_does_not_exist_fails(project: Project) -> None:
    """A slip in the number of a release must not turn a red job green."""
    project.write("tests/test_two.py", TWO_TESTS)
    done = project.pytest("--gunicorn", "19.60.0")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 errors" in done.stdout
    assert "no such release" in done.stdout


def test_a_release_that_can_not_run_here_is_skipped_and_counted(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    done = project.pytest("--gunicorn", "0.17.0", "--gunicorn-worker", "gthread")
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert "2 skipped" in done.stdout
    assert "recycle-harness: 2 skipped: unrunnable: " in done.stdout
    assert "0.17.0" in done.stdout.partition("unrunnable: ")[2]


def test_a_strict_project_takes_a_skip_for_a_failure(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    project.write("pytest.ini", INI + "recycle_strict = true\n")
    done = project.pytest("--gunicorn", "0.17.0", "--gunicorn-worker", "gthread")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "2 errors" in done.stdout
    assert "recycle_strict is on" in done.stdout


def test_several_releases_make_several_tests(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    done = project.pytest("--gunicorn", "19.5.0,19.6.0", "--gunicorn", "23.0.0", "--collect-only", "-q")
    names = [line for line in done.stdout.splitlines() if "::" in line]
    assert len(names) == 6
    assert all(sum(release in name for name in names) == 2 for release in ("19.5.0", "19.6.0", "23.0.0"))


def test_an_ini_setting_names_the_releases_where_no_option_does(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    project.write("pytest.ini", INI + "gunicorn_releases = 19.5.0 19.6.0,23.0.0\n")
    assert "6 tests collected" in project.pytest("--collect-only", "-q").stdout
    assert "2 tests collected" in project.pytest("--collect-only", "-q", "--gunicorn", "19.6.0").stdout
    project.write("pytest.ini", INI + "gunicorn_releases = nineteen\n")
    refused = project.pytest("--collect-only", "-q")
    assert refused.returncode != pytest.ExitCode.OK
    assert "ini setting gunicorn_releases: SPEC 'nineteen' can't be used" in refused.stdout + refused.stderr


def test_the_inconclusive_fails_even_where_a_failure_is_expected(project: Project) -> None:
    project.write("tests/test_long.py", XFAIL_TEST)
    done = project.pytest("--gunicorn", "19.6.0")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    assert "inconclusive: only 0 of 8 wanted recycles were seen" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gunicorn", "nineteen"], "SPEC 'nineteen' can't be used"),
        (["--gunicorn", "19.6.0,"], "SPEC '' can't be used"),
        (["--gunicorn-worker", "meinheld"], "'meinheld' is not one of the worker classes"),
        (["--gunicorn-python", "./no-python"], "no-python"),
        (["--gunicorn-backend", "moon"], "'moon' is not one of the back ends"),
    ],
)
def test_an_option_that_cannot_be_meant_is_a_usage_error(project: Project, arguments: list[str], said: str) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    done = project.pytest(*arguments)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_without_xprocess_it_says_what_to_install(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    done = project.pytest("-p", "no:xprocess", "--gunicorn", "19.6.0")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "pip install 'recycle-harness[pytest]'" in done.stdout


def test_tests_that_ask_for_nothing_of_it_need_nothing_of_it(project: Project) -> None:
    project.write("tests/conftest.py", "")
    project.write("tests/test_plain.py", "def test_plain():\n    pass\n")
    done = project.pytest("-n", "1", "-p", "no:cacheprovider", "-p", "no:xprocess")
    assert done.returncode == pytest.ExitCode.OK, done.stdout + done.stderr
    assert not done.stderr


def test_settings_that_are_missing_are_named(project: Project) -> None:
    project.write("tests/test_two.py", TWO_TESTS)
    (project.folder / "conf" / "gunicorn.py").unlink()
    done = project.pytest("--gunicorn", "19.6.0")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "gunicorn_settings " in done.stdout
    assert "there is no such file" in done.stdout


def test_a_killed_pytest_leaves_nothing_running(project: Project) -> None:
    project.write("tests/test_blocks.py", BLOCKING_TEST)
    with subprocess.Popen(
        project.argv(["-s", "--gunicorn", "19.6.0"]),
        cwd=project.folder,
        env=project.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as killed:
        ready = project.folder / "ready"
        try:
            assert wait_until(ready.exists, timeout_s=TIMEOUT_S, alive=lambda: killed.poll() is None)
            assert project.processes(), "gunicorn, its workers and h2o"
        finally:
            killed.kill()
    assert wait_until(lambda: not project.processes(), timeout_s=10.0, alive=lambda: True)
    notes = [note for note in find_interrupted() if note.name.startswith(project.runs()[0].name)]
    assert [sweep_interrupted(note).killed for note in notes] == [0], (
        "what `harness clean` would find: nothing left to kill"
    )
