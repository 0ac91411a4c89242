"""What worker restarts do to the number of workers, without any server: for settings that can't be run here.

A model of gunicorn alone: each worker draws its limit, serves up to it, and is away until a successor has
booted; the arbiter forks missing workers one after the other, with a random pause after each. No events, no files, no
clock, and no library's random numbers: Python's are the same in every release, so that a stored record is judged alike
wherever it is.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from random import Random

from harness.core.frozen import dataclass

SPAWN_PAUSE_S = 0.1
"""The arbiter sleeps a random time of up to this after each fork (``Arbiter.spawn_workers``, in every release)."""

MOST_REPETITIONS = 40
LEAST_REPETITIONS = 10
WORKERS_IN_ALL = 20_000
"""Repetitions and workers multiplied: that keeps a search below some seconds. The more workers, the less chance."""

QUANTILE = 0.95
FAR_END_S = math.inf


class Spread(str, Enum):
    """How requests are spread over the workers that are there."""

    EVEN = "even"  # in turn: each gets as many as the next
    RANDOM = "random"  # each request goes to any worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The settings that decide how many workers are away at once."""

    workers: int
    max_requests: int
    jitter: int
    boot_s: float  # from the fork until the worker takes its first request
    service_s: float  # one request
    exit_s: float = 0.0  # from the end of its last request until the process has ended
    threads: int = 1  # requests that a worker has in hand at a time
    rate_per_s: float | None = None  # of all requests; None: as many as the workers can serve
    spread: Spread = Spread.EVEN
    spawn_pause_s: float = SPAWN_PAUSE_S

    @property
    def top_speed(self) -> float:
        """The requests that one worker can serve in a second."""
        return self.threads / self.service_s

    def speed(self, present: int) -> float:
        """The requests a second that each of ``present`` workers gets; what no worker can serve waits."""
        if self.rate_per_s is None or not present:
            return self.top_speed
        return min(self.top_speed, self.rate_per_s / present)

    @property
    def away_s(self) -> float:
        """How long a worker is away at least: its last request, its end, and the boot of the next one."""
        return self.service_s + self.exit_s + self.boot_s

    @property
    def life_s(self) -> float:
        """How long a worker serves on average, with all of them there."""
        return (self.max_requests + self.jitter / 2) / self.speed(self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """From ``at_s`` (since the load began) on, ``away`` workers are away."""

    at_s: float
    away: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The worst simultaneous absence in each of several repetitions, in workers, lowest first."""

    service: Service
    duration_s: float
    worst: tuple[int, ...]

    @property
    def mean(self) -> float:
        """The mean over the repetitions."""
        return sum(self.worst) / len(self.worst)

    def quantile(self, share: float) -> int:
        """The smallest number that at least ``share`` of the repetitions don't exceed."""
        return self.worst[max(0, math.ceil(share * len(self.worst)) - 1)]


def forecast(service: Service, *, duration_s: float, repetitions: int | None = None, seed: int = 0) -> Forecast:
    """Repeat the simulation; the same seed gives the same answer."""
    rng = Random(seed)  # noqa: S311 - no secret
    worst = sorted(
        max((change.away for change in simulate(service, duration_s=duration_s, rng=rng)), default=0)
        for _ in range(repetitions or count_repetitions(service.workers))
    )
    return Forecast(service=service, duration_s=duration_s, worst=tuple(worst))


def count_repetitions(workers: int) -> int:
    """How often a simulation of so many workers is repeated."""
    return max(LEAST_REPETITIONS, min(MOST_REPETITIONS, WORKERS_IN_ALL // workers))


def span_s(service: Service, lives: float) -> float:
    """How long ``lives`` worker lives take on average, each with the absence after it."""
    return lives * (service.life_s + service.away_s)


def simulate(service: Service, *, duration_s: float, rng: Random) -> Iterator[Change]:
    """One repetition: every change of the number of workers away, in order of time; all are there at 0 s.

    ``progress`` counts the requests that a worker which was always there would have got; a worker leaves when progress
    reaches what it had at its start plus its limit. So workers that share a fixed rate hurry on when others are away.
    """
    now_s = progress = free_s = 0.0
    leaving = [draw_limit(service, rng) for _ in range(service.workers)]
    heapq.heapify(leaving)
    returning: deque[float] = deque()
    while True:
        speed = service.speed(len(leaving))
        leaves_s = now_s + max(0.0, leaving[0] - progress) / speed if leaving else FAR_END_S
        returns_s = returning[0] if returning else FAR_END_S
        next_s = min(leaves_s, returns_s)
        if next_s > duration_s:
            return
        progress += (next_s - now_s) * speed if leaving else 0.0
        now_s = next_s
        if returns_s <= leaves_s:
            returning.popleft()
            heapq.heappush(leaving, progress + draw_limit(service, rng))
        else:
            heapq.heappop(leaving)
            forked_s = max(now_s + service.service_s + service.exit_s, free_s)
            free_s = forked_s + rng.uniform(0, service.spawn_pause_s)
            returning.append(forked_s + service.boot_s)
        yield Change(at_s=now_s, away=len(returning))


def draw_limit(service: Service, rng: Random) -> float:
    """The progress that a worker makes before it takes its last request.

    Spread evenly, that is its limit less the request it is about to take, and at a fixed rate a part of a turn more,
    since its turn may be early or late. Spread at random, it is the sum of so many exponential waits.
    """
    limit = service.max_requests + int(rng.random() * (service.jitter + 1))
    if service.spread is Spread.RANDOM:
        return rng.gammavariate(limit, 1.0) if limit else 0.0
    return limit - 1 + (0.0 if service.rate_per_s is None else rng.random())


def find_jitter(
    service: Service, *, most_away: float, lives: float, repetitions: int | None = None, seed: int = 0
) -> Forecast | None:
    """The smallest jitter up to max_requests with which at most ``most_away`` (0 to 1) of the workers are away at once.

    "At most" means in QUANTILE of the repetitions, each of them ``lives`` worker lives long. None where no jitter does.
    """
    most = most_away * service.workers

    def ask(jitter: int) -> Forecast:
        tried = replace(service, jitter=jitter)
        return forecast(tried, duration_s=span_s(tried, lives), repetitions=repetitions, seed=seed)

    def suffices(found: Forecast) -> bool:
        return found.quantile(QUANTILE) <= most

    low, best = -1, ask(service.max_requests)
    if not suffices(best):
        return None
    while best.service.jitter - low > 1:
        middle = ask((low + best.service.jitter) // 2)
        if suffices(middle):
            best = middle
        else:
            low = middle.service.jitter
    return best
