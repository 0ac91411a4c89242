"""Each live worker serves. One that served nothing is asked alone, so that neither chance nor a proxy explains it."""

from __future__ import annotations

from harness.core.events.fleet import AskedAlone
from harness.core.findings import FindingId
from harness.core.model import Finding, Judgement, State, is_success
from harness.core.observations import Observations
from harness.judge.meddling import is_stopped_by_gunicorn

SILENT = "timeout"
"""How a request ends that the kernel has put into the queue and no worker takes out of it."""


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``workers-idle``; None where no worker had to be asked, or none could be."""
    asked = observations.asked_alone
    if not asked:
        return None
    idle = [one for one in asked if _is_idle(observations, one)]
    if idle:
        finding = _find(observations, idle)
        return Judgement(state=State.VIOLATED, reason=finding.detail, findings=(finding,))
    unclear = [one for one in asked if not one.outcome.isdigit()]
    if unclear:
        reason = f"worker {unclear[0].pid} served nothing, and when asked by itself: {unclear[0].outcome}"
        return Judgement(state=State.UNKNOWN, reason=reason)
    return Judgement(
        state=State.HOLDS, reason=f"{len(asked)} workers that had served nothing answered when asked alone"
    )


def _is_idle(observations: Observations, asked: AskedAlone) -> bool:
    """It lived and did not answer; the others did as soon as they could. One that gunicorn itself has stopped lives."""
    lived = asked.lived or (
        is_stopped_by_gunicorn(observations, asked.pid)
        and any(life.pid == asked.pid and life.ended_ns is None for life in observations.lives)
    )
    return asked.outcome == SILENT and lived and is_success(asked.then)


def _find(observations: Observations, idle: list[AskedAlone]) -> Finding:
    first = idle[0]
    served = next((life.served for life in observations.lives if life.pid == first.pid), 0)
    return Finding(
        id=FindingId.WORKERS_IDLE,
        at_s=None,
        detail=f"worker {first.pid} lived for {first.idle_ns / 1e9:.1f} s without serving a request ({served:,} before "
        f"that), while others served {first.served_by_others:,}; asked by itself, with the others stopped for "
        f"{first.took_ns / 1e9:.1f} s, it did not answer ({len(idle)} such workers)",
        evidence={"workers": [[one.pid, one.idle_ns / 1e9, one.served_by_others] for one in idle]},
    )
