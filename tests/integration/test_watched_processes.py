"""What is read of processes: their memory, their use of the cores, and whose they are."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from harness.core.procfs import list_tree
from harness.watch.event_log import EventSink
from harness.watch.machine import read_usage
from harness.watch.memory import MemorySampler, read_memory

SPIN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_a_child_counts_as_ours_while_it_lives_and_when_it_has_ended() -> None:
    before = read_usage([])
    with subprocess.Popen([sys.executable, "-c", f"{SPIN}\ninput()"], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        while read_usage([child.pid]).own_s - before.own_s < 0.3:
            assert child.poll() is None
        child.stdin.close()
    assert read_usage([]).own_s - before.own_s >= 0.3


def test_a_process_that_is_gone_used_nothing_more() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert read_usage([gone.pid]).busy_s > 0


def test_a_process_that_is_gone_has_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_memory(ended.pid) is None
    assert list(list_tree(ended.pid)) == [ended.pid]


def test_all_descendants_belong_to_the_service(tmp_path: Path) -> None:
    """A child's child too: an app may start processes of its own."""
    code = (
        "import subprocess, sys; "
        "child = subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], stdin=subprocess.PIPE); "
        "print(child.pid, flush=True); sys.stdin.read(); child.stdin.close(); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        sink = EventSink(tmp_path / "events.jsonl")
        stop = threading.Event()
        sink.listen(lambda _event: stop.set())  # one sample will do
        MemorySampler(parent.pid, sink).loop(stop)
        sink.close()
        parent.communicate("")
    event = json.loads((tmp_path / "events.jsonl").read_text().splitlines()[0])
    assert set(event["own_bytes"]) == {str(parent.pid), str(child)}
    assert event["unshared_bytes"] >= sum(event["own_bytes"].values())
