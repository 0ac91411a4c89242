"""Which events are judged: those from before the window closed, and those that say something of the run as a whole."""

from __future__ import annotations

from harness.core.events.base import ArmEvent, Event, UnknownEvent
from harness.core.events.clients import LedgerClosed, LedgerFailed, Probe
from harness.core.events.course import Contradiction, CutShort, Fault, Interrupted, Phase
from harness.core.events.fleet import AskedAlone
from harness.core.events.recovery import RungBegan, RungEnded
from harness.judge.leftovers import OF_THE_STOP

_DEFECTS = (CutShort, Contradiction, UnknownEvent, ArmEvent)
_WHENEVER_THEY_CAME = frozenset(
    (Phase, Fault, Interrupted, LedgerClosed, LedgerFailed, AskedAlone, RungBegan, RungEnded, *OF_THE_STOP, *_DEFECTS)
)


def is_judged(event: Event, closed_ns: int | None) -> bool:
    """A probe carries the time of its start; one that was still under way when the window closed saw the teardown."""
    took_ns = event.took_ns if isinstance(event, Probe) else 0
    return type(event) in _WHENEVER_THEY_CAME or closed_ns is None or event.at_ns + took_ns <= closed_ns
