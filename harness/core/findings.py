"""All findings, a row each: id, the invariant that it breaks, what it means, the sentence that a report begins with.

The judge, the reports, the expectations and the tables of the docs (``python -m maintenance.findings``) use this table.
A new finding needs a row here and an invariant that finds it.
"""

from __future__ import annotations

from enum import Enum


class FindingId(str, Enum):
    """The ids of the contract, in the order in which a report names them: the socket comes first."""

    invariant: str
    """Its name in the verdict, and of the test case in JUnit's format."""

    meaning: str
    """For a reader, in Markdown."""

    headline: str | None
    """What a report says of it in its first sentence; None for what a report only lists."""

    def __new__(cls, value: str, invariant: str, meaning: str, headline: str | None = None) -> FindingId:
        """One row of the table."""
        row = str.__new__(cls, value)
        row._value_ = value
        row.invariant, row.meaning, row.headline = invariant, meaning, headline
        return row

    SOCKET_DELETED = (
        "socket-deleted",
        "socket-survives",
        "the bound path vanished while the arbiter lived",
        "socket file deleted",
    )
    SOCKET_REPLACED = (
        "socket-replaced",
        "socket-survives",
        "the path names another inode than the one bound",
        "socket file replaced",
    )
    SOCKET_UNREACHABLE = (
        "socket-unreachable",
        "socket-survives",
        "the file is there and the same, but its mode, owner or folder changed so that the proxy's user can't connect",
        "socket file shut",
    )
    PERMANENT_OUTAGE = (
        "permanent-outage",
        "service-recovers",
        "from some moment on nothing was answered with success again",
    )
    FAILED_RESPONSES = (
        "failed-responses",
        "requests-answered",
        "clients saw 5xx answers, closed connections or time-outs, and later success again",
    )
    WORKERS_NOT_RESPAWNED = (
        "workers-not-respawned",
        "workers-respawn",
        "after settling, fewer live workers than configured",
    )
    WORKERS_IDLE = (
        "workers-idle",
        "workers-serve",
        "a live worker serves nothing although it could, while others serve",
    )
    WORKERS_SURPLUS = (
        "workers-surplus",
        "workers-respawn",
        "more live workers than configured, for longer than a handover takes",
    )
    MAX_REQUESTS_IGNORED = (
        "max-requests-ignored",
        "max-requests-honoured",
        "a worker served more than it may, and did not restart",
    )
    RECYCLED_LATE = (
        "recycled-late",
        "max-requests-honoured",
        "a worker restarted, but only after more than its limit, its jitter and all that its clients had in hand",
    )
    RECYCLED_EARLY = (
        "recycled-early",
        "max-requests-honoured",
        "a worker restarted before `max_requests`, or at all where it is 0",
    )
    WORKER_CRASHED = (
        "worker-crashed",
        "workers-exit-cleanly",
        "a worker ended by an unhandled exception or a signal",
    )
    WRONG_ANSWERS = (
        "wrong-answers",
        "answers-right",
        "a client got an answer that is not the one to its request: another body, an empty one, lost headers",
        "wrong answers",
    )
    EXECUTED_TWICE = (
        "executed-twice",
        "executed-once",
        "the app ran one attempt of a request more than once",
        "requests executed twice",
    )
    SOCKET_LEFT_BEHIND = (
        "socket-left-behind",
        "leaves-nothing-behind",
        "a path that gunicorn bound is still there after its ordered end",
        "socket file left behind",
    )
    PROCESSES_LEFT_BEHIND = (
        "processes-left-behind",
        "leaves-nothing-behind",
        "processes of the release outlive its arbiter's end, or belong to no living worker",
        "processes left behind",
    )
    STOP_OVERDUE = (
        "stop-overdue",
        "stops-in-time",
        "an ordered end or reload took longer than `graceful_timeout` and a second",
    )
    ARBITER_CRASHED = (
        "arbiter-crashed",
        "disturbances-handled",
        "the arbiter was told to end, and ended with an error",
    )
    DESCRIPTORS_LEAKED = (
        "descriptors-leaked",
        "descriptors-flat",
        "the arbiter's open files or threads grow with each restart",
    )
    SIGNAL_IGNORED = (
        "signal-ignored",
        "disturbances-handled",
        "gunicorn did not do what a signal asks for: no further worker, no new master",
    )
    MEMORY_UNBOUNDED = (
        "memory-unbounded",
        "memory-bounded",
        "scenario `leak`: memory grows without a bound although workers restart",
    )
    CAPACITY_LOST = (
        "capacity-lost",
        "capacity-kept",
        "scenario `jitter`: too many workers were away at once",
    )


OF_SCENARIOS = frozenset({FindingId.MEMORY_UNBOUNDED.invariant, FindingId.CAPACITY_LOST.invariant})
"""The invariants that are judged with their scenario; any other one has a module in ``judge.invariants``."""

_ROWS = {finding.value: finding for finding in FindingId}
ORDER = {finding.value: place for place, finding in enumerate(FindingId)}
"""The position of each in a report."""


def find_row(name: object) -> FindingId | None:
    """The row of an id as it is stored; None for one that this version does not know."""
    return _ROWS.get(name) if isinstance(name, str) else None
