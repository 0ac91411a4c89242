"""What each invariant says of a run, as the reports show it."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.model import Json, State
from harness.report.fields import mapping, text

DOES_NOT_APPLY = "does not apply"
"""A promise about what a run does not have is stored as one that holds, with a reason that begins in this way."""


def invariant_rows(verdict: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """(name, state, why); an invariant by which nothing was judged is not said to hold."""
    rows = []
    states = mapping(verdict, "invariants")
    for name in states:
        state, why = text(states, name), text(verdict, "invariant_reasons", name, default="")
        if state == State.HOLDS.value and why.startswith(DOES_NOT_APPLY):
            state, why = DOES_NOT_APPLY, why.removeprefix(DOES_NOT_APPLY).removeprefix(":").strip()
        rows.append((name, state, why))
    return rows
