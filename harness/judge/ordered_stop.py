"""What the invariants and the notes have to know of the ordered stop: who was left, whose doing an end was."""

from __future__ import annotations

import signal
from collections.abc import Iterable

from harness.core.events.doings import SignalSent
from harness.core.events.stop import FoundProcess, StopEnded
from harness.core.model import Json
from harness.core.observations import Observations
from harness.judge.meddling import OUTSIDERS
from harness.judge.vanishing import VANISHING, since_bind
from harness.judge.windows import SAME_MOMENT_NS

MOST_NAMED = 5

EARLY_S = 0.5
"""The arbiter may kill a worker that has not ended after graceful_timeout; a kill so long before it is not explained by
the clocks."""


def is_path_lost(observations: Observations) -> bool:
    """Whether the bound path had gone or named another file before the stop, which may fail for that."""
    bound = since_bind(observations)
    return any(
        look.action in VANISHING or look.inode != bound[0].inode
        for look in bound[1:]
        if look.action != "created" or look.inode is not None
    )


def is_ended_by_others(stop: StopEnded) -> bool:
    """Whether the arbiter ended by a signal from another process, other than the one that it was to end by."""
    return stop.status is not None and -stop.status in OUTSIDERS - {int(signal.SIGTERM)}


def list_gunicorns(observations: Observations, processes: Iterable[FoundProcess]) -> list[FoundProcess]:
    """The user's own app may start processes of its own; its workers are gunicorn's all the same."""
    if observations.cell.app is None:
        return list(processes)
    workers = {life.pid for life in observations.lives}
    return [row for row in processes if row[0] in workers]


def find_early_kills(observations: Observations) -> list[tuple[int, SignalSent]]:
    """The workers to which the arbiter sent SIGKILL although they still had time to end, and which ended by it."""
    stop, doings = observations.leftovers.stop, observations.leftovers.doings
    if stop is None or stop.graceful_s is None or is_path_lost(observations):
        return []
    until_ns = stop.at_ns + int((stop.graceful_s - EARLY_S) * 1e9)
    killed = {ended.child for ended in doings.ended if ended.status == -signal.SIGKILL}
    live = {life.pid for life in observations.lives if life.ended_ns is None}
    return [
        (sent.target, sent)
        for sent in doings.sent
        if sent.pid == observations.arbiter_pid and sent.signal == signal.SIGKILL
        if stop.at_ns <= sent.at_ns < until_ns and sent.target in killed & live
    ]


def find_late_kills(observations: Observations) -> list[tuple[int, SignalSent]]:
    """The workers that had not ended when graceful_timeout was over, so that the arbiter killed them (SIGKILL).

    The load is over and the proxy gone by then, so nothing but gunicorn keeps a worker; unless the user's own app does,
    a request of the harness's own that hangs, or a machine that gave them no time.
    """
    stop = observations.leftovers.stop
    if stop is None or stop.graceful_s is None or stop.held or observations.cell.app is not None:
        return []
    from_ns = stop.at_ns + int((stop.graceful_s - EARLY_S) * 1e9)
    ended_ns = {pid: stop.at_ns + after_ns for pid, after_ns in stop.ended}
    hung = {asked.worker for asked in observations.harness_asked}
    live = {life.pid for life in observations.lives if life.ended_ns is None} - hung
    if is_path_lost(observations) or stop.stalled_ns / 1e9 > stop.graceful_s / 2:
        return []
    return [
        (sent.target, sent)
        for sent in observations.leftovers.doings.sent
        if sent.pid == observations.arbiter_pid and sent.signal == signal.SIGKILL and sent.at_ns >= from_ns
        if sent.target in live and ended_ns.get(sent.target, 0) > sent.at_ns - SAME_MOMENT_NS
    ]


def to_json(processes: list[FoundProcess]) -> list[Json]:
    """The evidence of a finding, as JSON."""
    return [[pid, parent, called, state] for pid, parent, called, state in processes]


def count(processes: list[FoundProcess]) -> str:
    """How many processes, in words."""
    return "1 process" if len(processes) == 1 else f"{len(processes)} processes"


def name(processes: list[FoundProcess]) -> str:
    """The first few processes by name and pid, in words."""
    named = [f"{called} {pid}{' (zombie)' if state == 'Z' else ''}" for pid, _, called, state in processes[:MOST_NAMED]]
    return ", ".join(named) + (", ..." if processes[MOST_NAMED:] else "")
