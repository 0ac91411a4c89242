"""Small matrices for real: side by side, killed and resumed, two at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.clock import wait_until
from tests.integration.stubs import command, environ, find_marked, needs_tools

pytestmark = needs_tools

BAD, GOOD = "19.6.0", "27.0.1"
QUICK = ("matrix", "--versions", f"{BAD},{GOOD}", "--profile", "quick", "--jobs", "2")
EXPECTED = {
    (BAD, "gthread"): ["socket-deleted", "permanent-outage"],
    (BAD, "sync"): [],
    (GOOD, "gthread"): [],
    (GOOD, "sync"): [],
}


def run_matrix(out: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    done = subprocess.run(
        command(*QUICK, *arguments, "--out", out),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=environ(),
    )
    stored = out / "matrix.json"
    return done, json.loads(stored.read_text()) if stored.exists() else {}


def start_matrix(out: Path, *arguments: str) -> subprocess.Popen[str]:
    argv = command(*QUICK, *arguments, "--out", out)
    return subprocess.Popen(argv, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def findings(matrix: dict[str, Any]) -> dict[tuple[str, str], list[str]]:
    """What is steady: an answer that is lost before the socket file goes is a matter of luck."""
    return {
        (cell["cell"]["gunicorn"], cell["cell"]["worker"]): [
            finding for finding in cell["findings"] if finding not in cell["expected"]["sometimes"]
        ]
        for cell in matrix["cells"]
    }


def records(out: Path) -> list[Path]:
    return sorted(path.parent for path in out.glob("*/2*/verdict.json"))


def left_running(out: Path) -> list[int]:
    """Processes that carry the marker of a run of the matrix, or belong to the matrix itself."""
    of_runs = [pid for cell in out.iterdir() if cell.is_dir() for pid in find_marked(cell)]
    return of_runs + [pid for pid in find_by_argument(str(out)) if pid != os.getpid()]


def find_by_argument(text: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in arguments:
                found.append(int(entry.name))
    return found


def await_records(out: Path, running: subprocess.Popen[str], count: int) -> None:
    """Until so many runs have a verdict and another one is under way."""

    def reached() -> bool:
        started = len(list(out.glob("*/2*/cell.json")))
        return started > len(records(out)) >= count

    assert wait_until(reached, timeout_s=120, alive=lambda: running.poll() is None), running.communicate()


@pytest.mark.slow
def test_cells_side_by_side_and_one_after_the_other_give_the_same_verdicts(tmp_path: Path) -> None:
    done, parallel = run_matrix(tmp_path / "parallel")
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings(parallel) == EXPECTED
    done, serial = run_matrix(tmp_path / "serial", "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings(serial) == findings(parallel)
    assert serial["transitions"] == [], "one run of each may be chance"
    assert [(row["worker"], row["finding"], row["after"]["release"]) for row in serial["undecided"]][:2] == [
        ("gthread", "socket-deleted", GOOD),
        ("gthread", "permanent-outage", GOOD),
    ]
    for record in records(tmp_path / "parallel"):  # also those of runs that hold, which were made smaller
        judged = subprocess.run(command("judge", record), capture_output=True, text=True, check=False, env=environ())
        assert judged.returncode == 0, judged.stderr
        assert judged.stderr == ""


def test_json_is_all_there_is_on_standard_output(tmp_path: Path) -> None:
    done, stored = run_matrix(tmp_path, "--workers", "gthread", "--versions", BAD, "--json", "--keep-logs", "all")
    assert json.loads(done.stdout) == stored
    assert done.stderr == ""
    assert len(list(tmp_path.rglob("gunicorn.access.log"))) == 1


def test_an_interrupted_matrix_keeps_what_it_has_and_is_resumed(tmp_path: Path) -> None:
    running = start_matrix(tmp_path)
    await_records(tmp_path, running, 1)
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=60)
    assert running.returncode == 130, output + errors
    assert left_running(tmp_path) == []
    stored = json.loads((tmp_path / "matrix.json").read_text())
    assert stored["interrupted"]
    counted = [run["path"] for cell in stored["cells"] for run in cell["runs"]]
    assert 1 <= len(counted) < len(EXPECTED)
    done, whole = run_matrix(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings(whole) == EXPECTED
    assert set(counted) <= {run["path"] for cell in whole["cells"] for run in cell["runs"]}, "they were not run again"


@pytest.mark.slow
def test_a_killed_matrix_leaves_nothing_running_and_is_resumed(tmp_path: Path) -> None:
    running = start_matrix(tmp_path)
    await_records(tmp_path, running, 1)
    before = records(tmp_path)
    running.kill()
    running.communicate(timeout=20)
    assert wait_until(lambda: not left_running(tmp_path), timeout_s=15, alive=lambda: True), left_running(tmp_path)
    done, whole = run_matrix(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert findings(whole) == EXPECTED
    assert set(before) <= set(records(tmp_path))
    without_verdict = sum(cell["set_aside"] for cell in whole["cells"])  # a busy machine's, tried once more
    assert len(records(tmp_path)) == len(EXPECTED) + without_verdict, "what was there was not run again"


@pytest.mark.slow
def test_two_matrices_at_once_share_the_work_and_agree(tmp_path: Path) -> None:
    both = [start_matrix(tmp_path) for _ in range(2)]
    ended = [running.communicate(timeout=300) for running in both]
    assert [running.returncode for running in both] == [0, 0], ended
    assert len(records(tmp_path)) == len(EXPECTED), "no cell was run twice"
    assert findings(json.loads((tmp_path / "matrix.json").read_text())) == EXPECTED
    assert left_running(tmp_path) == []


@pytest.mark.slow
def test_a_checkout_is_a_cell_like_any_other_and_a_changed_one_is_another(
    tmp_path: Path, checkout: Callable[[str], Path]
) -> None:
    tree = checkout(GOOD)
    only = ("--versions", str(tree), "--workers", "sync")
    done, first = run_matrix(tmp_path / "out", *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [cell["cell"]["gunicorn"] for cell in first["cells"]] == [GOOD]
    run_matrix(tmp_path / "out", *only)
    assert len(records(tmp_path / "out")) == 1
    module = tree / "gunicorn" / "__init__.py"
    module.write_text(module.read_text() + "\n# changed\n")
    done, _ = run_matrix(tmp_path / "out", *only)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(records(tmp_path / "out")) == 2


@pytest.fixture
def checkout(tmp_path: Path) -> Callable[[str], Path]:
    """A folder as a checkout of gunicorn has it, made of the release that is installed for the other cells."""

    def make(release: str) -> Path:
        from harness.provision.environments import prepare
        from harness.provision.spec import Release

        environment = prepare(Release(version=release), python=None, worker="sync", say=lambda _text: None)
        asked = subprocess.run(
            [str(environment.python), "-c", "import gunicorn; print(gunicorn.__path__[0])"],
            capture_output=True,
            text=True,
            check=True,
        )
        tree = tmp_path / "checkout"
        tree.mkdir()
        subprocess.run(["cp", "-r", asked.stdout.strip(), str(tree / "gunicorn")], check=True)  # noqa: S607 - any cp
        (tree / "pyproject.toml").write_text(
            '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
            f'[project]\nname = "gunicorn"\nversion = "{release}"\nrequires-python = ">=3.10"\n'
            '[tool.setuptools]\npackages = { find = { include = ["gunicorn*"] } }\n'
        )
        return tree

    return make


def test_the_program_starts_quickly_although_it_knows_the_matrix() -> None:
    """What the matrix needs is imported when it is called."""
    campaign = "harness.studies.matrix.campaign."
    program = f"import sys, harness.cli.main; print([name for name in sys.modules if name.startswith({campaign!r})])"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ())
    assert said.stdout.strip() == "[]"
