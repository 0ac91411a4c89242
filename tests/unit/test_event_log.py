from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.events.base import Event
from harness.core.events.course import Phase
from harness.core.events.servers import GunicornLine, TracedRemoval
from harness.watch.event_log import EventSink


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_line(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    sink.emit(GunicornLine(at_ns=42, text="ä\n\u2028", pid=7, state=None))
    sink.emit(Phase(name="load"))
    sink.close()
    text = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    first, second, last, rest = text.split("\n")
    said = {"seq": 0, "at_ns": 42, "kind": "log", "text": "ä\n\u2028", "pid": 7, "state": None}
    assert json.loads(first) == said
    assert json.loads(second)["at_ns"] <= now_ns()
    assert json.loads(last).items() >= {"seq": 2, "kind": "end"}.items()
    assert rest == ""


def test_each_line_is_on_disk_at_once(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    sink.emit(Phase(name="load"))
    assert len(_lines(tmp_path / "events.jsonl")) == 1
    sink.close()


def test_a_path_that_is_no_utf_8_does_not_end_the_watch(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    paths = (os.fsdecode(b"/tmp/\xff/g.sock"),)
    sink.emit(TracedRemoval(at_ns=1, pid=1, ppid=1, call="os.unlink", failed=None, stack=(), paths=paths))
    sink.close()
    sink.check()
    event, _ = _lines(tmp_path / "events.jsonl")
    assert os.fsencode(event["paths"][0]) == b"/tmp/\xff/g.sock"


def test_listeners_hear_every_later_event(tmp_path: Path) -> None:
    sink, heard = EventSink(tmp_path / "events.jsonl"), list[Event]()
    sink.emit(Phase(at_ns=1, name="boot"))
    sink.listen(heard.append)
    sink.emit(Phase(at_ns=2, name="load"))
    assert heard == [Phase(at_ns=2, name="load")]
    sink.close()


def test_what_comes_after_the_end_is_neither_written_nor_heard(tmp_path: Path) -> None:
    sink, heard = EventSink(tmp_path / "events.jsonl"), list[Event]()
    sink.listen(heard.append)
    sink.close()
    sink.emit(Phase(name="late"))
    sink.close()
    assert [line["kind"] for line in _lines(tmp_path / "events.jsonl")] == ["end"]
    assert heard == []


def test_events_of_many_threads_are_never_mixed_up(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")

    def emit(number: int) -> None:
        for count in range(100):
            sink.emit(GunicornLine(at_ns=count, text="x" * 500, pid=number, state=None))

    threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    events = _lines(tmp_path / "events.jsonl")
    assert [event["seq"] for event in events] == list(range(401)), "with the line that ends the record"
    for number in range(4):
        assert [event["at_ns"] for event in events[:-1] if event["pid"] == number] == list(range(100))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_kept_for_the_engine_and_ends_no_watcher() -> None:
    sink, heard = EventSink(Path("/dev/full")), list[Event]()
    sink.listen(heard.append)
    sink.emit(Phase(name="load"))
    sink.emit(Phase(name="settle"))
    assert len(heard) == 2, "the live line goes on"
    sink.close()
    with pytest.raises(SurroundingsError, match=rf"/dev/full can't be written: {os.strerror(errno.ENOSPC)}.*\n.*--out"):
        sink.check()


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SurroundingsError, match=os.strerror(errno.ENOENT)):
        EventSink(tmp_path / "missing" / "events.jsonl")
