"""The ladder back on real releases: what heals the deleted socket, and an app that hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.stubs import needs_tools, run_harness

pytestmark = [needs_tools, pytest.mark.slow]

RUNS_DRY = """\
import threading

served, lock = 0, threading.Lock()
lock.acquire()


def app(environ, start_response):
    global served
    served += 1
    if served > 300:
        lock.acquire()  # as a pool that nobody gives anything back to
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.parametrize(
    ("spec", "options", "needed"),
    [
        ("19.6.0", (), "restart"),
        ("27.0.1", ("--worker=sync", "--disturb=remove-socket"), "restart"),
        ("27.0.1", ("--worker=sync", "--disturb=kill-arbiter"), "restart"),
        ("27.0.1", ("--max-requests=0", "--duration=2", "--app=runs_dry:app"), "reload"),
        ("23.0.0", ("--worker=sync",), None),
    ],
)
def test_what_heals_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, options: tuple[str, ...], needed: str | None
) -> None:
    (tmp_path / "runs_dry.py").write_text(RUNS_DRY)
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    ran = run_harness(tmp_path / "runs", "reproduce", spec, "--profile=quick", "--recover", "--seed=3", *options)
    assert ran.verdict["recovery"]["healed_by"] == needed, ran.out
    assert ran.verdict["recovery"]["needed"] is (needed is not None)
    assert "Recovery: " in ran.out
