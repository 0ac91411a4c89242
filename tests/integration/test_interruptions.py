"""Ctrl-C and kill -9 in each phase: nothing is left running, no half-written verdict, and the record so far is kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.clock import wait_until
from tests.integration.stubs import command, environ, find_marked, make_wheel, needs_tools

pytestmark = needs_tools
PHASES = ("boot", "control", "load", "settle")
LONG = ("--worker", "sync", "--workers", "2", "--max-requests", "100000", "--duration", "2", "--full-duration")


@pytest.fixture
def short() -> Iterator[Path]:
    """A temporary folder whose path leaves room for a socket's, and which the proxy's user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="rh-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def start(tmp_path: Path, short: Path) -> tuple[subprocess.Popen[str], Path, dict[str, str]]:
    out = tmp_path / "runs"
    variables = environ(RECYCLE_HARNESS_CACHE=str(tmp_path / "cache"), TMPDIR=str(short))
    argv = command("reproduce", make_wheel(tmp_path, "good"), *LONG, "--out", out)
    running = subprocess.Popen(
        argv, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    return running, out, variables


def await_phase(out: Path, running: subprocess.Popen[str], phase: str) -> Path:
    def reached() -> Path | None:
        for events in out.glob("2*/events.jsonl"):
            if f'"kind": "phase", "name": "{phase}"' in events.read_text():
                return events.parent
        return None

    run = wait_until(reached, timeout_s=40, alive=lambda: running.poll() is None)
    assert run is not None, running.communicate()
    return run


@pytest.mark.parametrize(
    ("number", "phase"),
    [
        *((signal.SIGINT, phase) for phase in PHASES),
        *(pytest.param(signal.SIGTERM, one, marks=() if one == "load" else pytest.mark.slow) for one in PHASES),
    ],
)
def test_an_interrupted_run_keeps_its_record_and_leaves_nothing(
    tmp_path: Path, short: Path, phase: str, number: signal.Signals
) -> None:
    running, out, _ = start(tmp_path, short)
    run = await_phase(out, running, phase)
    running.send_signal(number)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130, output + errors
    assert find_marked(out) == []
    assert list(short.glob("recycle-*")) == []
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["verdict"] == "inconclusive"
    assert "interrupted" in " ".join(verdict["reasons"])


def test_a_burst_of_signals_counts_as_one(tmp_path: Path, short: Path) -> None:
    running, out, _ = start(tmp_path, short)
    run = await_phase(out, running, "load")
    for _ in range(20):
        running.send_signal(signal.SIGTERM)
        running.send_signal(signal.SIGHUP)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130, output + errors
    assert "Traceback" not in errors
    assert find_marked(out) == []
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "inconclusive"


def test_a_signal_while_an_arm_is_stored_ends_the_scenario(tmp_path: Path, short: Path) -> None:
    """The next arm does not begin, and the exit code tells."""
    out = tmp_path / "runs"
    variables = environ(RECYCLE_HARNESS_CACHE=str(tmp_path / "cache"), TMPDIR=str(short))
    argv = command("scenario", "tcp", make_wheel(tmp_path, "good"), *LONG, "--out", out)
    running = subprocess.Popen(
        argv, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )

    def is_storing() -> bool:
        return any('"end"' in events.read_text() for events in out.glob("2*/arms/2*/events.jsonl"))

    assert wait_until(is_storing, timeout_s=40, alive=lambda: running.poll() is None), running.communicate()
    running.send_signal(signal.SIGTERM)
    output, errors = running.communicate(timeout=20)
    assert running.returncode == 130, output + errors
    assert len(list(out.glob("2*/arms/2*"))) == 1
    assert all((cell.parent / "verdict.json").exists() for cell in out.rglob("cell.json"))


@pytest.mark.parametrize("imported", ["harness.core.signals", "harness.core.errors", "harness.engine.options"])
def test_a_signal_during_the_imports_shows_no_traceback(imported: str) -> None:
    argv = [sys.executable, "-X", "importtime", *command("doctor")[1:]]
    with subprocess.Popen(argv, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while not (line := running.stderr.readline()).rstrip().endswith(f" {imported}"):
            assert line, "it was never imported"
        time.sleep(0.01)  # the handler comes right after the first of them
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=20)
    assert running.returncode == 130, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("phase", ["boot", pytest.param("control", marks=pytest.mark.slow), "load", "settle"])
def test_a_killed_run_is_ended_and_can_be_judged_later(tmp_path: Path, short: Path, phase: str) -> None:
    running, out, variables = start(tmp_path, short)
    run = await_phase(out, running, phase)
    running.kill()
    running.communicate(timeout=20)
    assert wait_until(lambda: not find_marked(out), timeout_s=10, alive=lambda: True), find_marked(out)
    assert not (run / "verdict.json").exists()
    cleaned = subprocess.run(command("clean"), env=variables, capture_output=True, text=True, check=True)
    assert str(run) in cleaned.stdout
    assert list(short.glob("recycle-*")) == []
    judged = subprocess.run(command("judge", run), env=variables, capture_output=True, text=True, check=False)
    assert judged.returncode == 3, judged.stdout + judged.stderr
    assert json.loads((run / "verdict.json").read_text())["verdict"] == "inconclusive"


def test_clean_ends_what_a_killed_run_left_behind_even_without_its_reaper(tmp_path: Path, short: Path) -> None:
    running, out, variables = start(tmp_path, short)
    await_phase(out, running, "load")
    members = find_marked(out)
    reapers = _children_named(running.pid, "reaper_start.run")
    assert len(reapers) == 1
    os.kill(reapers[0], signal.SIGKILL)
    running.kill()
    running.communicate(timeout=20)
    left = find_marked(out)  # whatever comes next, clean is called: a failed test must not leave servers behind
    cleaned = subprocess.run(command("clean"), env=variables, capture_output=True, text=True, check=True)
    assert left, members
    assert "of its processes still ran" in cleaned.stdout
    assert find_marked(out) == []


def _children_named(parent: int, name: str) -> list[int]:
    found = []
    for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
        try:
            command_line = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):  # a short-lived child, such as one that tells a version
            continue
        if name.encode() in command_line:
            found.append(int(pid))
    return found
