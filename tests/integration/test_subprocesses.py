"""Helper programs of the harness: nothing of them outlives their wait, whether or not they share a reaper."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest

from harness.core import keeping, procfs
from harness.core.errors import SurroundingsError
from harness.core.subprocesses import run, sharing_reaper

LEAVES_A_CHILD = ["sh", "-c", "setsid sleep 61.25 & echo $! > child; sleep 61.25"]


def run_here(command: list[str], folder: Path, timeout_s: float = 10) -> str:
    return run(command, cwd=folder, environ=os.environ, timeout_s=timeout_s).stdout


def test_programs_of_a_block_share_a_reaper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str] | None] = []
    start = keeping.start_reaper

    def start_and_count(marker: str) -> subprocess.Popen[str] | None:
        started.append(start(marker))
        return started[-1]

    monkeypatch.setattr(keeping, "start_reaper", start_and_count)
    with sharing_reaper("the test"):
        assert [run_here(["echo", word], tmp_path) for word in ("one", "two")] == ["one\n", "two\n"]
        assert len(started) == 1
    assert run_here(["echo", "three"], tmp_path) == "three\n"
    assert [reaper is not None and reaper.poll() for reaper in started] == [0, 0]


@pytest.mark.parametrize("block", [nullcontext(), sharing_reaper("the test")], ids=["alone", "shared"])
def test_one_that_takes_too_long_is_ended_with_its_children_at_once(
    tmp_path: Path, block: AbstractContextManager[None]
) -> None:
    with block:
        began_s = time.monotonic()
        with pytest.raises(SurroundingsError, match="was not done within"):
            run_here(LEAVES_A_CHILD, tmp_path, timeout_s=0.5)
        assert time.monotonic() - began_s < 30, "the child holds the output, and was waited for"
        child = int((tmp_path / "child").read_text())
        assert child not in procfs.list_pids() or procfs.start_ticks(child) is None
        assert run_here(["echo", "still"], tmp_path) == "still\n"
