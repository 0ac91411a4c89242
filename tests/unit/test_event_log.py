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
from harness.core.model import Event
from harness.watch.event_log import EventSink


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_line(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    sink.emit("log", 42, text="ä\n\u2028", pid=7)
    sink.emit("phase", name="load")
    sink.close()
    text = (tmp_path / "events.jsonl").read_text(encoding="utf-8")
    first, second, rest = text.split("\n")
    assert json.loads(first) == {"at_ns": 42, "kind": "log", "text": "ä\n\u2028", "pid": 7}
    assert json.loads(second)["at_ns"] <= now_ns()
    assert rest == ""


def test_each_line_is_on_disk_at_once(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    sink.emit("phase", name="load")
    assert len(_lines(tmp_path / "events.jsonl")) == 1
    sink.close()


def test_a_path_that_is_no_utf_8_does_not_end_the_watch(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")
    sink.emit("removal", 1, paths=[os.fsdecode(b"/tmp/\xff/g.sock")])
    sink.close()
    sink.check()
    (event,) = _lines(tmp_path / "events.jsonl")
    assert os.fsencode(event["paths"][0]) == b"/tmp/\xff/g.sock"


def test_listeners_hear_every_later_event(tmp_path: Path) -> None:
    sink, heard = EventSink(tmp_path / "events.jsonl"), list[Event]()
    sink.emit("phase", 1, name="boot")
    sink.listen(heard.append)
    sink.emit("phase", 2, name="load")
    assert heard == [Event(at_ns=2, kind="phase", fields={"name": "load"})]
    sink.close()


def test_what_comes_after_the_end_is_neither_written_nor_heard(tmp_path: Path) -> None:
    sink, heard = EventSink(tmp_path / "events.jsonl"), list[Event]()
    sink.listen(heard.append)
    sink.close()
    sink.emit("phase", name="late")
    sink.close()
    assert (_lines(tmp_path / "events.jsonl"), heard) == ([], [])


def test_events_of_many_threads_are_never_mixed_up(tmp_path: Path) -> None:
    sink = EventSink(tmp_path / "events.jsonl")

    def emit(number: int) -> None:
        for count in range(100):
            sink.emit("log", count, text="x" * 500, pid=number)

    threads = [threading.Thread(target=emit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.close()
    events = _lines(tmp_path / "events.jsonl")
    assert len(events) == 400
    for number in range(4):
        assert [event["at_ns"] for event in events if event["pid"] == number] == list(range(100))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_kept_for_the_engine_and_ends_no_watcher() -> None:
    sink, heard = EventSink(Path("/dev/full")), list[Event]()
    sink.listen(heard.append)
    sink.emit("phase", name="load")
    sink.emit("phase", name="settle")
    assert len(heard) == 2, "the live line goes on"
    sink.close()
    with pytest.raises(SurroundingsError, match=rf"/dev/full can't be written: {os.strerror(errno.ENOSPC)}.*\n.*--out"):
        sink.check()


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(SurroundingsError, match=os.strerror(errno.ENOENT)):
        EventSink(tmp_path / "missing" / "events.jsonl")
