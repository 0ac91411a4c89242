"""Whether the proxy itself may have failed requests while gunicorn was well, and be it for a moment.

A proxy that gunicorn let down says so in its log: refused, closed, reset. Where it has nothing to say of gunicorn, no
request that failed has come to the app, and gunicorn answered everybody who asked it directly, the proxy is in doubt.
It is not where every failure came with the restart of a worker, and that can't be chance: a proxy that fails by itself
has no reason to do so just then, and haproxy hangs up on a client without a line where gunicorn hung up on haproxy.
Time-outs are left out: a proxy notices them later than its clients do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from harness.core.observations import Observations
from harness.judge.outage import client_way, probe_failures
from harness.judge.restarts import chance_of, is_near_restart, restart_share, restart_spans

THROUGH_PROXY = ("load", "probe-proxy")
RAN = ("failed_after_gunicorn", "failed_unknown", "run_twice", "unexplained")
TENTH_NS = 100_000_000
"""The ledger tells to a tenth of a second when a request was sent."""

NO_CHANCE = 0.01
"""Failures that fall into restarts less often than this by chance were brought about by the restarts."""


def describe_silent_proxy(observations: Observations, failed: Counter[str]) -> str | None:
    """Why the failures may be the proxy's own; None where they are not, or it can't be known.

    ``failed``: how the requests that no outage explains ended; all of them came through the proxy.
    """
    if (
        client_way(observations) != "proxy"
        or not failed
        or "timeout" in failed
        or not _never_arrived(observations, failed.total())
        or _came_with_restarts(observations, failed.total())
    ):
        return None
    blamed = sum(count for reason, count in observations.proxy_errors.items() if reason != "retried")
    load_ns = observations.phases.get("load", 0)
    direct = [probe for probe in observations.probes if probe.via == "direct" and probe.at_ns >= load_ns]
    if blamed or not direct or not all(probe.ok for probe in direct):
        return None
    return (
        f"{failed.total():,} requests failed on the way through the proxy, whose log knows of no failed attempt at "
        f"gunicorn, while gunicorn answered each of {len(direct):,} direct probes: the proxy may be the one at fault"
    )


def _never_arrived(observations: Observations, failures: int) -> bool:
    """Whether the ledger knows all these failures, and that none of the requests was run."""
    ledger = observations.ledger or {}
    by_client = ledger.get("by_client")
    if ledger.get("state") != "closed" or not isinstance(by_client, Mapping):
        return False
    endings = [by_client.get(client) for client in THROUGH_PROXY]
    counted = [one for one in endings if isinstance(one, Mapping)]
    before = sum(count for one in counted if isinstance(count := one.get("failed_before_gunicorn"), int))
    return before >= failures and not any(one.get(ending) for one in counted for ending in RAN)


def _came_with_restarts(observations: Observations, failures: int) -> bool:
    """Whether all failures were sent while workers restarted, and in more of these times than chance brings about."""
    sent = _list_sent(observations)
    spans = restart_spans(observations, sooner_ns=TENTH_NS)
    share = restart_share(observations, spans)
    if share is None or len(sent) < failures or not all(is_near_restart(spans, at_ns) for at_ns in sent):
        return False
    met = sum(any(begin_ns <= at_ns <= end_ns for at_ns in sent) for begin_ns, end_ns in spans)
    return chance_of(met, met, share) < NO_CHANCE


def _list_sent(observations: Observations) -> list[int]:
    """When the requests were sent that failed, as far as it is known, ascending."""
    by_tenth = (observations.ledger or {}).get("failed_by_tenth") or ()
    of_load = [at_ns for at_ns, count in cast("Sequence[tuple[int, int]]", by_tenth) for _ in range(count)]
    return sorted(of_load + [probe.at_ns for probe in probe_failures(observations) if probe.via == "proxy"])
