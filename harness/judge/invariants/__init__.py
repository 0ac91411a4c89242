"""The promises that a release is held to: one small module each, one row each in ``INVARIANTS``.

``judge(observations)`` is pure and three-valued; None where the promise does not apply to the run, or was not watched.
No version number may come in here: a judge knows only what was observed. A newcomer adds one file and one row, and a
control on real releases that shows it can fail and can pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.core.model import Judgement
from harness.core.observations import Observations
from harness.judge.invariants import (
    answers_right,
    descriptors_flat,
    disturbances_handled,
    executed_once,
    leaves_nothing_behind,
    max_requests_honoured,
    requests_answered,
    service_recovers,
    socket_survives,
    stops_in_time,
    workers_exit_cleanly,
    workers_respawn,
    workers_serve,
)

INVARIANTS: Mapping[str, Callable[[Observations], Judgement | None]] = {
    "socket-survives": socket_survives.judge,
    "requests-answered": requests_answered.judge,
    "service-recovers": service_recovers.judge,
    "workers-respawn": workers_respawn.judge,
    "workers-serve": workers_serve.judge,
    "max-requests-honoured": max_requests_honoured.judge,
    "workers-exit-cleanly": workers_exit_cleanly.judge,
    "answers-right": answers_right.judge,
    "executed-once": executed_once.judge,
    "disturbances-handled": disturbances_handled.judge,
    "leaves-nothing-behind": leaves_nothing_behind.judge,
    "stops-in-time": stops_in_time.judge,
    "descriptors-flat": descriptors_flat.judge,
}
