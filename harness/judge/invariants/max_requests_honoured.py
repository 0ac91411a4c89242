"""A worker restarts once it has served max_requests (plus its jitter): neither later, nor earlier."""

from __future__ import annotations

import math
from bisect import bisect_left

from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Judgement, State, is_success
from harness.core.observations import Observations, WorkerLife
from harness.core.text import plural
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.vanishing import arbiter_end_ns
from harness.judge.waits import list_waits
from harness.judge.windows import SAME_MOMENT_NS, allows_end
from harness.stack.gunicorn import most_in_hand, started_worker_class

PROBES_IN_FLIGHT = 2
"""One probe of each way may be with a worker when it reaches its limit."""

COUNTED_BY = ("tallies", "workers", "logs")
"""The watchers without which a worker seems to have served less than it did, or to have ended when it did not."""


def judge(observations: Observations) -> Judgement:
    """Violated by ``max-requests-ignored``, ``recycled-late`` or ``recycled-early``."""
    asked = (_find_ignored(observations), _find_late(observations), _find_early(observations))
    findings = tuple(finding for finding in asked if finding is not None)
    if findings:
        return Judgement(state=State.VIOLATED, reason=findings[0].detail, findings=findings)
    blind = _find_uncounted(observations)
    if blind is not None:
        return Judgement(state=State.UNKNOWN, reason=blind)
    limit = observations.cell.max_requests
    reached = [life for life in observations.lives if is_recycle(observations.cell, life)]
    if limit == 0 and observations.load is not None:
        return Judgement(state=State.HOLDS, reason="max_requests is 0, and no worker restarted")
    if not reached:
        return Judgement(state=State.UNKNOWN, reason=f"no worker came to the end of {limit} requests")
    each = " each" if len(reached) > 1 else ""
    told = f"{plural(len(reached), 'worker')} restarted after {_range(reached)} requests{each}"
    return Judgement(state=State.HOLDS, reason=told)


def _find_uncounted(observations: Observations) -> str | None:
    """Why it isn't known how much each worker served, in words; None where it is."""
    cell, load = observations.cell, observations.load
    expected = str(cell.expect_status)
    answered = load is not None and any(is_success(status) or status == expected for status in load.statuses)
    if cell.max_requests and answered and not any(life.served for life in observations.lives):
        return "the access log names no worker, although requests were answered"
    return find_blind(observations, *COUNTED_BY)


def is_recycle(cell: Cell, life: WorkerLife) -> bool:
    """Whether this life ended because max_requests was reached: it said so, or it had served so many."""
    return life.ended_ns is not None and (
        life.announced_restart or (cell.max_requests > 0 and life.served >= cell.max_requests)
    )


def most_served(cell: Cell) -> int:
    """The most that one worker may serve: its limit, the largest jitter, and all that the clients have open.

    A client sends its next request when it has the answer to the last one, so each connection of the load has at most
    one in hand as the worker reaches its limit, and so has each way of the prober. That holds for every worker class:
    one that looks at its count once a second promises the same as one that looks after each request.
    """
    return cell.max_requests + cell.max_requests_jitter + cell.connections + PROBES_IN_FLIGHT


def most_served_by(observations: Observations, life: WorkerLife) -> int:
    """The same of one worker, with what the run has shown of it.

    A thread worker looks at its count in one thread and answers in others: each of them may have answered a client
    since, and that client's next request may be taken before the look (once in 1,000 runs on a busy machine, by one
    request). While nothing is answered, more probes wait than usual, and all of them may come to one worker; those
    that were given up on may still be in the queue: see ``least_served``.
    """
    cell = observations.cell
    most = most_served(cell)
    if life.served <= most:
        return most
    waiting = list_waits(observations.probes).count_most(life.booted_ns, life.ended_ns) + observations.given_up
    return most + taken_before_the_look(cell) + max(0, waiting - PROBES_IN_FLIGHT)


def taken_before_the_look(cell: Cell) -> int:
    """How many requests a worker may take after its last one and before it looks at its count: one for each thread."""
    threads = started_worker_class(cell)[1]
    return threads if threads > 1 else 0


def _say_most(observations: Observations, life: WorkerLife) -> str:
    """The bound and what it is made of, in words."""
    cell, most = observations.cell, most_served_by(observations, life)
    jitter = f", jitter {cell.max_requests_jitter:,}" if cell.max_requests_jitter else ""
    taken = taken_before_the_look(cell)
    hand = f"{most - taken - cell.max_requests - cell.max_requests_jitter:,} in its clients' hands"
    threads = f", {taken:,} for its threads" if taken else ""
    return f"{most:,} is the most it may (limit {cell.max_requests:,}{jitter}, {hand}{threads})"


