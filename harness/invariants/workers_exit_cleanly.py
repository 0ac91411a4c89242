"""A worker that restarts ends by itself: not by an unhandled exception, not by a signal."""

from __future__ import annotations

from harness.model import Finding, FindingId, Judgement, Observations, State, WorkerLife
from harness.outage import find_vanishing
from harness.timeline import since_load_s


def judge(observations: Observations) -> Judgement:
    """Violated by ``worker-crashed``. A crash on the socket file that was already gone belongs to that finding."""
    crashed = [life for life in observations.lives if life.crash is not None]
    own = [life for life in crashed if not _follows_deletion(observations, life)]
    if own:
        finding = _finding(observations, own)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    watcher = observations.watchers.get("logs", "never started")
    if watcher != "stopped":
        return Judgement(state=State.UNKNOWN, reason=f"nobody read gunicorn's log to the end: {watcher}")
    if crashed:
        return Judgement(
            state=State.HOLDS,
            reason=f"{len(crashed)} workers failed on the socket file that was already gone, none else",
        )
    return Judgement(state=State.HOLDS, reason="no worker ended by an exception or a signal")


def _follows_deletion(observations: Observations, life: WorkerLife) -> bool:
    vanishing = find_vanishing(observations)
    if vanishing is None or life.crash is None or life.crash_ns is None:
        return False
    return life.crash.startswith("FileNotFoundError") and ".sock'" in life.crash and life.crash_ns >= vanishing.at_ns


def _finding(observations: Observations, crashed: list[WorkerLife]) -> Finding:
    first = min(crashed, key=lambda life: life.crash_ns or 0)
    at_s = None if first.crash_ns is None else since_load_s(observations, first.crash_ns)
    return Finding(
        id=FindingId.WORKER_CRASHED,
        at_s=at_s,
        detail=f"worker {first.pid} ended by: {first.crash} ({len(crashed)} such workers)",
        evidence={"workers": [[life.pid, life.crash] for life in crashed]},
    )
