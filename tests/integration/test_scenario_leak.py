"""The scenario ``leak`` on a real release: each answer is shown once with an app or settings that must give it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.integration.stubs import Ran, command, environ, find_marked, needs_tools, run_until_decided

pytestmark = needs_tools
RELEASE = "27.0.1"

ARBITER_KEEPS = """\
KEPT = []


def pre_fork(server, worker):
    KEPT.append(b"x" * (4 << 20))
"""


def run_leak(tmp_path: Path, *options: str) -> Ran:
    out = tmp_path / "runs"
    ran = run_until_decided(out, "scenario", "leak", RELEASE, *options)
    assert find_marked(out) == [], "something was left running"
    assert find_marked(out / "latest" / "arms") == [], "something was left running"
    return ran


@pytest.mark.parametrize("kind", ["objects", pytest.param("native", marks=pytest.mark.slow)])
def test_restarts_keep_a_leak_in_bounds(tmp_path: Path, kind: str) -> None:
    ran = run_leak(tmp_path, "--leak", kind, "--limit-mb", "100")
    assert (ran.code, ran.verdict["verdict"]) == (0, "holds"), ran.out + ran.err
    arms = ran.verdict["scenario"]["arms"]
    assert (arms["without"]["memory"], arms["with"]["memory"]) == ("grows", "bounded")
    assert 30_000 < arms["without"]["bytes_per_request"]["slope"] < 38_000, "it leaks 32 KiB"
    assert arms["without"]["peak_bytes"] > 2 * arms["with"]["peak_bytes"]
    assert arms["with"]["recycles"] >= 6
    assert 200 < ran.verdict["scenario"]["recommendation"]["max_requests"] < 1200


@pytest.mark.slow
def test_an_app_that_does_not_leak_holds(tmp_path: Path) -> None:
    ran = run_leak(tmp_path, "--leak", "none")
    assert (ran.code, ran.verdict["verdict"]) == (0, "holds"), ran.out + ran.err
    assert "No leak was found" in ran.out


@pytest.mark.slow
def test_an_arbiter_that_keeps_memory_at_each_restart_is_unbounded(tmp_path: Path) -> None:
    settings = tmp_path / "settings.py"
    settings.write_text(ARBITER_KEEPS)
    ran = run_leak(tmp_path, "--leak", "none", "--settings", str(settings))
    assert (ran.code, ran.findings) == (0, {"memory-unbounded"}), ran.out + ran.err
    arms = ran.verdict["scenario"]["arms"]
    assert (arms["without"]["memory"], arms["with"]["memory"]) == ("bounded", "unbounded")


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("nope:app", "can't load the app nope:app: ModuleNotFoundError: No module named 'nope'"),
        ("broken:app", "can't load the app broken:app: RuntimeError: no database"),
        ("broken500:nothing", "can't load the app broken500:nothing: Failed to find attribute"),
        ("broken500:app", "The app answers 500 from the start"),
    ],
)
def test_an_app_that_can_not_serve_is_an_error(tmp_path: Path, app: str, said: str) -> None:
    (tmp_path / "broken.py").write_text('raise RuntimeError("no database")\n')
    (tmp_path / "broken500.py").write_text('def app(environ, start):\n    start("500 No", [])\n    return []\n')
    done = subprocess.run(
        command("scenario", "leak", RELEASE, "--app", app, "--out", tmp_path / "runs"),
        cwd=tmp_path,
        env=environ(PYTHONPATH=str(Path(__file__).parents[2])),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert said in done.stdout
    assert any((tmp_path / "runs" / "latest" / "arms").iterdir()), "the failed run is kept"
    assert find_marked(tmp_path / "runs" / "latest" / "arms") == []
