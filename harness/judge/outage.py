"""When the service stopped answering for good, and which failures belong to that: shared by several invariants.

Pure arithmetic over observations. A failure is what a client saw; see ``Probe.failed`` and ``Answers.failures``.
"""

from __future__ import annotations

from collections import Counter

from harness.core.events.clients import LoadEnded, Probe
from harness.core.events.servers import SocketChange
from harness.core.frozen import dataclass
from harness.core.observations import Observations
from harness.judge.reach import is_shut_for_good
from harness.judge.vanishing import find_removal, find_vanishing, is_gone, vanished_ns
from harness.judge.windows import SAME_MOMENT_NS
from harness.stack.gunicorn import most_in_hand

ENOUGH_PROBES = 3
"""So many probes in a row, at the end of the settle phase, tell how it ended where the cause is lasting: the path is
gone, or the arbiter."""

ENOUGH_UNEXPLAINED = 20
"""So many (a second's worth) where it is not known why nothing is answered: it might still be a coincidence."""

LONG_WAIT_S = 1.0
"""Where a request waits so long on average, half of what the clients wait at most, many wait longer than they do."""

PROBES_PER_S = 40
"""Of the prober, on both ways together, once something is amiss: more than is served where lives are very short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From ``onset_ns`` (the last success, or the first failure where there was none) nothing was answered well."""

    onset_ns: int
    failed_probes: int
    last_success_ns: int | None


def client_way(observations: Observations) -> str:
    """The way on which the clients come: through the proxy where there is one."""
    return "direct" if observations.cell.proxy == "none" else "proxy"


def settle_probes(observations: Observations, way: str) -> list[Probe]:
    """The probes of one way that began in the settle phase."""
    settle_ns = observations.phases.get("settle")
    if settle_ns is None:
        return []
    return [probe for probe in observations.probes if probe.via == way and probe.at_ns >= settle_ns]


def find_outage(observations: Observations) -> Outage | None:
    """The outage that lasted to the end of the settle phase, as the clients saw it; None where there was none.

    Connections that a proxy kept open may still be answered for a while after the path has gone, so what counts is
    how the settle phase ended: with enough failures in a row. Time-outs while the machine stood still never count, nor
    do those behind the queue that an overload has left.
    """
    way = client_way(observations)
    failed = _failures_at_the_end(observations, way)
    lasting = has_lasting_cause(observations)
    if len(failed) < (ENOUGH_PROBES if lasting else ENOUGH_UNEXPLAINED):
        return None
    if not lasting and {probe.outcome for probe in failed} == {"timeout"} and is_overloaded(observations):
        return None
    last_success_ns = _last_success_ns(observations, way)
    first_failure_ns = min(_failure_times(observations), default=failed[0].at_ns)
    onset_ns = first_failure_ns if last_success_ns is None else last_success_ns
    return Outage(onset_ns=onset_ns, failed_probes=len(failed), last_success_ns=last_success_ns)


def is_overloaded(observations: Observations) -> bool:
    """Whether load or prober ask for more than is served even while all is well, so that late answers say nothing."""
    return is_swamped(observations) or (mean_wait_s(observations) or 0.0) >= LONG_WAIT_S


def is_swamped(observations: Observations) -> bool:
    """Whether fewer requests were served, while any were, than the prober alone sends. Never in an open loop."""
    load, load_ns = observations.load, observations.phases.get("load")
    probed = [probe.at_ns + probe.took_ns for probe in observations.probes if probe.ok]
    answered = [row.at_ns for row in observations.answers if row.succeeded]
    last_ns = max(probed + answered, default=0)
    if load is None or load_ns is None or not load.requests or observations.cell.rate_per_s is not None:
        return False
    return load.requests + len(probed) < PROBES_PER_S * (last_ns - load_ns) / 1e9


def mean_wait_s(observations: Observations) -> float | None:
    """How long a request of the load took on average, by Little's law, up to the last that was answered with success.

    None where clients don't queue, because as many requests can be in hand, and in an open loop.
    """
    cell, load, load_ns = observations.cell, observations.load, observations.phases.get("load")
    answered = [row.at_ns for row in observations.answers if row.succeeded]
    if load is None or load_ns is None or not answered or not load.requests or cell.rate_per_s is not None:
        return None
    if cell.connections <= cell.workers * most_in_hand(cell):
        return None
    return cell.connections * (max(answered) - load_ns) / 1e9 / load.requests


def describe_overload(observations: Observations) -> str:
    """In words, with what to do."""
    if is_swamped(observations):
        return (
            f"fewer than {PROBES_PER_S} requests a second are served, less than the probes alone: "
            "the app is too slow for this, or --max-requests too low"
        )
    wait_s = mean_wait_s(observations) or 0.0
    return (
        f"{observations.cell.connections} clients ask for more than is served, restart or not: "
        f"a request takes {wait_s:.1f} s on average; lower --connections"
    )


