"""Somebody else signals a process of a run: that is interference, and says nothing of gunicorn."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.stubs import command, environ, needs_tools

pytestmark = needs_tools
RELEASE = "27.0.1"
QUICK = ("--profile", "quick", "--duration", "4", "--full-duration")
PATIENCE_S = 60.0


def read_events(out: Path) -> list[dict[str, Any]]:
    """The whole lines of the only record below ``out``, as far as it is written."""
    found = [path.read_text() for path in out.glob("2*/events.jsonl")]
    return [json.loads(line) for text in found for line in text.rpartition("\n")[0].splitlines()]


def await_load(out: Path) -> None:
    """Until the load has been under way for a moment."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        if any(event["kind"] == "load" for event in read_events(out)):
            time.sleep(0.7)
            return
        time.sleep(0.05)
    raise AssertionError("the load never began")


def pids(events: list[dict[str, Any]], who: str) -> Iterator[int]:
    """Of the newest of this kind first; of workers the youngest, for the oldest may be a zombie by now."""
    for event in reversed(events):
        if who == "worker" and event["kind"] == "workers":
            yield from (pid for pid, _ in sorted(event["live"], key=lambda one: one[1], reverse=True))
        elif event["kind"] == who and event.get("state") == "started":
            yield event["pid"]


def send(out: Path, who: str, number: signal.Signals) -> int:
    """Signal one of them; a worker may have come to its limit since it was last seen, then the next one is tried."""
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        target = next(pids(read_events(out), who))
        with contextlib.suppress(ProcessLookupError):
            os.kill(target, number)
            return target
    raise AssertionError(f"no {who} lived for long enough to be signalled")


@pytest.mark.parametrize(
    ("who", "number"),
    [
        ("worker", signal.SIGKILL),
        pytest.param("worker", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("worker", signal.SIGSTOP, marks=pytest.mark.slow),
        pytest.param("arbiter", signal.SIGKILL, marks=pytest.mark.slow),
        pytest.param("arbiter", signal.SIGTERM, marks=pytest.mark.slow),
        pytest.param("arbiter", signal.SIGSTOP, marks=pytest.mark.slow),
    ],
)
def test_a_signal_from_outside_is_interference(who: str, number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "runs"
    argv = command("reproduce", RELEASE, *QUICK, "--out", out)
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ()) as harness:
        await_load(out)
        target = send(out, who, number)
        if number == signal.SIGSTOP:
            time.sleep(0.5)
            os.kill(target, signal.SIGCONT)
        harness.wait(PATIENCE_S)
    verdict = json.loads((out / "latest" / "verdict.json").read_text())
    assert (verdict["verdict"], verdict["findings"]) == ("inconclusive", []), verdict["reasons"]
    assert "interference" in {note["id"] for note in verdict["notes"]}
