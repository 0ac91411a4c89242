from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.model import Cell
from harness.engine.readiness import await_workers
from harness.engine.running_stack import Stack
from harness.engine.timings import Timings
from harness.watch.progress import Progress
from tests.unit.events import event


@dataclass
class Server:
    status: int | None = None

    def poll(self) -> int | None:
        return self.status


def make_stack(tmp_path: Path, server: Server, progress: Progress) -> Stack:
    (tmp_path / "gunicorn.error.log").write_text("ImportError: no shop\n")
    stack = SimpleNamespace(
        cell=Cell(spec="1.0", workers=2, gunicorn="1.0"),
        logs=tmp_path,
        backend=SimpleNamespace(fetch=lambda path: None),
        command=SimpleNamespace(user=None),
        gunicorn=server,
        environment=SimpleNamespace(python_version="3.11.0"),
        progress=progress,
        timings=Timings(boot_s=0.05, fork_s=0.1),
    )
    return cast(Stack, stack)


def hear(progress: Progress, kind: str, **fields: Any) -> None:
    progress.hear(event(1, kind, **fields))


def say_ready(progress: Progress, *pids: int) -> None:
    for pid in pids:
        hear(progress, "log", pid=pid, state="ready", text="", level="INFO")


def test_only_live_workers_count_as_ready() -> None:
    progress = Progress()
    say_ready(progress, 1, 2)
    assert progress.ready_workers == 0
    hear(progress, "workers", live=[[2, 20], [3, 30]])
    assert progress.ready_workers == 1


def test_it_waits_until_the_last_one_is_ready(tmp_path: Path) -> None:
    progress = Progress()
    hear(progress, "workers", live=[[1, 10], [2, 20]])
    say_ready(progress, 1)
    later = threading.Timer(0.1, say_ready, (progress, 2))
    later.start()
    await_workers(make_stack(tmp_path, Server(), progress))
    assert progress.ready_workers == 2
    later.join()


def test_a_worker_that_never_gets_ready_is_an_error(tmp_path: Path) -> None:
    progress = Progress()
    hear(progress, "workers", live=[[1, 10], [2, 20]])
    say_ready(progress, 1)
    with pytest.raises(SurroundingsError, match="Only 1 of 2 workers were ready"):
        await_workers(make_stack(tmp_path, Server(), progress))


def test_a_server_that_dies_meanwhile_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(UnrunnableError, match="ImportError: no shop"):
        await_workers(make_stack(tmp_path, Server(status=3), Progress()))
