"""reproduce.sh for real: installs, starts, loads, answers, and leaves nothing behind."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness.core.model import Cell, Json
from harness.core.paths import fixtures_dir
from harness.provision import tools
from harness.report.as_script import render_script
from harness.stack import gunicorn
from harness.stack.programs import recipe_of
from harness.stack.proxies import PROXIES
from harness.stack.proxies.setting import Setting

SERIES = ("3.6", "3.7", "3.8", "3.9", "3.10")
"""What 19.5.0 and 19.6.0 run on."""


def find_python() -> tuple[str, str]:
    """(path, full version) of an interpreter that the old releases run on; skips where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for series in SERIES:
        for path in (*sorted(pyenv.glob(f"{series}.*/bin/python")), shutil.which(f"python{series}")):
            if path is None:
                continue
            asked = subprocess.run(
                [str(path), "-I", "-c", "import platform; print(platform.python_version())"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.returncode == 0 and asked.stdout.startswith(f"{series}."):
                return str(path), asked.stdout.strip()
    pytest.skip("no Python 3.6 to 3.10 is installed here")


def free_port() -> int:
    """One that nobody has, and that the kernel gives to no client's connection meanwhile: below all of those."""
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    pytest.fail("there is no free port")


def write_script(folder: Path, release: str, version: str, proxy: str = "h2o", load: str = "wrk") -> None:
    """``reproduce.sh`` from configuration files as the engine writes them."""
    cell = Cell(spec=release, gunicorn=release, python=version, proxy=proxy, load=load, duration_s=2)
    module = PROXIES[proxy]
    assert module is not None
    config = folder / "record" / "config"
    config.mkdir(parents=True)
    bind = "unix:/tmp/recycle-recorded/socket/gunicorn.sock"
    settings = gunicorn.render_config(
        (fixtures_dir() / "config.py.in").read_text(),
        cell,
        bind=bind,
        access_log="/srv/x/logs/gunicorn.access.log",
        shims=(),
    )
    (config / "config.py").write_text(settings)
    shutil.copy(fixtures_dir() / "web.py", config)
    template = (fixtures_dir() / "proxies" / module.TEMPLATE).read_text()
    user = module.user_when_root() if os.geteuid() == 0 else None
    setting = Setting(port=45672, upstream=bind, folder="/tmp/recycle-recorded/proxy", user=user)  # noqa: S108
    (config / module.CONFIG).write_text(module.render_config(template, setting))
    freeze: Json = ["bottle==0.12.13", f"gunicorn=={release}", "setuptools==59.6.0"]
    facts: dict[str, Json] = {
        "python": {"version": version},
        "gunicorn": {"version": release, "spec": release, "freeze": freeze},
    }
    (folder / "reproduce.sh").write_text(render_script(cell, facts, config))


def run_script(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end; ``stdout`` is all that it said."""
    return subprocess.run(
        ["sh", "reproduce.sh"],  # noqa: S607 - whatever sh is here
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=180,
    )


def left_running(folder: Path) -> list[str]:
    """The command lines of processes that work in ``folder``."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(folder):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # noqa: PERF203 - it has just ended, or it is somebody else's
            continue
    return found


def assert_nothing_is_left(folder: Path, port: int, output: str) -> None:
    deadline = time.monotonic() + 5
    while left_running(folder) and time.monotonic() < deadline:  # killed processes take a moment to vanish
        time.sleep(0.02)
    assert left_running(folder) == []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    for private in set(re.findall(r"[\w/]*/gunicorn-reproduce\.\w+", output)):
        assert not Path(private).exists()


@pytest.fixture
def prepared(tmp_path: Path) -> tuple[Path, dict[str, str], str]:
    """(an empty folder with a space in its name, the environment, the Python's full version)."""
    for tool in ("h2o", "wrk"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    python, version = find_python()
    folder = tmp_path / "an empty folder"
    folder.mkdir()
    return folder, {**os.environ, "PYTHON": python, "PORT": str(free_port())}, version


@pytest.mark.parametrize(
    ("release", "proxy", "status", "last_line"),
    [
        ("19.6.0", "h2o", 0, "REPRODUCED: the socket file is gone"),
        ("19.5.0", "h2o", 1, "NOT REPRODUCED: the socket file is there, "),
        pytest.param("19.6.0", "nginx", 0, "REPRODUCED: the socket file is gone", marks=pytest.mark.slow),
        pytest.param("19.6.0", "haproxy", 0, "REPRODUCED: the socket file is gone", marks=pytest.mark.slow),
        pytest.param("19.6.0", "caddy", 0, "REPRODUCED: the socket file is gone", marks=pytest.mark.slow),
    ],
)
def test_it_tells_the_releases_apart(
    prepared: tuple[Path, dict[str, str], str], release: str, proxy: str, status: int, last_line: str
) -> None:
    if tools.find_tool(recipe_of(proxy)) is None:
        pytest.skip(f"{proxy} is not installed here")
    folder, environment, version = prepared
    write_script(folder, release, version, proxy)
    ended = run_script(folder, environment)
    assert ended.stdout.splitlines()[-1].startswith(last_line), ended.stdout
    assert ended.returncode == status
    assert "20 of 20 requests answered, 5 of 5 workers" in ended.stdout
    assert_nothing_is_left(folder, int(environment["PORT"]), ended.stdout)


@pytest.mark.parametrize(
    ("number", "status"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow), (signal.SIGINT, 130)]
)
def test_a_signal_ends_everything_it_started(
    prepared: tuple[Path, dict[str, str], str], number: signal.Signals, status: int
) -> None:
    folder, environment, version = prepared
    write_script(folder, "19.6.0", version)
    with subprocess.Popen(
        ["sh", "reproduce.sh"],  # noqa: S607 - whatever sh is here
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as script:
        assert script.stdout is not None
        said = []
        for line in script.stdout:
            said.append(line)
            if line.startswith("Loading"):
                break
        script.send_signal(number)
        said.append(script.stdout.read())
        assert script.wait(timeout=20) == status, "".join(said)
    assert_nothing_is_left(folder, int(environment["PORT"]), "".join(said))


@pytest.mark.slow
def test_a_run_loaded_by_httpx_is_repeated_without_wrk(
    prepared: tuple[Path, dict[str, str], str], tmp_path: Path
) -> None:
    folder, environment, version = prepared
    write_script(folder, "19.6.0", version, load="httpx")
    bare = tmp_path / "bin"
    bare.mkdir()
    programs = {one.name: one for place in os.environ["PATH"].split(os.pathsep)[::-1] for one in Path(place).glob("*")}
    for name in programs.keys() - {"wrk"}:
        (bare / name).symlink_to(programs[name])
    ended = run_script(folder, environment | {"PATH": str(bare)})
    assert ended.stdout.splitlines()[-1].startswith("REPRODUCED: the socket file is gone"), ended.stdout
    assert (ended.returncode, (folder / "reproduction" / "client.py").exists()) == (0, True)
    assert re.search(r"^\d+ requests, \d+ answered, \d+ failed$", ended.stdout, re.MULTILINE)
    assert_nothing_is_left(folder, int(environment["PORT"]), ended.stdout)


def test_a_missing_tool_is_named(prepared: tuple[Path, dict[str, str], str], tmp_path: Path) -> None:
    folder, environment, version = prepared
    write_script(folder, "19.6.0", version)
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("sh", "sed", "rm", "sleep", "tail", "wc"):
        (bare / tool).symlink_to(shutil.which(tool) or tool)
    script = (folder / "reproduce.sh").read_text().replace("PATH=$PATH:/usr/sbin:/usr/local/sbin\n", "")
    (folder / "reproduce.sh").write_text(script)
    ended = subprocess.run(
        ["sh", "reproduce.sh"],  # noqa: S607 - whatever sh is here
        cwd=folder,
        env=environment | {"PATH": str(bare)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.startswith("MISSING: wrk ")) == (2, True)
