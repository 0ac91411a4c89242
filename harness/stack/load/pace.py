"""When an open loop starts its requests: at a constant rate, which does not depend on the requests before.

Several processes share one schedule: each starts every ``processes``-th request of it.
"""

from __future__ import annotations

import math

from harness.core.frozen import dataclass

TARDY_NS = 10_000_000
"""A request that starts later than this counts as delayed, by an answer that its client waited for or by the machine.
Its latency counts from the intended time in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The intended starts of one process's requests: ``first_ns``, then every ``step_ns``."""

    first_ns: int
    step_ns: float

    def at_ns(self, number: int) -> int:
        """When request ``number`` (from 0) is to start."""
        return self.first_ns + round(number * self.step_ns)

    def due(self, until_ns: int) -> int:
        """How many are to have started before ``until_ns``."""
        count = max(0, math.ceil((until_ns - self.first_ns) / self.step_ns))
        while count > 0 and self.at_ns(count - 1) >= until_ns:  # rounding may have moved it
            count -= 1
        while self.at_ns(count) < until_ns:
            count += 1
        return count


def deal_out(rate_per_s: float, *, processes: int, process: int, start_ns: int) -> Schedule:
    """The schedule of ``process`` (from 0) in a load of ``rate_per_s`` requests a second from ``start_ns`` on."""
    gap_ns = 1e9 / rate_per_s
    return Schedule(first_ns=start_ns + round(process * gap_ns), step_ns=processes * gap_ns)
