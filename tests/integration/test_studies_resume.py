"""`harness bisect` and `harness minimise` end at once on Ctrl-C, and go on after it and after a kill; --jobs."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.core import locks
from tests.integration.made_up_study import TIMES

ROOT = Path(__file__).resolve().parents[2]
STUDIES = {
    "bisect": ("bisect", "19.1.0", "19.6.0", "--python", "3.6"),
    "minimise": ("minimise", "19.6.0"),
}
PATIENCE_S = 60.0


def begin(out: Path, study: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.integration.made_up_study", str(out.parent), *STUDIES[study]]
    options = ("--finding", "socket-deleted", "--out", str(out), "--json", *more)
    return subprocess.Popen([*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(out: Path, study: str, *more: str) -> dict[str, Any]:
    process = begin(out, study, *more)
    said, complaints = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, complaints
    found: dict[str, Any] = json.loads(said)
    return found


def journal(out: Path) -> list[str]:
    file = out / "runs.jsonl"
    return file.read_text().splitlines()[1:] if file.exists() else []


def await_runs(out: Path, count: int) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while len(journal(out)) < count:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


@pytest.mark.parametrize("study", ["bisect", pytest.param("minimise", marks=pytest.mark.slow)])
def test_what_was_ended_goes_on_with_the_runs_that_it_has(tmp_path: Path, study: str) -> None:
    out = tmp_path / "study"
    for number, (sent, status) in enumerate(((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)), 1):
        process = begin(out, study)
        await_runs(out, 3 * number)
        process.send_signal(sent)
        _, complaints = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == status
        assert ("the same command goes on from" in complaints) == (sent is signal.SIGINT)
    kept = journal(out)
    found = finish(out, study)
    assert journal(out)[: len(kept)] == kept
    assert len(journal(out)) == found["runs"]
    if study == "bisect":
        assert (found["first"], found["direction"]) == ("19.6.0", "introduced")
    else:
        assert [row["setting"] for row in found["necessity"]] == ["bind", "threads", "max_requests"]
        assert found["complete"] is True
    before = (tmp_path / TIMES).read_text()
    assert finish(out, study)["runs"] == found["runs"]
    assert (tmp_path / TIMES).read_text() == before, "nothing was run again"
    assert finish(out, study, "--rerun")["runs"] == found["runs"]
    assert len((tmp_path / TIMES).read_text()) > len(before)


@pytest.mark.parametrize(("jobs", "at_once"), [((), 2), (("--jobs", "3"), 3)])
@pytest.mark.parametrize("study", ["bisect", pytest.param("minimise", marks=pytest.mark.slow)])
def test_runs_side_by_side_find_the_same(tmp_path: Path, study: str, jobs: tuple[str, ...], at_once: int) -> None:
    """Without --jobs, two where it is known beforehand that both are needed."""
    found = finish(tmp_path / "study", study, *jobs)
    assert found["first"] == "19.6.0" if study == "bisect" else found["complete"]
    times = [tuple(map(float, line.split())) for line in (tmp_path / TIMES).read_text().splitlines()]
    assert max(sum(began <= at < ended for began, ended in times) for at, _ in times) == at_once


def test_a_folder_of_another_study_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "study"
    finish(out, "minimise")
    process = begin(out, "minimise", "--workers", "3")
    _, complaints = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "holds another study" in complaints


@pytest.mark.parametrize("study", ["bisect", pytest.param("minimise", marks=pytest.mark.slow)])
def test_two_processes_do_not_work_in_one_folder(tmp_path: Path, study: str) -> None:
    """The second one leaves alone what the first has made, even where it is told to begin anew."""
    out = tmp_path / "study"
    runs = finish(out, study)["runs"]
    other = locks.try_exclusive(out / ".lock")  # as another process would have it, for as long as this test wants
    assert other is not None
    with contextlib.closing(other):
        second = begin(out, study, "--rerun")
        _, complaints = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 2
    assert "Another search works in" in complaints
    assert len(journal(out)) == runs
