"""The arbiters of one run: which serves now, and whether its end is meant. A disturbance changes both."""

from __future__ import annotations

from harness.backends import Process


class Masters:
    """``current`` serves now. ``told_to_end``: the harness has told it to end, so that its end is no surprise.

    ``boot_s``: from gunicorn's start to its first answer, in seconds.
    """

    def __init__(self, current: Process) -> None:
        self.current = current
        self.told_to_end = False
        self.boot_s = 0.0

    def replace(self, process: Process) -> None:
        """Another one serves from now on."""
        self.current, self.told_to_end = process, False
