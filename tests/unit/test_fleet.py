"""The load waits for all workers, for as long as more of them come."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.core.events.base import Event
from harness.core.events.fleet import Fleet
from harness.core.findings import FindingId
from harness.core.model import Cell, Outcome
from harness.engine.accounts import NOTES_FILE
from harness.engine.fleet import await_fleet, read_loaded
from harness.engine.idle_workers import read_graceful_s
from harness.engine.running_stack import Stack
from harness.engine.timings import Timings
from harness.watch.progress import Progress
from tests.unit.events import event, healthy

CELL = Cell(spec="1.0", workers=2)
ARBITER = 100


def make_stack(tmp_path: Path, progress: Progress, said: list[Event], *, status: int | None = None) -> Stack:
    stack = SimpleNamespace(
        cell=CELL,
        logs=tmp_path,
        arbiter_pid=ARBITER,
        backend=SimpleNamespace(fetch=lambda path: None),
        gunicorn=SimpleNamespace(poll=lambda: status),
        progress=progress,
        sink=SimpleNamespace(emit=said.append),
        timings=Timings(boot_s=2.0, fleet_still_s=0.15, fleet_boots=1, fleet_worker_s=0.0),
    )
    return cast(Stack, stack)


def hear(progress: Progress, kind: str, **fields: Any) -> None:
    progress.hear(event(1, kind, **fields))


def boot(progress: Progress, *pids: int) -> None:
    for pid in pids:
        hear(progress, "log", pid=pid, state="booted", text="", level="INFO")


def live(progress: Progress, *pids: int) -> None:
    hear(progress, "workers", live=[[pid, pid] for pid in pids])


def load_app(tmp_path: Path, *pids: int) -> None:
    with (tmp_path / NOTES_FILE).open("a") as notes:
        notes.writelines(f"worker {pid} -\n" for pid in pids)


def wait(tmp_path: Path, progress: Progress, **more: Any) -> tuple[bool, list[Event]]:
    said: list[Event] = []
    return await_fleet(make_stack(tmp_path, progress, said, **more), boot_s=0.0), said


def fleet_of(said: list[Event]) -> tuple[int, int, bool]:
    (one,) = said
    assert isinstance(one, Fleet)
    return one.live, one.ready, one.complete


def test_it_waits_until_the_last_worker_has_loaded_its_app(tmp_path: Path) -> None:
    progress = Progress()
    live(progress, 1, 2)
    boot(progress, 1, 2)
    load_app(tmp_path, 1)
    later = threading.Timer(0.1, load_app, (tmp_path, 2))
    later.start()
    goes_on, said = wait(tmp_path, progress)
    later.join()
    assert (goes_on, fleet_of(said)) == (True, (2, 2, True))


def test_where_one_never_gets_ready_there_is_no_load(tmp_path: Path) -> None:
    progress = Progress()
    live(progress, 1, 2)
    boot(progress, 1, 2)
    load_app(tmp_path, 1)
    goes_on, said = wait(tmp_path, progress)
    assert (goes_on, fleet_of(said)) == (False, (2, 1, False))


def test_where_gunicorn_starts_no_more_the_load_shows_it(tmp_path: Path) -> None:
    progress = Progress()
    live(progress, 1)
    boot(progress, 1)
    load_app(tmp_path, 1)
    goes_on, said = wait(tmp_path, progress)
    assert (goes_on, fleet_of(said)) == (True, (1, 1, False))


@pytest.mark.parametrize("loaded_by", [(), (ARBITER,)])
def test_without_a_word_of_the_app_the_log_is_believed(tmp_path: Path, loaded_by: tuple[int, ...]) -> None:
    """The app is loaded by the arbiter (preload_app), or it is the user's own."""
    progress = Progress()
    live(progress, 1, 2)
    boot(progress, 1, 2)
    load_app(tmp_path, *loaded_by)
    assert wait(tmp_path, progress)[0]


def test_without_a_word_of_the_log_the_children_are_counted(tmp_path: Path) -> None:
    progress = Progress()
    live(progress, 1, 2)
    assert fleet_of(wait(tmp_path, progress)[1]) == (2, 2, True)


def test_nobody_waits_where_the_socket_file_or_the_arbiter_has_gone(tmp_path: Path) -> None:
    assert wait(tmp_path, Progress(), status=3) == (True, [])
    progress = Progress()
    hear(progress, "socket", action="deleted", inode=None)
    assert wait(tmp_path, progress) == (True, [])


def test_the_notes_name_who_has_loaded_the_app(tmp_path: Path) -> None:
    assert read_loaded(tmp_path / NOTES_FILE) == set()
    (tmp_path / NOTES_FILE).write_text("worker 7 -\nw12 7 3\nworker 8\n")
    assert read_loaded(tmp_path / NOTES_FILE) == {7, 8}


def test_a_fleet_that_was_not_complete_is_never_a_holds() -> None:
    fleet = {"configured": 2, "live": 2, "waited_ns": 10**9}
    assert healthy().add(-0.1, "fleet", **fleet, ready=2).judge().outcome is Outcome.HOLDS
    verdict = healthy().add(-0.1, "fleet", **fleet, ready=1).judge()
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reasons[0].startswith("only 1 of 2 workers were ready 1.0 s after the first answer (2 were alive)")


def test_who_served_nothing_while_others_did() -> None:
    progress = Progress()
    live(progress, 1, 2)
    boot(progress, 1, 2)
    hear(progress, "served", by_pid={"1": {"200": 30}, "2": {"200": 1}})
    hear(progress, "served", by_pid={"1": {"200": 70}})
    hear(progress, "log", pid=2, state="restarting", text="", level="INFO")
    counts = {one.pid: (one.served_by_others, one.announced_s is not None) for one in progress.find_idle()}
    assert counts == {1: (0, False), 2: (70, True)}
    live(progress, 1)
    assert [one.pid for one in progress.find_idle()] == [1]


@pytest.mark.parametrize(
    ("settings", "graceful_s"),
    [("", 30.0), ("graceful_timeout = 2\n", 2.0), ("graceful_timeout=1\ngraceful_timeout = 2.5\n", 2.5)],
)
def test_how_long_a_worker_may_take_to_end(settings: str, graceful_s: float) -> None:
    assert read_graceful_s(f"workers = 2\n{settings}") == graceful_s


def test_a_missing_worker_that_nobody_started_is_the_release_s_fault() -> None:
    record = healthy(replace(healthy().cell, workers=3)).add(
        -0.1, "fleet", configured=3, live=2, ready=2, waited_ns=10**9
    )
    assert record.found() == [FindingId.WORKERS_NOT_RESPAWNED]