def least_served(observations: Observations, life: WorkerLife) -> int:
    """The fewest lines of the access log that a worker leaves which served max_requests.

    A request whose client has gone is counted by gunicorn and may not be logged: while the load runs that can be what
    the worker has in hand; once the load has closed its connections, all of them. Probes that waited too long have
    gone, too; one may lie in the queue for long before a worker takes it, so all that came before its end may be its,
    and so may be what was sent before any worker had booted.
    """
    cell = observations.cell
    settle_ns = observations.phases.get("settle")
    load_over = settle_ns is not None and life.ended_ns is not None and life.ended_ns > settle_ns - SAME_MOMENT_NS
    timeouts_ns = list_waits(observations.probes).timeouts_ns
    gone = observations.given_up
    gone += len(timeouts_ns) if life.ended_ns is None else bisect_left(timeouts_ns, life.ended_ns)
    return cell.max_requests - (cell.connections if load_over else most_in_hand(cell)) - PROBES_IN_FLIGHT - gone


def _find_ignored(observations: Observations) -> Finding | None:
    """One that serves on; where others restarted late, only one that has come further than all of those."""
    cell = observations.cell
    latest = max((life.served for life in _list_late(observations)), default=0)
    guilty = [
        life
        for life in observations.lives
        if life.ended_ns is None and _ignores(observations, life) and life.served > latest
    ]
    if observations.interrupted is not None:  # it had no time to end; some look at their count once a second
        guilty = [life for life in guilty if not life.announced_restart]
    if cell.max_requests == 0 or not guilty:
        return None
    worst = max(guilty, key=lambda life: life.served)
    return Finding(
        id=FindingId.MAX_REQUESTS_IGNORED,
        at_s=None,
        detail=f"worker {worst.pid} served {worst.served:,} requests and still lived; {_say_most(observations, worst)}",
        evidence={"workers": [[life.pid, life.served] for life in guilty], "most": most_served_by(observations, worst)},
    )


def _list_late(observations: Observations) -> list[WorkerLife]:
    """The lives that ended, but not with the arbiter, after more requests than a worker may serve."""
    if observations.cell.max_requests == 0:
        return []
    end_ns = arbiter_end_ns(observations)
    last_ns = math.inf if end_ns is None else end_ns - SAME_MOMENT_NS
    ended = [life for life in observations.lives if life.ended_ns is not None and life.ended_ns < last_ns]
    return [life for life in ended if life.served > most_served_by(observations, life)]


def _find_late(observations: Observations) -> Finding | None:
    late = _list_late(observations)
    if not late:
        return None
    worst = max(late, key=lambda life: life.served)
    first_ns = min(life.ended_ns or 0 for life in late)
    return Finding(
        id=FindingId.RECYCLED_LATE,
        at_s=since_load_s(observations, first_ns),
        detail=f"worker {worst.pid} restarted after {worst.served:,} requests; "
        f"{_say_most(observations, worst)} ({len(late)} such workers)",
        evidence={"workers": [[life.pid, life.served] for life in late], "most": most_served_by(observations, worst)},
    )


def _ignores(observations: Observations, life: WorkerLife) -> bool:
    """One that has said that it restarts may still serve what is in its queue, but not another life's worth."""
    more = observations.cell.max_requests if life.announced_restart else 0
    return life.served > most_served_by(observations, life) + more


def _find_early(observations: Observations) -> Finding | None:
    """Ended without a crash and clearly short of its limit, while the arbiter went on."""
    guilty = [life for life in observations.lives if _ended_early(life, observations)]
    if not guilty or arbiter_end_ns(observations) is not None or _find_uncounted(observations) is not None:
        return None
    first = min(guilty, key=lambda life: life.ended_ns or 0)
    limit = f"max_requests is {observations.cell.max_requests}"
    return Finding(
        id=FindingId.RECYCLED_EARLY,
        at_s=None if first.ended_ns is None else since_load_s(observations, first.ended_ns),
        detail=f"worker {first.pid} ended after {first.served:,} requests, but {limit} ({len(guilty)} such workers)",
        evidence={"workers": [[life.pid, life.served] for life in guilty]},
    )


def _ended_early(life: WorkerLife, observations: Observations) -> bool:
    if life.ended_ns is None or life.crash is not None:
        return False
    ended_ns = (life.ended_ns,) if life.exiting_ns is None else (life.exiting_ns, life.ended_ns)
    if any(allows_end(observations, at_ns) for at_ns in ended_ns):
        return False
    return observations.cell.max_requests == 0 or life.served < least_served(observations, life)


def _range(lives: list[WorkerLife]) -> str:
    fewest, most = min(life.served for life in lives), max(life.served for life in lives)
    return f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
