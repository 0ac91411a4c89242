"""The observer from both ends: the harness's, and a real outpost in a process of its own, without a container."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.backends.docker import observer as observing
from harness.backends.docker.observer import Observer
from harness.core.clock import now_ns, wait_until
from harness.core.errors import SurroundingsError
from harness.core.events.base import Event
from harness.core.model import Cell
from harness.watch.event_log import EventSink
from harness.watch.remote import pid_file
from tests.unit.events import fields_of

ROOT = Path(__file__).resolve().parents[2]
HEAD = 8
STDOUT, STDERR = 1, 2


class Engine:
    """What an engine does to a container's output: it puts a head before each piece. ``at_once``: sizes of pieces."""

    def __init__(self, *, shift_ns: int = 0, garbage: bytes = b"") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _OUTPOST.format(shift_ns=shift_ns)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._held = struct.pack(">BxxxL", STDERR, len(garbage)) + garbage if garbage else b""

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def receive(self, size: int) -> bytes:
        assert self._process.stdout is not None
        if not self._held:
            piece = os.read(self._process.stdout.fileno(), 7)  # lines come torn, as they do through an engine
            if not piece:
                return b""
            self._held = struct.pack(">BxxxL", STDOUT, len(piece)) + piece
        taken, self._held = self._held[:size], self._held[size:]
        return taken

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=10)

    def let_go(self) -> None:
        """When nobody reads any more."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # an order that nobody was left to read
                    stream.close()


_OUTPOST = """
import time
real, shift_ns = time.clock_gettime_ns, {shift_ns}
if shift_ns:
    time.clock_gettime_ns = lambda clock: real(clock) + shift_ns
from harness.watch import remote
remote.main()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Makes observers; what they see is in ``seen``."""

    sink: EventSink
    seen: list[Event]
    made: list[tuple[Engine, Observer]]

    def connect(self, engine: Engine | None = None) -> Observer:
        engine, observer = engine or Engine(), Observer()
        self.made.append((engine, observer))
        observer.report_to(self.sink)
        observer.connect(engine)
        return observer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(sink=EventSink(tmp_path / "events.jsonl"), seen=[], made=[])
    bench.sink.listen(bench.seen.append)
    yield bench
    for engine, _ in bench.made:
        engine.kill()
        for thread in threading.enumerate():
            if thread.name == "observer":
                thread.join(timeout=10)
        engine.let_go()
    bench.sink.close()


def watch(observer: Observer, folder: Path) -> Path:
    socket = folder / "socket" / "gunicorn.sock"
    socket.parent.mkdir()
    observer.watch_files(Cell(spec="1.0"), logs=folder, socket=socket, trace=folder / "trace.jsonl", site="")
    return socket


def test_what_the_outpost_sees_arrives_before_its_next_answer(tmp_path: Path, bench: Bench) -> None:
    observer = bench.connect()
    socket = watch(observer, tmp_path)
    before_ns = now_ns()
    socket.touch()
    assert observer.exists(socket)
    socket.unlink()
    (tmp_path / "gunicorn.error.log").write_text("[2026-01-01 00:00:00 +0000] [7] [INFO] Booting worker with pid: 7\n")
    observer.stop()
    actions = sorted(str(fields_of(event)["action"]) for event in bench.seen if event.kind == "socket")
    assert actions == ["created", "deleted", "snapshot"]
    assert [fields_of(event)["pid"] for event in bench.seen if event.kind == "log"] == [7]
    assert all(before_ns <= event.at_ns <= now_ns() for event in bench.seen if event.kind == "socket")
    states = {fields_of(event)["name"]: fields_of(event)["state"] for event in bench.seen if event.kind == "watcher"}
    assert states == {"socket": "stopped", "logs": "stopped", "tallies": "stopped", "tracer": "expected"}


def test_another_clock_is_moved_to_ours(tmp_path: Path, bench: Bench) -> None:
    hour_ns = 3_600_000_000_000
    observer = bench.connect(Engine(shift_ns=hour_ns))
    assert abs(observer.clock_offset_ns + hour_ns) < observing.SAME_CLOCK_NS
    before_ns = now_ns()
    watch(observer, tmp_path).touch()
    observer.stop()
    created = next(event for event in bench.seen if event.kind == "socket")
    assert abs(created.at_ns - before_ns) < 2_000_000_000


def test_one_clock_is_left_alone(bench: Bench) -> None:
    observer = bench.connect()
    assert observer.clock_offset_ns == 0


def test_an_outpost_that_dies_leaves_blind_watchers_and_answers_no_more(tmp_path: Path, bench: Bench) -> None:
    engine = Engine(garbage=b"out of memory\n")
    observer = bench.connect(engine)
    watch(observer, tmp_path)
    engine.kill()
    assert wait_until(
        lambda: any(fields_of(event).get("state") == "died" for event in bench.seen), timeout_s=10.0, alive=lambda: True
    )
    with pytest.raises(SurroundingsError, match="out of memory"):
        observer.exists(tmp_path)
    with pytest.raises(SurroundingsError):
        observer.ask("127.0.0.1:1")
    observer.stop()  # nobody is left to be asked
    dead = {fields_of(event)["name"] for event in bench.seen if fields_of(event).get("state") == "died"}
    assert dead == {"socket", "logs", "tallies"}


def test_an_order_that_fails_there_is_raised_here(bench: Bench) -> None:
    observer = bench.connect()
    with pytest.raises(SurroundingsError, match="TypeError"):
        observer.order("watch_arbiter", nonsense=1)
    assert observer.exists(ROOT)  # and it goes on


def test_the_load_s_use_of_the_cores_outlives_it(tmp_path: Path, bench: Bench) -> None:
    observer = bench.connect()
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    pid_file(tmp_path, "wrk").write_text(f"{busy.pid}\n")
    before_s = observer.read_usage([]).own_s
    assert observer.find_pid(tmp_path, "wrk", metered=True) == busy.pid
    used = wait_until(lambda: observer.read_usage([]).own_s > before_s + 0.2, timeout_s=30.0, alive=lambda: True)
    busy.kill()
    busy.wait()
    assert used
    assert observer.read_usage([]).own_s > before_s + 0.2


def test_a_request_is_sent_from_there(bench: Bench, tmp_path: Path) -> None:
    observer = bench.connect()
    assert observer.ask(f"unix:{tmp_path}/nobody.sock") == "missing"


def test_without_a_connection_there_is_nothing_to_stop() -> None:
    observer = Observer()
    observer.stop()
    with pytest.raises(SurroundingsError, match="never started"):
        observer.exists(Path("/"))
