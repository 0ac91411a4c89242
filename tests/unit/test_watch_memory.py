"""The memory sampler: what the kernel says, which processes belong to the service, and what happens without /proc."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import pytest

from harness.core.errors import SurroundingsError
from harness.watch.memory import parse_memory, read_memory, require_memory_source

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


def test_memory_that_is_written_to_is_seen() -> None:
    before = read_memory(os.getpid())
    with mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        block.write(b"x" * (32 << 20))
        after = read_memory(os.getpid())
    assert before is not None
    assert after is not None
    assert 31 << 20 < after.own_bytes - before.own_bytes < 40 << 20


def test_without_proc_there_is_no_memory_to_measure(tmp_path: Path) -> None:
    with pytest.raises(SurroundingsError, match="no memory to measure") as caught:
        require_memory_source(tmp_path / "smaps_rollup")
    assert "4.14" in caught.value.remedy
    (tmp_path / "smaps_rollup").write_text("nothing of the kind\n")
    with pytest.raises(SurroundingsError, match="names no Pss"):
        require_memory_source(tmp_path / "smaps_rollup")


def test_here_it_can_be_measured() -> None:
    require_memory_source()
