"""The watchers' frame, and the two that look at files and processes of this machine (with no process of their own)."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.core.clock import wait_until
from harness.core.events.base import Event
from harness.core.procfs import ChildList, start_ticks
from harness.watch import workers
from harness.watch.event_log import EventSink
from harness.watch.thread import JOIN_S, WatchThread
from harness.watch.workers import WorkerSampler, look_at
from tests.unit.events import fields_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="inotify and /proc are Linux")


class _Sink(EventSink):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.events: list[Event] = []
        self.listen(self.events.append)

    def said(self) -> list[tuple[str, Any]]:
        """What the watchers said about themselves."""
        return [(str(fields_of(e)["state"]), fields_of(e).get("detail")) for e in self.events if e.kind == "watcher"]

    def lives(self) -> list[Any]:
        return [fields_of(event)["live"] for event in self.events if event.kind == "workers"]

    def actions(self) -> list[str]:
        return [str(fields_of(event)["action"]) for event in self.events if event.kind == "socket"]


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[_Sink]:
    sink = _Sink(tmp_path / "events.jsonl")
    yield sink
    sink.close()


@contextmanager
def _running(
    loop: Callable[[threading.Event], None],
    sink: EventSink,
    wake: Callable[[], None] = lambda: None,
    join_s: float = JOIN_S,
) -> Iterator[None]:
    thread = WatchThread("it", loop, sink, wake, join_s=join_s)
    thread.start()
    try:
        yield
    finally:
        thread.stop()


def test_a_watcher_says_when_it_starts_and_stops(sink: _Sink) -> None:
    def loop(stop: threading.Event) -> None:
        stop.wait()

    with _running(loop, sink):
        assert sink.said() == [("started", None)]
    assert sink.said() == [("started", None), ("stopped", None)]


def test_a_watcher_that_raises_says_why_it_died_and_never_that_it_stopped(sink: _Sink) -> None:
    def loop(stop: threading.Event) -> None:
        raise RuntimeError("the kernel's inotify queue overflowed")

    with _running(loop, sink):
        pass
    assert sink.said() == [("started", None), ("died", "RuntimeError: the kernel's inotify queue overflowed")]


def test_a_watcher_that_does_not_stop_is_reported(sink: _Sink) -> None:
    release = threading.Event()

    def loop(_: threading.Event) -> None:
        release.wait()

    with _running(loop, sink, join_s=0.01):
        pass
    assert sink.said()[-1] == ("died", "did not stop within 0.01 s")
    release.set()


def test_a_watcher_that_was_never_started_can_be_stopped(sink: _Sink) -> None:
    WatchThread("it", lambda stop: None, sink).stop()
    assert sink.said() == []


@linux_only
class TestSocketWatcher:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        (tmp_path / "s").mkdir()
        return tmp_path / "s" / "g.sock"

    @contextmanager
    def _watch(self, path: Path, sink: _Sink) -> Iterator[Any]:
        from harness.watch.socket import SocketWatcher

        watcher = SocketWatcher(path, sink)
        with _running(watcher.loop, sink, watcher.wake):
            yield watcher

    def _bind(self, path: Path) -> int:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        return path.lstat().st_ino

    def test_bound_and_deleted(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink):
            inode = self._bind(path)
            assert wait_until(sink.actions, timeout_s=5, alive=lambda: True) == ["created"]
            path.unlink()
        assert sink.actions() == ["created", "deleted"]
        assert fields_of(sink.events[1])["inode"] == inode

    def test_what_is_still_queued_at_the_end_is_not_lost(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink):
            for _ in range(50):
                path.touch()
                path.unlink()
        assert sink.actions() == ["created", "deleted"] * 50

    def test_away_back_and_replaced(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink) as watcher:
            self._bind(path)
            path.rename(path.with_name("elsewhere"))
            path.with_name("elsewhere").rename(path)
            path.with_name("new").touch()
            path.with_name("new").replace(path)
            watcher.snapshot()
        actions = [action for action in sink.actions() if action != "snapshot"]
        assert actions == ["created", "moved", "created", "created"]
        (snapshot,) = (event for event in sink.events if fields_of(event).get("action") == "snapshot")
        assert fields_of(snapshot)["inode"] == path.lstat().st_ino

    def test_other_files_of_the_folder_do_not_count(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink):
            path.with_name("g.sock2").touch()
            path.with_name("g.sock2").unlink()
        assert sink.actions() == []

    def test_a_folder_that_is_moved_away_takes_the_path_with_it(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink) as watcher:
            path.touch()
            path.parent.rename(path.parent.with_name("t"))
            watcher.snapshot()
        assert "deleted" in sink.actions()
        assert [fields_of(e)["inode"] for e in sink.events if fields_of(e).get("action") == "snapshot"] == [None]

    def test_a_folder_that_is_moved_back_brings_the_path_again(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink):
            inode = self._bind(path)
            path.parent.rename(path.parent.with_name("t"))
            assert wait_until(lambda: "deleted" in sink.actions(), timeout_s=5, alive=lambda: True)
            path.parent.with_name("t").rename(path.parent)
        assert sink.actions() == ["created", "deleted", "created"]
        assert fields_of(sink.events[-2])["inode"] == inode

    def test_other_rights_of_the_file_and_of_its_folder_are_told_and_the_same_ones_are_not(
        self, path: Path, sink: _Sink
    ) -> None:
        with self._watch(path, sink):
            self._bind(path)
            assert wait_until(sink.actions, timeout_s=5, alive=lambda: True) == ["created"]
            for place, mode in ((path, 0o600), (path.parent, 0o711), (path.parent.parent, 0o755)):
                told = len(sink.actions())
                place.chmod(mode)
                assert wait_until(lambda: sink.actions()[told:], timeout_s=5, alive=lambda: True)  # noqa: B023 - at once
            path.chmod(0o600)
            os.utime(path)
        assert sink.actions() == ["created", "rights", "rights", "rights"]
        last = fields_of(next(event for event in reversed(sink.events) if event.kind == "socket"))
        assert last["mode"] & 0o7777 == 0o600
        assert [folder[1] & 0o777 for folder in last["folders"]][-2:] == [0o755, 0o711]

    def test_a_file_that_is_bound_anew_has_another_inode(self, path: Path, sink: _Sink) -> None:
        """Many file systems give the number of a removed file to the next one."""
        with self._watch(path, sink):
            first = self._bind(path)
            assert wait_until(sink.actions, timeout_s=5, alive=lambda: True)
            path.unlink()
            assert self._bind(path) != first

    def test_who_is_alive_is_told_when_the_path_changes(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink) as watcher:
            watcher.know_arbiter(os.getpid())
            self._bind(path)
            path.unlink()
        (looked,) = (fields_of(event)["live"] for event in sink.events if event.kind == "processes")
        assert next(pid for pid, _, _ in looked) == os.getpid()

    def test_as_whom_the_clients_come_is_told_with_what_the_path_is_then(self, path: Path, sink: _Sink) -> None:
        with self._watch(path, sink) as watcher:
            inode = self._bind(path)
            watcher.meet_clients(os.getpid())
        (rights,) = (fields_of(event) for event in sink.events if event.kind == "client-rights")
        assert (rights["pid"], rights["uid"]) == (os.getpid(), os.geteuid())
        assert os.getegid() == rights["groups"][0]
        (snapshot,) = (fields_of(event) for event in sink.events if fields_of(event).get("action") == "snapshot")
        assert snapshot["inode"] == inode

    def test_a_queue_that_overflows_ends_the_watch(
        self, path: Path, sink: _Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from inotify_simple import Event as Told
        from inotify_simple import INotify, flags

        monkeypatch.setattr(INotify, "read", lambda _self, timeout: [Told(-1, flags.Q_OVERFLOW, 0, "")])
        with self._watch(path, sink):
            path.touch()
            said = wait_until(lambda: sink.said()[1:], timeout_s=5, alive=lambda: True)
        assert said == [("died", "RuntimeError: the kernel's inotify queue overflowed: events are lost")]


@linux_only
class TestWorkerSampler:
    def test_nobody_has_no_children(self) -> None:
        children = ChildList(2**22 + 1)
        assert children.read() == b""
        children.close()

    def test_our_parent_has_us_with_our_start_time_however_often_it_is_asked(self) -> None:
        children = ChildList(os.getppid())
        for _ in range(3):
            assert look_at(children.read())[os.getpid()] == start_ticks(os.getpid())
        children.close()

    def test_a_child_that_is_gone_by_now_is_left_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workers, "start_ticks", lambda _: None)
        assert look_at(b"1 2 3 ") == {}

    def test_a_sample_is_emitted_on_change_and_at_the_end(self, sink: _Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        seen = iter([b"1 ", b"1 ", b"1 2 "])
        monkeypatch.setattr(ChildList, "read", lambda _: next(seen, b"1 2 "))
        monkeypatch.setattr(workers, "start_ticks", lambda pid: pid * 10)
        with _running(WorkerSampler(os.getpid(), sink).loop, sink):
            assert wait_until(lambda: next(seen, b"over") == b"over", timeout_s=5, alive=lambda: True)
        samples = [fields_of(event) for event in sink.events if event.kind == "workers"]
        assert samples[0] == {"live": [[1, 10]], "final": False}
        assert samples[-1] == {"live": [[1, 10], [2, 20]], "final": True}
        assert len(samples) <= 3

    def test_one_that_dies_and_stays_on_the_list_is_noticed(self, sink: _Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ChildList, "read", lambda _: b"1 2 ")
        dead = set[int]()
        monkeypatch.setattr(workers, "start_ticks", lambda pid: None if pid in dead else pid * 10)
        with _running(WorkerSampler(os.getpid(), sink).loop, sink):
            assert wait_until(lambda: sink.lives() == [[[1, 10], [2, 20]]], timeout_s=5, alive=lambda: True)
            dead.add(2)
            assert wait_until(lambda: sink.lives()[-1] == [[1, 10]], timeout_s=5, alive=lambda: True)

    def test_a_child_that_the_kernel_leaves_out_of_its_list_has_not_ended(
        self, sink: _Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It skips one where another ends while it writes them."""
        lists = iter([b"1 2 3 ", b"3 "])
        monkeypatch.setattr(ChildList, "read", lambda _: next(lists, b"2 3 "))
        monkeypatch.setattr(workers, "start_ticks", lambda pid: None if pid == 1 and sink.lives() else pid * 10)
        with _running(WorkerSampler(os.getpid(), sink).loop, sink):
            assert wait_until(lambda: sink.lives()[-1:] == [[[2, 20], [3, 30]]], timeout_s=5, alive=lambda: True)
        assert all([2, 20] in live for live in sink.lives())

    def test_a_kernel_that_lists_no_children_does_not_mean_that_there_are_none(
        self, sink: _Sink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(workers, "children_file", lambda pid: Path(f"/proc/{pid}/no-such-list"))
        with pytest.raises(RuntimeError, match="CONFIG_PROC_CHILDREN"):
            WorkerSampler(os.getpid(), sink).loop(threading.Event())

    def test_one_that_has_left_its_parent_is_no_child_of_it(self, sink: _Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        lists = iter([b"1 "])
        monkeypatch.setattr(ChildList, "read", lambda _: next(lists, b""))
        monkeypatch.setattr(workers, "start_ticks", lambda pid: pid * 10)
        with _running(WorkerSampler(os.getpid(), sink).loop, sink):
            assert wait_until(lambda: sink.lives() == [[[1, 10]], []], timeout_s=5, alive=lambda: True)

    def test_a_machine_that_stands_still_is_noticed(self, sink: _Sink, monkeypatch: pytest.MonkeyPatch) -> None:
        times = iter([0, 20_000_000, 5_020_000_000, 5_040_000_000])
        stop = threading.Event()

        def now() -> int:
            at_ns = next(times, None)
            if at_ns is None:
                stop.set()
            return at_ns or 5_060_000_000

        monkeypatch.setattr(workers, "now_ns", now)
        monkeypatch.setattr(ChildList, "read", lambda _: b"")
        WorkerSampler(1, sink).loop(stop)
        stalls = [(event.at_ns, fields_of(event)["gap_ns"]) for event in sink.events if event.kind == "stall"]
        assert stalls == [(20_000_000, 5_000_000_000)]
