"""The action on a checkout of gunicorn, as a runner would run it: `make action`; minutes.

24.0.0 looked a signal's handler up by a name for which it had none, and its workers never came back; 24.1.0 has one
line more. A change that takes this line away again has to be stopped, and one that changes nothing has to pass.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from tests.integration.action_steps import Job, run_action
from tests.integration.stubs import needs_tools
from tests.mutants.subjects import fetch_distribution

pytestmark = [pytest.mark.slow, needs_tools]

RELEASE = "24.1.0"
MOST_S = 300.0
THE_LINE = "    handle_cld = handle_chld\n"
PROJECT = f"""
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "gunicorn"
version = "{RELEASE}"
dependencies = ["packaging"]

[tool.setuptools]
packages = {{ find = {{ include = ["gunicorn*"] }} }}
"""


def git(folder: Path, *arguments: str) -> str:
    argv = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost", *arguments]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "gunicorn"
    shutil.copytree(fetch_distribution(RELEASE) / "gunicorn", folder / "gunicorn")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / ".gitignore").write_text("__pycache__\n*.egg-info\nbuild\n")
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", RELEASE)
    return folder


def change(folder: Path, before: str, after: str) -> str:
    """Commit a change of the arbiter; returns the commit before it."""
    base = git(folder, "rev-parse", "HEAD")
    arbiter = folder / "gunicorn" / "arbiter.py"
    text = arbiter.read_text()
    assert before in text
    arbiter.write_text(text.replace(before, after))
    git(folder, "commit", "-qam", "a change")
    return base


def run_timed(folder: Path, temp: Path, base: str) -> Job:
    began_s = monotonic()
    job = run_action(folder, temp, base=base)
    took_s = monotonic() - began_s
    print(f"{took_s:.0f} s\n{job.said}")
    assert took_s < MOST_S
    return job


def test_the_fault_of_24_0_0_is_stopped(checkout: Path, tmp_path: Path) -> None:
    job = run_timed(checkout, tmp_path / "temp", change(checkout, THE_LINE, ""))
    assert job.code == 1, job.said
    assert job.outputs["verdict"] == "violated"
    assert "::error title=" in job.said
    assert "workers-not-respawned" in job.said
    assert "```mermaid" in job.summary
    assert "workers-not-respawned" in Path(job.outputs["report"]).read_text()
    assert list((job.artefact / "bundles").glob("*.zip"))


def test_a_harmless_change_passes(checkout: Path, tmp_path: Path) -> None:
    base = change(checkout, "class Arbiter", "# The arbiter starts workers and replaces them.\nclass Arbiter")
    job = run_timed(checkout, tmp_path / "temp", base)
    assert job.code == 0, job.said
    assert job.outputs["verdict"] in ("holds", "inconclusive")
    assert "::error" not in job.said
