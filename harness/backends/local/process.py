"""The processes of a run on this machine: those that the harness started, and those that they started in turn."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress

from harness.core import procfs


class LocalProcess:
    """A child of the harness; see ``backends.Process``."""

    def __init__(self, popen: subprocess.Popen[bytes], name: str) -> None:
        self._popen = popen
        self.name = name
        self.start_ticks = procfs.start_ticks(popen.pid)

    @property
    def pid(self) -> int:
        """The pid, which can't be re-used before we have waited for the process, because it is our child."""
        return self._popen.pid

    def poll(self) -> int | None:
        """See ``backends.Process``."""
        return self._popen.poll()

    def is_stopped(self, *, with_children: bool) -> bool:
        """See ``backends.Process``."""
        return procfs.is_one_stopped(self.pid, with_children=with_children)

    def interrupt(self) -> None:
        """See ``backends.Process``."""
        self.send(signal.SIGINT)

    def send(self, number: int) -> None:
        """See ``backends.Process``."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def stop(self) -> int:
        """See ``backends.Process``. The group is killed even if its leader is dead: workers outlive an arbiter."""
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        return self._popen.wait(timeout=10)


class AdoptedProcess:
    """A descendant of a process of the harness: nobody here can wait for it, so its status is not known."""

    def __init__(self, pid: int, name: str, start_ticks: int | None) -> None:
        self.pid = pid
        self.name = name
        self.start_ticks = start_ticks

    def poll(self) -> int | None:
        """See ``backends.Process``: 0 once it has ended, whatever its status was."""
        return None if procfs.start_ticks(self.pid) == self.start_ticks else 0

    def is_stopped(self, *, with_children: bool) -> bool:
        """See ``backends.Process``."""
        return self.poll() is None and procfs.is_one_stopped(self.pid, with_children=with_children)

    def interrupt(self) -> None:
        """See ``backends.Process``."""
        self.send(signal.SIGINT)

    def send(self, number: int) -> None:
        """See ``backends.Process``."""
        if self.poll() is None:
            send_safely(self.pid, number)

    def stop(self) -> int:
        """See ``backends.Process``. It may lead no group; the sweep at the run's end finds what is left."""
        self.send(signal.SIGKILL)
        return 0


def send_safely(pid: int, number: int) -> bool:
    """A signal to the process that has this pid now, by a descriptor, so that its end meanwhile hits nobody else."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
    return True
