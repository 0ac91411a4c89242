"""What ends, replaces or moves processes of the service while the load runs: a small module each, a row each.

A disturbance acts and says when enough was seen. What that means is told by the judge, from the record: ``MAY_LOSE``
and ``MUST_HOLD`` are what it measures a run against. A newcomer adds one file and one row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from harness.disturb import recycle
from harness.disturb.course import Course, Loss, ServiceUnderLoad


class Disturbance(Protocol):
    """What the engine and the judge ask of a disturbance's module."""

    @property
    def SUMMARY(self) -> str:  # noqa: N802 - a constant of the module
        """What is done, in a few words."""

    @property
    def MAY_LOSE(self) -> Loss:  # noqa: N802 - a constant of the module
        """What clients may lose by it."""

    @property
    def MUST_HOLD(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """The invariants that have to hold, by their names."""

    def begin(self, service: ServiceUnderLoad) -> Course:
        """As the load begins."""


DISTURBANCES: Mapping[str, Disturbance] = {"recycle": recycle}
"""By name; ``recycle`` is what every run does that names none."""