def has_lasting_cause(observations: Observations) -> bool:
    """Whether no new client can be answered any more: the path is gone or shut for good, or the arbiter ended."""
    if observations.arbiter_exit_ns is not None:
        return True
    return is_gone_for_good(observations) or is_shut_for_good(observations)


def is_gone_for_good(observations: Observations) -> bool:
    """Whether the path vanished, and the last that was seen of it is that it is not there."""
    return find_vanishing(observations) is not None and is_gone(observations.socket[-1])


def _failures_at_the_end(observations: Observations, way: str) -> list[Probe]:
    failed: list[Probe] = []
    for probe in reversed(settle_probes(observations, way)):
        if not probe.failed:
            break
        if not overlaps_stall(observations, probe):
            failed.append(probe)
    return failed[::-1]


def proxy_in_doubt(observations: Observations) -> bool:
    """Whether the proxy may be what failed: it ended, or gunicorn answered directly while it let everybody down.

    Never where the socket file is gone or shut for good: no proxy can reach what is not there, or what it may not.
    """
    outage = find_outage(observations)
    if client_way(observations) != "proxy" or outage is None:
        return False
    if is_gone_for_good(observations) or is_shut_for_good(observations):
        return False
    direct = settle_probes(observations, "direct")
    return observations.proxy_exit_ns is not None or any(p.ok and p.at_ns >= outage.onset_ns for p in direct)


def covered_from_ns(observations: Observations) -> int | None:
    """From when on failures belong to the outage: from the restart that deleted the path, else from its onset.

    A record that was cut short can't tell that the outage lasts, but neither does it show a recovery from the deletion.
    """
    outage, vanishing = find_outage(observations), find_vanishing(observations)
    if vanishing is None or not is_gone_for_good(observations):
        return None if outage is None else outage.onset_ns
    removal_ns = _start_of_removal_ns(observations, vanishing) - SAME_MOMENT_NS
    if outage is not None:
        return min(removal_ns, outage.onset_ns)
    last = settle_probes(observations, client_way(observations))[-1:]
    return None if any(probe.ok for probe in last) else removal_ns


def _start_of_removal_ns(observations: Observations, vanishing: SocketChange) -> int:
    """When the restart began in which the path vanished: what fails from there on is of that restart."""
    removal = find_removal(observations, vanishing)
    culprit = None if removal is None else removal.culprit.pid
    restarts = [
        life.restart_ns
        for life in observations.lives
        if life.pid == culprit and life.restart_ns is not None and life.restart_ns <= vanishing.at_ns
    ]
    return max(restarts, default=vanished_ns(observations, vanishing))


def overlaps_stall(observations: Observations, probe: Probe) -> bool:
    """Whether a time-out of this probe may be due to the machine standing still."""
    if probe.outcome != "timeout":
        return False
    end_ns = probe.at_ns + probe.took_ns
    return any(stall.at_ns < end_ns and stall.at_ns + stall.gap_ns > probe.at_ns for stall in observations.stalls)


def probe_failures(observations: Observations) -> list[Probe]:
    """All probes that let a client down since the control phase was over, time-outs of a stalled machine left out."""
    load_ns = observations.phases.get("load")
    return [
        probe
        for probe in observations.probes
        if load_ns is not None and probe.at_ns >= load_ns and probe.failed and not overlaps_stall(observations, probe)
    ]


def count_outcomes(observations: Observations) -> dict[str, Counter[str]]:
    """How many requests ended in which way, by client: the load generator and the two ways of the prober."""
    by_client: dict[str, Counter[str]] = {}
    if observations.load is not None:
        load = Counter(observations.load.statuses)
        load.update({error: count for error, count in observations.load.errors.items() if count})
        by_client[observations.cell.load] = load
    for probe in observations.probes:
        by_client.setdefault(f"probe-{probe.via}", Counter())[probe.outcome] += 1
    return by_client


def count_late(load: LoadEnded | None) -> int:
    """How many of the load's time-outs were answered after all, and so have a status as well."""
    if load is None:
        return 0
    return load.errors.get("timeout", 0) if load.late is None else load.late


def _last_success_ns(observations: Observations, way: str) -> int | None:
    answered = [row.at_ns for row in observations.answers if row.succeeded]
    probed = [probe.at_ns + probe.took_ns for probe in observations.probes if probe.via == way and probe.ok]
    return max(answered + probed, default=None)


def _failure_times(observations: Observations) -> list[int]:
    answered = [row.at_ns for row in observations.answers if row.failures()]
    return answered + [probe.at_ns for probe in probe_failures(observations)]
