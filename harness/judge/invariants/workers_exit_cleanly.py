"""A worker that restarts ends by itself: not by an unhandled exception, not by a signal."""

from __future__ import annotations

import signal

from harness.core.events.doings import SignalSent
from harness.core.events.servers import SocketChange
from harness.core.findings import FindingId
from harness.core.model import Culprit, Finding, Judgement, State
from harness.core.observations import Observations, WorkerLife
from harness.core.patterns import pattern
from harness.judge.lives import SILENT_END, TIMED_OUT
from harness.judge.ordered_stop import find_early_kills, find_late_kills
from harness.judge.restarts import lost_ns
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.vanishing import VANISHING, arbiter_end_ns, find_removal, vanished_ns
from harness.judge.windows import SAME_MOMENT_NS, allows_orphans

MISSING_SOCKET = pattern(r"^(?:FileNotFoundError|OSError): \[Errno 2\].*\.sock'")

DEADLY = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGQUIT})

LONG_STALL_NS = 10_000_000_000
"""A machine that stood still for so long may have kept a worker from telling that it lives (its time-out is 30 s)."""


def judge(observations: Observations) -> Judgement:
    """Violated by ``worker-crashed``. A crash on the socket file that was already gone belongs to that finding."""
    crashed = [life for life in observations.lives if life.crash is not None and not _is_no_fault(observations, life)]
    killed = find_early_kills(observations)
    own = [life for life in crashed if not _follows_deletion(observations, life)]
    if own:
        finding = _finding(observations, own)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    if killed:
        finding = _finding_of_stop(observations, killed)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    if late := find_late_kills(observations):
        finding = _finding_of_late_end(observations, late)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    blind = find_blind(observations, "logs", "workers")
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    if crashed:
        who = "1 worker" if len(crashed) == 1 else f"{len(crashed)} workers"
        return Judgement(state=State.HOLDS, reason=f"{who} failed on the socket file that was already gone, none else")
    return Judgement(state=State.HOLDS, reason="no worker ended by an exception or a signal")


def _follows_deletion(observations: Observations, life: WorkerLife) -> bool:
    """Whether the file was gone by then, as its first witness tells; the arbiter may have removed it at its own end."""
    crash_ns = life.crash_ns
    gone = [_gone_ns(observations, change) for change in observations.socket if change.action in VANISHING]
    if crash_ns is None or not any(gone_ns <= crash_ns for gone_ns in gone):
        return False
    return MISSING_SOCKET.match(life.crash or "") is not None or any(
        removal.culprit.pid == life.pid and removal.failed == "ENOENT" and removal.at_ns <= crash_ns
        for removal in observations.removals
    )


def _gone_ns(observations: Observations, change: SocketChange) -> int:
    """The earliest moment at which the file may have been gone: where no call was traced, the watcher may lag."""
    if find_removal(observations, change) is not None:
        return vanished_ns(observations, change)
    return change.at_ns - SAME_MOMENT_NS - lost_ns(observations, change.at_ns)


def _is_no_fault(observations: Observations, life: WorkerLife) -> bool:
    """A time-out while the machine stood still, one that the harness killed, or one that went down with its arbiter."""
    if life.crash is None or life.crash_ns is None:
        return False
    if any(sent.pid == life.pid and sent.signal in DEADLY for sent in observations.doings.ours):
        return True
    crash_ns, end_ns = life.crash_ns, arbiter_end_ns(observations)
    if _had_slow_request(observations, life):
        return True
    if life.crash == SILENT_END and allows_orphans(observations, crash_ns):
        return True
    if life.crash == SILENT_END:
        return end_ns is not None and crash_ns > end_ns - SAME_MOMENT_NS
    return life.crash.startswith(TIMED_OUT) and any(
        stall.gap_ns >= LONG_STALL_NS and stall.at_ns <= crash_ns for stall in observations.stalls
    )


def _had_slow_request(observations: Observations, life: WorkerLife) -> bool:
    """Whether it ended while it had a request of the harness's own that takes longer than ``timeout``."""
    return any(asked.worker == life.pid and asked.at_ns <= (life.crash_ns or 0) for asked in observations.harness_asked)


def _finding(observations: Observations, crashed: list[WorkerLife]) -> Finding:
    first = min(crashed, key=lambda life: life.crash_ns or 0)
    at_s = None if first.crash_ns is None else since_load_s(observations, first.crash_ns)
    return Finding(
        id=FindingId.WORKER_CRASHED,
        at_s=at_s,
        detail=f"worker {first.pid} ended by: {first.crash} ({len(crashed)} such workers)",
        evidence={"workers": [[life.pid, life.crash] for life in crashed]},
    )


def _finding_of_stop(observations: Observations, killed: list[tuple[int, SignalSent]]) -> Finding:
    pid, sent = killed[0]
    stack = [f"{file}:{line} {function}" for file, line, function, _ in sent.stack]
    return Finding(
        id=FindingId.WORKER_CRASHED,
        at_s=since_load_s(observations, sent.at_ns),
        detail=f"in its ordered stop the arbiter killed worker {pid} (SIGKILL) before graceful_timeout was over "
        f"({len(killed)} such workers)",
        culprit=Culprit(pid=sent.pid, role="arbiter", call=sent.call, stack=tuple(stack)),
        evidence={"workers": [[one, "SIGKILL"] for one, _ in killed]},
    )


def _finding_of_late_end(observations: Observations, killed: list[tuple[int, SignalSent]]) -> Finding:
    """Here the arbiter did what it has to do; the worker is what does not end."""
    pid, sent = killed[0]
    return Finding(
        id=FindingId.WORKER_CRASHED,
        at_s=since_load_s(observations, sent.at_ns),
        detail=f"in the ordered stop worker {pid} did not end within graceful_timeout, with no request in hand, "
        f"so that the arbiter killed it (SIGKILL; {len(killed)} such workers)",
        evidence={"workers": [[one, "SIGKILL"] for one, _ in killed]},
    )
