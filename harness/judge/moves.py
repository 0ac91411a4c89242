"""What became of the paths where gunicorn was told to bind another one. Pure.

The contract's measure: the new path answers before the old one goes, nothing is lost on the new one, the old one goes.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.events.probing import PathMoved
from harness.core.findings import FindingId
from harness.core.model import Culprit, Finding
from harness.core.observations import Observations
from harness.judge.timeline import since_load_s
from harness.judge.windows import find_window


def find_bad_moves(observations: Observations) -> Iterator[Finding]:
    """A finding for each kind of thing that went wrong in a move: the first of its kind."""
    told = set[FindingId]()
    for move in observations.moves:
        window = find_window(observations, move.told_ns)
        label = "" if window is None else f"{window.label}: "
        where = "to the first path again" if move.back else "to another path"
        for id_, what in _list_faults(move):
            if id_ in told:
                continue
            told.add(id_)
            yield Finding(
                id=id_,
                at_s=since_load_s(observations, move.told_ns),
                detail=f"{label}told to move {where}, {what}",
                culprit=_find_culprit(observations, move) if id_ is FindingId.SOCKET_DELETED else None,
                evidence={"back": move.back, "asked": move.asked, "failed": dict(move.failed)},
            )


def _list_faults(move: PathMoved) -> Iterator[tuple[FindingId, str]]:
    if move.answered_ns is None:
        yield FindingId.SIGNAL_IGNORED, "gunicorn never answered there"
    if move.gone_ns is None:
        yield FindingId.SOCKET_LEFT_BEHIND, "it left the old path behind"
    elif move.bound_ns is not None and move.gone_ns < move.bound_ns:
        yield FindingId.SOCKET_DELETED, "it deleted the old path before it had bound the new one"
    if move.failed:
        named = ", ".join(f"{outcome} x {count}" for outcome, count in move.failed.items())
        lost = sum(move.failed.values())
        yield FindingId.FAILED_RESPONSES, f"{lost} of {move.asked} requests on the new path failed: {named}"


def _find_culprit(observations: Observations, move: PathMoved) -> Culprit | None:
    """Who deleted the run's own path, as far as the tracer looks."""
    gone_ns = move.told_ns + (move.gone_ns or 0)
    removals = [one for one in observations.removals if one.failed is None and move.told_ns <= one.at_ns <= gone_ns]
    return removals[-1].culprit if removals and not move.back else None
