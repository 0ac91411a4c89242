"""The reaper by itself: what it does when the harness ends, in order or not, early or late."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core import procfs, reaper, reaper_start
from harness.core.clock import wait_until
from harness.core.keeping import start_reaper

LATE_S = reaper_start.SHORT_MS / 1000 + 0.3
WHEN = (pytest.param(0.0, id="at once"), pytest.param(LATE_S, id="late", marks=pytest.mark.waits))


@pytest.fixture
def marker() -> str:
    return f"test-of-the-reaper.{os.urandom(4).hex()}"


@pytest.fixture
def left(marker: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the run, which the harness would have left behind."""
    argv = [sys.executable, "-S", "-c", "import time; time.sleep(30)"]
    with subprocess.Popen(argv, env={reaper.MARKER: marker}, start_new_session=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("after_s", WHEN)
def test_a_killed_harness_leaves_nothing(
    marker: str, left: subprocess.Popen[bytes], after_s: float, tmp_path: Path
) -> None:
    (tmp_path / "f").touch()
    running = start_reaper(marker)
    assert running is not None
    assert running.stdin is not None
    with running, running.stdin as channel:
        channel.write(f"leader {left.pid} {procfs.start_ticks(left.pid)}\npath {os.fsencode(tmp_path / 'f').hex()}\n")
        channel.flush()
        time.sleep(after_s)
        assert left.poll() is None
    assert wait_until(lambda: left.poll() is not None, timeout_s=5, alive=lambda: True)
    assert running.returncode == 0
    assert not (tmp_path / "f").exists()


@pytest.mark.parametrize("after_s", WHEN)
def test_an_end_in_order_touches_nothing(marker: str, left: subprocess.Popen[bytes], after_s: float) -> None:
    running = start_reaper(marker)
    assert running is not None
    assert running.stdin is not None
    with running, running.stdin as channel:
        channel.write(f"leader {left.pid} {procfs.start_ticks(left.pid)}\n")
        channel.flush()
        time.sleep(after_s)
        channel.write("done\n")
    assert running.returncode == 0
    assert left.poll() is None


def test_a_line_that_is_cut_off_is_no_end_in_order(marker: str, left: subprocess.Popen[bytes]) -> None:
    running = start_reaper(marker)
    assert running is not None
    assert running.stdin is not None
    with running, running.stdin as channel:
        channel.write(f"leader {left.pid} {procfs.start_ticks(left.pid)}\ndon")
    assert left.wait(5) == -9
