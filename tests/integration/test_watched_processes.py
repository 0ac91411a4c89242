"""What is read of processes: their memory, their use of the cores, and whose they are."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.core.clock import wait_until
from harness.core.procfs import list_children, list_tree, start_ticks
from harness.watch.event_log import EventSink
from harness.watch.machine import UsageReader
from harness.watch.memory import MemorySampler, read_memory

SPIN = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"


def test_a_child_counts_as_ours_while_it_lives_and_when_it_has_ended() -> None:
    usage = UsageReader()
    before = usage.read([])
    with subprocess.Popen([sys.executable, "-c", f"{SPIN}\ninput()"], stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        while usage.read([child.pid]).own_s - before.own_s < 0.3:
            assert child.poll() is None
        child.stdin.close()
    assert usage.read([]).own_s - before.own_s >= 0.3


@pytest.mark.parametrize("named", [True, False])
def test_what_outlives_its_parent_stays_ours(named: bool) -> None:
    """The workers of a killed arbiter: nobody here waits for them. ``named``: the arbiter is, after its end, too."""
    code = (
        "import subprocess, sys; "
        f"subprocess.Popen([sys.executable, '-c', {SPIN + chr(10) + 'print(1, flush=True); input()'!r}]); "
        "import signal; signal.pause()"
    )
    usage = UsageReader()
    before = usage.read([])
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        assert parent.stdout.readline() == "1\n"
        (child,) = list_children(parent.pid)
        usage.read([parent.pid])
        parent.kill()
        parent.wait()
        trees = [parent.pid] if named else []
        assert usage.read(trees).own_s - before.own_s >= 0.3, "the orphan lives"
        parent.stdin.close()
        assert wait_until(lambda: start_ticks(child) is None, timeout_s=5.0, alive=lambda: True)
        assert usage.read(trees).own_s - before.own_s >= 0.3, "the orphan has ended"
        assert usage.read(trees).own_s - before.own_s < 3.0, "it counts once"


def test_a_process_that_is_gone_used_nothing_more() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert UsageReader().read([gone.pid]).busy_s > 0


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
