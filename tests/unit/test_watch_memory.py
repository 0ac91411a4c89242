"""The memory sampler: what the kernel says, which processes belong to the service, and what happens without /proc."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.core.errors import SurroundingsError
from harness.core.procfs import list_tree
from harness.watch.event_log import EventSink
from harness.watch.memory import MemorySampler, parse_memory, read_memory, require_memory_source

ROLLUP = b"""55693c75d000-7ffda0961000 ---p 00000000 00:00 0                          [rollup]
Rss:               22384 kB
Pss:               17331 kB
Pss_Dirty:         16716 kB
Pss_Anon:          15000 kB
Pss_File:           2300 kB
Pss_Shmem:            31 kB
Shared_Clean:       6664 kB
Shared_Dirty:       6000 kB
Anonymous:         20000 kB
"""


def test_what_the_kernel_says_is_read() -> None:
    memory = parse_memory(ROLLUP)
    assert memory is not None
    assert memory.own_bytes == (17331 - 2300) * 1024
    assert memory.file_bytes == 2300 * 1024
    assert memory.unshared_bytes == memory.own_bytes + 5000 * 1024


def test_older_kernels_do_not_part_the_files() -> None:
    memory = parse_memory(b"Rss: 22384 kB\nPss:      17331 kB\nShared_Dirty:       6000 kB\n")
    assert memory is not None
    assert (memory.own_bytes, memory.unshared_bytes, memory.file_bytes) == (17331 * 1024, 23331 * 1024, 0)


def test_a_zombie_has_no_memory() -> None:
    assert parse_memory(b"") is None


def test_a_process_that_is_gone_has_none() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert read_memory(ended.pid) is None
    assert list(list_tree(ended.pid)) == [ended.pid]


def test_memory_that_is_written_to_is_seen() -> None:
    before = read_memory(os.getpid())
    with mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(b"x" * (32 << 20))
        after = read_memory(os.getpid())
    assert before is not None
    assert after is not None
    assert 31 << 20 < after.own_bytes - before.own_bytes < 40 << 20


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


def test_without_proc_there_is_no_memory_to_measure(tmp_path: Path) -> None:
    with pytest.raises(SurroundingsError, match="no memory to measure") as caught:
        require_memory_source(tmp_path / "smaps_rollup")
    assert "4.14" in caught.value.remedy
    (tmp_path / "smaps_rollup").write_text("nothing of the kind\n")
    with pytest.raises(SurroundingsError, match="names no Pss"):
        require_memory_source(tmp_path / "smaps_rollup")


def test_here_it_can_be_measured() -> None:
    require_memory_source()
