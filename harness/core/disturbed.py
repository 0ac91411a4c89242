"""What a record says of the disturbances of its run: when each was, and what was awaited in vain. See ``model``."""

from __future__ import annotations

from harness.core.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbed:
    """One disturbance, from its begin to the moment at which all that had to follow had followed.

    ``ended_ns`` is None where something was ``missing``, or where the record ends before: it lasts to the end then.
    """

    name: str
    number: int  # of this run, counted from 1
    of: int  # how many there were to be
    began_ns: int
    aim: str | None = None
    ended_ns: int | None = None
    missing: str | None = None
    gave_up_ns: int | None = None  # when nobody waited for it any longer
    within_s: float | None = None
    detail: str | None = None
    left_down: bool = False  # its repair is left to the ladder back: what clients lose goes on

    @property
    def label(self) -> str:
        """In a report: ``reload 2 of 3``."""
        aim = "" if self.aim is None else f", aimed at {self.aim}"
        return f"{self.name} ({self.number} of {self.of}{aim})"
