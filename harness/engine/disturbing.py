"""What a disturbance sees of a running stack, and what it can do to it; what is done is recorded before."""

from __future__ import annotations

from harness.core.events.disturbances import ArbiterFiles
from harness.core.model import Cell
from harness.engine.idle_workers import read_graceful_s
from harness.engine.running_stack import Stack
from harness.watch.event_log import EventSink
from harness.watch.progress import Progress


class DisturbedService:
    """See ``disturb.course.ServiceUnderLoad``."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    @property
    def cell(self) -> Cell:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.cell

    @property
    def progress(self) -> Progress:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.progress

    @property
    def sink(self) -> EventSink:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.sink

    @property
    def arbiter_pid(self) -> int:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.arbiter_pid

    @property
    def boot_s(self) -> float:
        """See ``disturb.course.ServiceUnderLoad``."""
        return self._stack.masters.boot_s

    @property
    def graceful_s(self) -> float:
        """See ``disturb.course.ServiceUnderLoad``."""
        return read_graceful_s((self._stack.run.folder.config / "config.py").read_text(errors="replace"))

    def signal_arbiter(self, number: int, reason: str) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        self._stack.signal_arbiter(number, reason)

    def look_at_files(self) -> None:
        """See ``disturb.course.ServiceUnderLoad``."""
        pid = self.arbiter_pid
        found = self._stack.backend.count_files(pid)
        if found is not None:
            files, threads = found
            self.sink.emit(ArbiterFiles(pid=pid, files=files, threads=threads))
