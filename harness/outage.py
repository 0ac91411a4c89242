"""When the service stopped answering for good, and which failures belong to that: shared by several invariants.

Pure arithmetic over observations. A failure is what a client saw; see ``model.is_failure``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from harness.model import Observations, Probe, SocketChange, is_failure, is_success
from harness.timeline import SAME_MOMENT_NS

ENOUGH_PROBES = 3
"""So many failed probes after the load ended, and none that succeeded, before anything is called an outage."""

VANISHING = {"deleted", "moved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """From ``onset_ns`` (the last success, or the first failure where there was none) nothing was answered well."""

    onset_ns: int
    failed_probes: int
    last_success_ns: int | None


def find_vanishing(observations: Observations) -> SocketChange | None:
    """The first time the bound path vanished while the arbiter lived and did not stop by itself."""
    bound = next((change.at_ns for change in observations.socket if change.action == "created"), None)
    if bound is None:
        return None
    ends = [ns for ns in (observations.arbiter_stopping_ns, observations.arbiter_exit_ns) if ns is not None]
    arbiter_end_ns = min(ends, default=None)
    for change in observations.socket:
        if change.action in VANISHING and change.at_ns >= bound:
            own_stop = arbiter_end_ns is not None and change.at_ns > arbiter_end_ns - SAME_MOMENT_NS
            return None if own_stop else change
    return None


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

    Never claimed on fewer than ENOUGH_PROBES failures after the load, and never from time-outs during which the
    machine itself stood still.
    """
    way = client_way(observations)
    last = settle_probes(observations, way)
    failed = [probe for probe in last if is_failure(probe.outcome) and not overlaps_stall(observations, probe)]
    if any(probe.ok for probe in last) or len(failed) < ENOUGH_PROBES:
        return None
    last_success_ns = _last_success_ns(observations, way)
    first_failure_ns = min(_failure_times(observations, way), default=failed[0].at_ns)
    onset_ns = first_failure_ns if last_success_ns is None else last_success_ns
    return Outage(onset_ns=onset_ns, failed_probes=len(failed), last_success_ns=last_success_ns)


def proxy_in_doubt(observations: Observations) -> bool:
    """Whether the proxy may be what failed: it ended, or gunicorn answered directly while it let everybody down.

    Never where the socket file vanished: no proxy can reach what is not there.
    """
    if client_way(observations) != "proxy" or find_vanishing(observations) is not None:
        return False
    return observations.proxy_exit_ns is not None or any(p.ok for p in settle_probes(observations, "direct"))


def covered_from_ns(observations: Observations) -> int | None:
    """From when on failures belong to the outage: from the deletion that caused it, else from its onset."""
    outage = find_outage(observations)
    if outage is None:
        return None
    vanishing = find_vanishing(observations)
    if vanishing is None:
        return outage.onset_ns
    return min(vanishing.at_ns - SAME_MOMENT_NS, outage.onset_ns)


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
        if load_ns is not None
        and probe.at_ns >= load_ns
        and is_failure(probe.outcome)
        and not overlaps_stall(observations, probe)
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


def _last_success_ns(observations: Observations, way: str) -> int | None:
    answered = [row.at_ns for row in observations.answers if any(map(is_success, row.outcomes))]
    probed = [probe.at_ns + probe.took_ns for probe in observations.probes if probe.via == way and probe.ok]
    return max(answered + probed, default=None)


def _failure_times(observations: Observations, way: str) -> list[int]:
    answered = [row.at_ns for row in observations.answers if any(map(is_failure, row.outcomes))]
    return answered + [probe.at_ns for probe in probe_failures(observations) if probe.via == way]
