"""What happened when: the few moments of a run that a reader needs, in order, from the observations alone."""

from __future__ import annotations

import signal
from collections.abc import Iterator

from harness.core.events.clients import Answers
from harness.core.model import Moment
from harness.core.observations import Observations
from harness.judge.invariants.max_requests_honoured import is_recycle
from harness.judge.invariants.socket_survives import find_replacement
from harness.judge.outage import find_outage, probe_failures
from harness.judge.reach import find_closure
from harness.judge.timeline import since_load_s
from harness.judge.vanishing import find_removal, find_vanishing, since_bind

STEP_NS = 10_000_000
"""The load's answers are counted in steps so long, each with the time at which it begins."""


def tell(observations: Observations) -> tuple[Moment, ...]:
    """The moments, oldest first."""
    timed = sorted(_moments(observations), key=lambda item: item[0])
    return tuple(Moment(at_s=round(since_load_s(observations, at_ns), 3), what=what) for at_ns, what in timed)


def _moments(observations: Observations) -> Iterator[tuple[int, str]]:
    yield from _phase_moments(observations)
    yield from _socket_moments(observations)
    yield from _worker_moments(observations)
    yield from _client_moments(observations)
    yield from _disturbance_moments(observations)
    if observations.arbiter_exit_ns is not None:
        yield observations.arbiter_exit_ns, f"the arbiter ended with status {observations.arbiter_status}"
    if observations.arbiter_asked_ns is not None:
        yield observations.arbiter_asked_ns, "somebody else sends gunicorn a signal"
    if observations.proxy_exit_ns is not None:
        yield observations.proxy_exit_ns, "the proxy ended"
    stop = observations.leftovers.stop
    if stop is not None:
        yield stop.at_ns, "the arbiter is told to end (SIGTERM), without load"
    if stop is not None and stop.took_ns is not None:
        yield stop.at_ns + stop.took_ns, f"the arbiter has ended with status {stop.status}"
    for stall in observations.stalls:
        yield stall.at_ns, f"the machine stood still for {stall.gap_ns / 1e9:.1f} s"


def _disturbance_moments(observations: Observations) -> Iterator[tuple[int, str]]:
    for one in observations.disturbances:
        yield one.began_ns, f"{one.label} begins"
        if one.ended_ns is not None:
            yield one.ended_ns, f"{one.label} is over"
        elif one.gave_up_ns is not None:
            yield one.gave_up_ns, f"{one.label}: {one.missing} did not come within {one.within_s:.1f} s"
    if observations.disturbances:
        for sent in observations.doings.ours:
            name = signal.Signals(sent.signal).name
            yield sent.at_ns, f"the harness sends {name} to {sent.who} {sent.pid}: {sent.reason}"
        for did in observations.harness_did:
            yield did.at_ns, f"the harness: {did.detail}"


def _phase_moments(observations: Observations) -> Iterator[tuple[int, str]]:
    said = {
        "boot": "gunicorn and the proxy are started",
        "load": "the load begins",
        "settle": "the load has ended; the service may settle",
        "closed": "the record is closed",
    }
    for name, what in said.items():
        if name in observations.phases:
            yield observations.phases[name], what


def _socket_moments(observations: Observations) -> Iterator[tuple[int, str]]:
    for bound in since_bind(observations)[:1]:
        yield bound.at_ns, "gunicorn has bound the socket file"
    again = find_replacement(observations)
    if again is not None:
        yield again.at_ns, f"the path names another file (inode {again.inode})"
    closure = find_closure(observations)
    if closure is not None:
        yield closure.at_ns, "the socket file is there, but its clients may no longer connect"
    if closure is not None and closure.until_ns is not None:
        yield closure.until_ns, "the socket file's clients may connect again"
    vanishing = find_vanishing(observations)
    if vanishing is None:
        return
    removal = find_removal(observations, vanishing)
    if removal is not None:
        culprit = removal.culprit
        yield removal.at_ns, f"{culprit.role} {culprit.pid} calls {culprit.call} on the socket file"
    yield vanishing.at_ns, "the socket file is gone"


def _worker_moments(observations: Observations) -> Iterator[tuple[int, str]]:
    ended = [
        (life.ended_ns, life)
        for life in observations.lives
        if life.ended_ns is not None and is_recycle(observations.cell, life)
    ]
    ended.sort(key=lambda item: item[0])
    if ended:
        at_ns, life = ended[0]
        yield at_ns, f"worker {life.pid} is the first to end by max_requests, after {life.served:,} requests"
    if len(ended) > 1:
        yield ended[-1][0], f"worker {ended[-1][1].pid} is the last of {len(ended)} to do so"
    crashes = [(life.crash_ns, life) for life in observations.lives if life.crash_ns is not None]
    if crashes:
        at_ns, life = min(crashes, key=lambda item: item[0])
        yield (
            at_ns,
            f"worker {life.pid} fails: {life.crash}" + (f" (and {len(crashes) - 1} more)" if crashes[1:] else ""),
        )


def _explain_order(observations: Observations, first: Answers) -> str:
    """Why a failure seems to come before the deletion that it comes from: its time is that of its whole step."""
    vanishing = find_vanishing(observations)
    if vanishing is None or not first.at_ns < vanishing.at_ns < first.at_ns + STEP_NS:
        return ""
    return f": in the same {STEP_NS // 1_000_000} ms as the deletion, and told with their beginning"


def _client_moments(observations: Observations) -> Iterator[tuple[int, str]]:
    failing = [row for row in observations.answers if row.failures()]
    if failing:
        kinds = ", ".join(sorted(failing[0].failures()))
        yield failing[0].at_ns, f"the load sees its first failure ({kinds}){_explain_order(observations, failing[0])}"
    missed = probe_failures(observations)
    if missed:
        yield missed[0].at_ns, f"the first probe fails ({missed[0].via}: {missed[0].outcome})"
    outage = find_outage(observations)
    if outage is not None and outage.last_success_ns is not None:
        yield outage.last_success_ns, "the last answer of success"
