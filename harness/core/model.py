"""The vocabulary of the project: cells, findings, verdicts, and how a request can end.

All types are frozen; what was seen of a run is in ``events`` and ``observations``. This module reads no file, starts
no process and imports no other package of ours, so that a stored run can be loaded and judged anywhere.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from harness.core.cell_fields import Cell as Cell  # noqa: PLC0414 - a word of this vocabulary, too
from harness.core.findings import FindingId
from harness.core.frozen import dataclass

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

VERDICT_SCHEMA = 1


class Outcome(str, Enum):
    """The five verdicts of the contract."""

    HOLDS = "holds"
    VIOLATED = "violated"
    INCONCLUSIVE = "inconclusive"
    UNRUNNABLE = "unrunnable"
    ERROR = "error"


class State(str, Enum):
    """What one invariant says of one run: three-valued, because not having seen is not having held."""

    HOLDS = "holds"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Who removed, replaced or shut the bound path: from the tracer inside gunicorn, innermost frame last."""

    pid: int
    role: str  # "arbiter", "worker" or "other"
    call: str  # "os.unlink", "os.rename", ...; where a command did it, the call that started it
    stack: tuple[str, ...]  # "gunicorn/sock.py:123 close"
    source: tuple[str, ...] = ()  # the source line of each frame, "" where it could not be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One broken promise, with the moment (seconds since the load began), the evidence and the culprit."""

    id: FindingId
    at_s: float | None
    detail: str
    culprit: Culprit | None = None
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The answer of one invariant: its state, why, and what it found (only where violated)."""

    state: State
    reason: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One line of the story of a run: what happened, in seconds since the load began."""

    at_s: float
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What breaks no promise but should be known, such as errors that the app itself answered."""

    id: str
    detail: str
    evidence: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The judged run; ``verdict.json`` is its rendering. ``reasons`` say in words why it is this outcome."""

    cell: Cell
    outcome: Outcome
    reasons: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    notes: tuple[Note, ...] = ()
    invariants: Mapping[str, State] = field(default_factory=dict)
    invariant_reasons: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Json] = field(default_factory=dict)
    strength: Mapping[str, Json] = field(default_factory=dict)
    timing_s: Mapping[str, float] = field(default_factory=dict)
    error: Mapping[str, Json] | None = None
    recovery: Mapping[str, Json] | None = None  # what healed a service that stayed down, see ``judge.recovery``
    scenario: Mapping[str, Json] | None = None  # what a scenario measured: {"name", "answer", "arms", "tables", ...}


CLIENT_ERRORS = ("closed", "timeout", "refused", "missing", "other")
"""How a request can end without a status: closed before the answer was whole, no answer in time, connection
refused, no such socket file, and anything else (named in the event)."""

ERROR_OF_ERRNO: Mapping[int, str] = {
    errno.ENOENT: "missing",
    errno.ECONNREFUSED: "refused",
    errno.EAGAIN: "refused",  # a Unix socket whose queue is full
    errno.ECONNRESET: "closed",
    errno.EPIPE: "closed",
}
"""Which client error a system's error is; any other one is ``other``."""


PROXY_ERRORS = ("missing", "refused", "denied", "connect", "closed", "reset", "timeout", "other", "retried")
"""Why a proxy's attempt at its upstream failed, from its own log: no such socket file, connection refused, no right to
connect, not connected (the log does not say why), closed or reset before the answer was whole, no answer in time,
anything else. ``retried`` is no failure of its own: so many attempts were made again, and the client may have noticed
nothing."""


def is_success(outcome: str) -> bool:
    """Whether an outcome (a status or a client error) is an answer of success: 2xx or 3xx."""
    return outcome[:1] in ("2", "3") and outcome.isdigit()


def is_error(outcome: str) -> bool:
    """Whether an outcome is an answer that reports an error: 4xx or 5xx."""
    return outcome[:1] in ("4", "5") and outcome.isdigit()


def is_failure(outcome: str) -> bool:
    """Whether a request failed: a 5xx answer, or none at all. 4xx is the app's own answer and neither."""
    return not outcome.isdigit() or outcome[:1] == "5"
