"""Restarts and an ordered stop leave nothing of the release behind: no process, and no path that it had bound."""

from __future__ import annotations

import signal
from pathlib import PurePath

from harness.core.events.stop import StopEnded
from harness.core.findings import FindingId
from harness.core.model import Finding, Json, Judgement, State
from harness.core.observations import Observations
from harness.judge.ordered_stop import (
    MOST_NAMED,
    count,
    is_ended_by_others,
    is_path_lost,
    list_gunicorns,
    name,
    to_json,
)
from harness.judge.timeline import since_load_s


def judge(observations: Observations) -> Judgement | None:
    """Violated by ``processes-left-behind`` and ``socket-left-behind``.

    Once the bound path was lost, an ordered end that fails follows from that: it is a note.
    """
    strays, stop = observations.leftovers.strays, observations.leftovers.stop
    if strays is None and stop is None:
        return None
    findings = [*_find_strays(observations), *([] if stop is None else _find_left(observations, stop))]
    if findings:
        return Judgement(state=State.VIOLATED, reason=findings[0].detail, findings=tuple(findings))
    if stop is not None and is_ended_by_others(stop):
        name = signal.Signals(-(stop.status or 0)).name
        return Judgement(state=State.UNKNOWN, reason=f"during its ordered stop the arbiter was ended by {name}")
    return Judgement(state=State.HOLDS, reason=_describe_end(observations, stop))


def _describe_end(observations: Observations, stop: StopEnded | None) -> str:
    if stop is None:
        return "no process was without its worker; the arbiter was not told to end"
    if is_path_lost(observations):
        return (
            "no process was without its worker; the ordered stop is not judged, because the bound path was lost before"
        )
    if stop.took_ns is None:
        return "no process was without its worker; the arbiter did not end when it was told to"
    return f"the arbiter ended {stop.took_ns / 1e9:.2f} s after it was told to, and left nothing"


def _find_strays(observations: Observations) -> list[Finding]:
    strays = observations.leftovers.strays
    processes = [] if strays is None else list_gunicorns(observations, strays.processes)
    if strays is None or not processes:
        return []
    detail = f"{count(processes)} of gunicorn belonged to no living worker when all had settled: {name(processes)}"
    evidence: dict[str, Json] = {"processes": to_json(processes), "waited_s": strays.waited_ns / 1e9}
    at_s = since_load_s(observations, strays.at_ns)
    return [Finding(id=FindingId.PROCESSES_LEFT_BEHIND, at_s=at_s, detail=detail, evidence=evidence)]


def _find_left(observations: Observations, stop: StopEnded) -> list[Finding]:
    if stop.took_ns is None or is_ended_by_others(stop) or is_path_lost(observations):
        return []
    at_s, findings = since_load_s(observations, stop.at_ns), []
    bound = next((look.inode for look in reversed(observations.socket)), None)
    paths = [*(["the socket file"] if bound is not None and stop.inode == bound else []), *stop.sockets]
    if paths:
        named = ", ".join(PurePath(path).name for path in paths[:MOST_NAMED])
        detail = f"after the ordered stop there was still: {named} (the arbiter's exit status is {stop.status})"
        evidence = {"paths": paths}
        findings.append(Finding(id=FindingId.SOCKET_LEFT_BEHIND, at_s=at_s, detail=detail, evidence=evidence))
    left = list_gunicorns(observations, stop.left)
    told = observations.leftovers.strays
    known = set() if told is None else {row[0] for row in told.processes}
    left = [row for row in left if row[0] not in known]
    if left:
        detail = f"{count(left)} of gunicorn outlived its arbiter's ordered end: {name(left)}"
        processes: Json = to_json(left)
        findings.append(
            Finding(
                id=FindingId.PROCESSES_LEFT_BEHIND,
                at_s=at_s,
                detail=detail,
                evidence={"processes": processes, "status": stop.status},
            )
        )
    return findings
