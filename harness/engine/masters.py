"""The arbiters of one run: which one serves now, and whether the harness told it to end. A disturbance changes both."""

from __future__ import annotations

from harness.backends import Process


class Masters:
    """``current`` serves now, ``former`` did before. ``told_to_end``: by the harness, so that its end is no surprise.

    ``recovered``: the ladder back was climbed, so that the masters are not those of the run any more.
    ``boot_s``: from gunicorn's start to its first answer, in seconds.
    """

    def __init__(self, current: Process) -> None:
        self.current = current
        self.former: list[Process] = []
        self.told_to_end = False
        self.recovered = False
        self.boot_s = 0.0

    @property
    def is_left_down(self) -> bool:
        """Whether the one that served was told to end, and has: another one comes with the ladder back."""
        return self.told_to_end and self.current.poll() is not None

    def replace(self, process: Process) -> None:
        """From now on this arbiter is the one that serves."""
        self.former.append(self.current)
        self.current, self.told_to_end = process, False
