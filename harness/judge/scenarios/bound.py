"""What the settings promise: how large a service with a known leak can get, and which max_requests a limit leaves.

The promise is workers x (base + leak x (max_requests + jitter)), and the arbiter. Base and leak are measured in the arm
without restarts, the promise is held against the arm with them: neither takes its own measure.

The base counts memory as if nothing that a process may write were shared. Workers begin with the arbiter's pages and
make them their own as they write; a worker that ends writes to nearly all of them, so for a moment each restart shows
what sharing had saved. A promise that relied on sharing would be broken by the restarts themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from harness.core.frozen import dataclass
from harness.core.model import Cell, State
from harness.judge.invariants.max_requests_honoured import most_served
from harness.judge.scenarios.memory import Growth, Sample, noise_bytes

SLACK = 0.1
"""Of the promised size: a worker's base differs a little from life to life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """What the arm without restarts says of the app: sizes in bytes, leaks in bytes a request."""

    arbiter_bytes: float
    base_bytes: float  # one worker before its first request, nothing shared
    per_request: float
    most_per_request: float  # the upper end of the 95 % confidence interval
    file_bytes: float  # pages of files, of all processes together, at most
    noise_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Sizes: what the settings promise, what breaks that for certain, and what is explained by what workers served."""

    promised_bytes: float
    allowed_bytes: float
    kept_bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """Which max_requests keeps the service below a limit; None: none does, or none is needed (``needed``)."""

    limit_bytes: float
    max_requests: int | None
    max_requests_jitter: int | None
    needed: bool
    reason: str


def measure_leak(growth: Growth, samples: Sequence[Sample], workers: int) -> Leak | None:
    """Base and leak from the arm without restarts; None where its growth is not known."""
    if growth.state is State.UNKNOWN or growth.line is None:
        return None
    arbiter_bytes = float(median(sample.arbiter_bytes for sample in samples))
    if growth.state is State.VIOLATED:
        total, slope, most = growth.line.intercept, growth.line.slope, growth.line.high
    else:
        total, slope, most = float(max(sample.total_bytes for sample in samples)), 0.0, growth.most_per_request or 0.0
    shared_bytes = median(sample.unshared_bytes - sample.total_bytes for sample in samples)
    return Leak(
        arbiter_bytes=arbiter_bytes,
        base_bytes=max(0.0, total + shared_bytes - arbiter_bytes) / workers,
        per_request=slope,
        most_per_request=most,
        file_bytes=float(max(sample.file_bytes for sample in samples)),
        noise_bytes=noise_bytes(samples),
    )


def promise(leak: Leak, cell: Cell, served: int = 0) -> Bound:
    """The bound for a cell's settings. ``served``: the most that a worker has served before it restarted, where known.

    Allowed on top of the promise: what is in hand, the leak's uncertainty, SLACK and the noise. Some worker classes
    look at their count only once a second, so that a worker serves many more than it should; ``kept_bytes`` is what
    is allowed then.
    """
    base = leak.arbiter_bytes + cell.workers * leak.base_bytes

    def allow(requests: int) -> float:
        return (1 + SLACK) * (base + cell.workers * leak.most_per_request * requests) + leak.noise_bytes

    return Bound(
        promised_bytes=base + cell.workers * leak.per_request * (cell.max_requests + cell.max_requests_jitter),
        allowed_bytes=allow(most_served(cell)),
        kept_bytes=allow(max(served, most_served(cell))),
    )


def recommend(leak: Leak, cell: Cell, limit_bytes: float, served: int = 0) -> Recommendation:
    """The largest max_requests that keeps all processes together below the limit, with jitter in the cell's proportion.

    It is reckoned with the leak's upper 95 % bound, and with all that a worker may serve beyond its limit: what the
    clients may have open, or more, where the workers of this cell have ``served`` more.
    """
    base = leak.file_bytes + leak.arbiter_bytes + cell.workers * leak.base_bytes

    def answer(reason: str, *, most: int | None = None, needed: bool = True) -> Recommendation:
        jitter = 0 if most is None else round(most * share / (1 + share))
        return Recommendation(
            limit_bytes=limit_bytes,
            max_requests=None if most is None else most - jitter,
            max_requests_jitter=None if most is None else jitter,
            needed=needed,
            reason=reason,
        )

    share = cell.max_requests_jitter / cell.max_requests if cell.max_requests else 0.0
    if base >= limit_bytes:
        return answer(f"no max_requests can: before any request all processes together have {mb(base)}")
    if leak.per_request == 0:
        return answer("none is needed: no leak was found", needed=False)
    in_hand = max(served, most_served(cell)) - cell.max_requests - cell.max_requests_jitter
    most = int((limit_bytes - base) / (cell.workers * leak.most_per_request)) - in_hand
    if most < 1:
        return answer("no max_requests can: what workers serve beyond their limit alone exceeds it")
    return answer(f"each worker may serve {most:,} requests, the jitter included", most=most)


def mb(size_bytes: float) -> str:
    """``52.3 MB``: a million bytes each."""
    return f"{size_bytes / 1e6:,.1f} MB"
