"""Ctrl-C and kill -9 in each phase: nothing is left running, no half-written verdict, and the record so far is kept."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
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


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
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


@pytest.mark.parametrize("phase", PHASES)
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
    reapers = _children_named(running.pid, "reaper.main")
    assert len(reapers) == 1
    os.kill(reapers[0], signal.SIGKILL)
    running.kill()
    running.communicate(timeout=20)
    left = find_marked(out)  # whatever comes next, clean is called: a failed test must not leave servers behind
    cleaned = subprocess.run(command("clean"), env=variables, capture_output=True, text=True, check=True)
    assert left, members
    assert "still running" in cleaned.stdout
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
