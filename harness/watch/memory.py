"""Samples the memory of the arbiter and of all processes below it, as the kernel's proportional set size (PSS).

A page that n processes share counts 1/n in each, so that the sum over all processes counts it once. Beside it stands
what each would have if it shared nothing that it may write: a forked worker makes the arbiter's pages its own as it
writes to them, nearly all of them at the latest when the interpreter is torn down.

The pages of files (libraries, mostly) stand apart: how much of them counts depends on who else on this machine runs the
same interpreter, and changes when they start and stop.

Each sample costs about 0.3 ms a process, and more with their size: a busy watcher would be a part of what it watches.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from harness.core import procfs
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.events.servers import MemorySample
from harness.core.frozen import dataclass
from harness.watch.event_log import EventSink

PERIOD_S = 0.025
MOST_SHARE = 0.15
"""Of a core that the sampler may use; with many or large processes it samples less often."""

LONGEST_PAUSE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessMemory:
    """One process, in bytes: its proportional set size without files, the same with nothing shared, and the files'."""

    own_bytes: int
    unshared_bytes: int
    file_bytes: int


def require_memory_source(source: Path | None = None) -> None:
    """SurroundingsError where the kernel doesn't tell how much memory a process has."""
    source = source or procfs.rollup_file("self")
    try:
        found = parse_memory(source.read_bytes())
    except OSError as problem:
        raise SurroundingsError(
            what=f"There is no memory to measure: {source} can't be read ({problem.strerror}).",
            remedy="Run it on Linux 4.14 or newer, with /proc mounted.",
        ) from problem
    if found is None:
        raise SurroundingsError(
            what=f"There is no memory to measure: {source} names no Pss.", remedy="Run it on Linux 4.14 or newer."
        )


def parse_memory(text: bytes) -> ProcessMemory | None:
    """What ``smaps_rollup`` says; None for a process without memory, a zombie.

    Kernels before 5.4 tell nothing of files; their whole PSS counts as the process's own, and all dirty shared pages
    as what it would have besides.
    """
    kib = procfs.parse_kib(text)
    pss = kib.get("Pss")
    if pss is None:
        return None
    own = pss - kib.get("Pss_File", 0)
    more = kib.get("Anonymous", 0) - kib["Pss_Anon"] if "Pss_Anon" in kib else kib.get("Shared_Dirty", 0)
    return ProcessMemory(
        own_bytes=own * 1024, unshared_bytes=(own + max(0, more)) * 1024, file_bytes=kib.get("Pss_File", 0) * 1024
    )


def read_memory(pid: int) -> ProcessMemory | None:
    """The memory of a process; None where it is gone, or a zombie."""
    try:
        return parse_memory(procfs.rollup_file(pid).read_bytes())
    except procfs.GONE:
        return None


class MemorySampler:
    """Emits ``memory`` events, timed at the middle of each sample: ``own_bytes`` by pid, and the sums of the others."""

    def __init__(self, arbiter_pid: int, sink: EventSink) -> None:
        self._arbiter = arbiter_pid
        self._sink = sink

    def loop(self, stop: threading.Event) -> None:
        """Sample until told to stop."""
        while not stop.is_set():
            began_ns, worked_s = now_ns(), time.thread_time()
            self._sample(began_ns)
            # What counts is the time on a core, not that spent waiting for one.
            pause_s = (time.thread_time() - worked_s) / MOST_SHARE
            stop.wait(min(max(PERIOD_S - (now_ns() - began_ns) / 1e9, pause_s), LONGEST_PAUSE_S))

    def _sample(self, began_ns: int) -> None:
        read = {pid: read_memory(pid) for pid in procfs.list_tree(self._arbiter)}
        seen = {pid: memory for pid, memory in read.items() if memory is not None}
        if seen:
            sample = MemorySample(
                at_ns=(began_ns + now_ns()) // 2,
                own_bytes={pid: memory.own_bytes for pid, memory in seen.items()},
                unshared_bytes=sum(memory.unshared_bytes for memory in seen.values()),
                file_bytes=sum(memory.file_bytes for memory in seen.values()),
            )
            self._sink.emit(sample)
