"""Why a record can't be believed: it contradicts itself, or holds what this version does not know.

Such a record says nothing, neither for a release nor against it: a line that is missing may be the one that tells who
ended a worker, or that it came back.
"""

from __future__ import annotations

from harness.core.events.base import ArmEvent, UnknownEvent
from harness.core.events.course import Contradiction


def describe_defect(event: Contradiction | UnknownEvent | ArmEvent) -> str:
    """Why a record with this event can't be believed."""
    if isinstance(event, UnknownEvent):
        return f"the record has events of the kind {event.name}, which this version does not know"
    if isinstance(event, ArmEvent):
        return f"the record contradicts itself: it is that of a single run, with events of the arm {event.arm}"
    has = "no seq" if event.seq is None else f"seq {event.seq}"
    expected = "none" if event.expected is None else event.expected
    return f"the record contradicts itself: line {event.line} has {has}, expected {expected}"
