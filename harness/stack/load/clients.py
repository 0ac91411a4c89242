"""The clients of one process of the httpx load: when each sends its next request, and what is counted of it.

Closed loop: a client sends its next request once the last one is answered. Open loop: requests start at a constant
rate, each at its time in a schedule, with a client that is free. Latency counts from the intended start, so that a
server that stalls can't slow down its own measurement.
"""

from __future__ import annotations

import asyncio
import itertools
import os
from dataclasses import dataclass

from harness.core.clock import now_ns
from harness.stack.answers import TEXT_VARIABLE, Answer
from harness.stack.asked import ASKED, Asked
from harness.stack.load.account import Account, name_request
from harness.stack.load.exchange import LoadClient
from harness.stack.load.latency import bucket_us
from harness.stack.load.pace import TARDY_NS, Schedule
from harness.stack.load.result import BUCKET_NS, NS_PER_TENTH, LoadTally

PATIENCE_NS = 2_000_000_000
"""As wrk's: an answer that takes longer is a time-out. The client still waits for it, because a server whose clients
leave would be another experiment."""

WATCH_S = 0.05
"""How often the time-outs are checked."""

RESPITE_S = 0.005
"""The pause after a failed connect: more attempts on a closed port would show nothing new."""

UNREACHABLE = {"refused", "missing", "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What one process has to do. ``schedule`` is that of an open loop; None means a closed one."""

    url: str
    clients: int
    end_ns: int
    schedule: Schedule | None
    asked: Asked = ASKED
    process: int = 0
    processes: int = 1


@dataclass(slots=True, kw_only=True)
class Wait:
    """A request in progress: when it was meant to start, when it did, its id, and whether it has timed out."""

    intended_ns: int
    started_ns: int
    number: int | None
    overdue: bool = False


class ClientPool:
    """All clients of one process."""

    def __init__(self, plan: LoadPlan, tally: LoadTally, account: Account | None = None) -> None:
        self._plan = plan
        self._tally = tally
        self._account = account
        self._compares = TEXT_VARIABLE in os.environ
        self._numbers = itertools.count()
        self._waiting: dict[int, Wait] = {}
        self._started = 0
        self._ended_ns: int | None = None

    async def drive(self, told_to_stop: asyncio.Event) -> None:
        """Send requests until the time is over or the event is set; then wait for those that may still be in time."""
        clients = [asyncio.ensure_future(self._loop(number)) for number in range(self._plan.clients)]
        watch = asyncio.ensure_future(self._watch(told_to_stop))
        tasks = {*clients, watch}
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # raises its error
            if watch in done:
                break
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._close_books()

    async def _loop(self, number: int) -> None:
        client = LoadClient(self._plan.url, self._plan.asked)
        try:
            while (intended_ns := await self._next_start()) is not None:
                self._started += 1
                issued = None if self._account is None else self._account.issue()
                wait = self._waiting[number] = Wait(intended_ns=intended_ns, started_ns=now_ns(), number=issued)
                answer = await client.ask(None if issued is None else name_request(issued))
                del self._waiting[number]
                self._count(wait, answer)
                if answer.outcome in UNREACHABLE:
                    await asyncio.sleep(RESPITE_S)
        finally:
            await client.close()

    async def _next_start(self) -> int | None:
        """Wait for the intended start of the next request and return it; None once the load is over."""
        schedule = self._plan.schedule
        intended_ns = now_ns() if schedule is None else schedule.at_ns(next(self._numbers))
        if intended_ns >= self._plan.end_ns:
            return None
        if schedule is not None:
            await asyncio.sleep(max(0, intended_ns - now_ns()) / 1e9)
        return None if self._is_over() else intended_ns

    def _is_over(self) -> bool:
        return self._ended_ns is not None or now_ns() >= self._plan.end_ns

    async def _watch(self, told_to_stop: asyncio.Event) -> None:
        """Count a request that takes too long when it does; end once the load is over and none may still be in time."""
        while True:
            self._count_overdue()
            if self._ended_ns is None and (told_to_stop.is_set() or self._is_over()):
                self._ended_ns = min(now_ns(), self._plan.end_ns)
            if self._ended_ns is not None and all(wait.overdue for wait in self._waiting.values()):
                return
            await asyncio.sleep(WATCH_S)

    def _count_overdue(self) -> None:
        at_ns = now_ns()
        for wait in self._waiting.values():
            if not wait.overdue and at_ns - wait.started_ns > PATIENCE_NS:
                self._give_up(wait, at_ns)

    def _give_up(self, wait: Wait, at_ns: int) -> None:
        wait.overdue = True
        self._note(wait, at_ns, "timeout")

    def _note(self, wait: Wait, at_ns: int, outcome: str) -> None:
        self._tally.outcomes[at_ns // BUCKET_NS, outcome] += 1
        if self._account is not None and wait.number is not None:
            self._account.note(wait.number, outcome)

    def _count(self, wait: Wait, answer: Answer) -> None:
        """Count the end of a request: an answer even if it is late, another error only if it was no time-out before."""
        at_ns = now_ns()
        if not wait.overdue and at_ns - wait.started_ns > PATIENCE_NS:
            self._give_up(wait, at_ns)
        answered = answer.outcome.isdigit()
        if answered or not wait.overdue:
            self._note(wait, at_ns, answer.outcome)
        if answered:
            self._compare(answer, at_ns, at_ns - wait.intended_ns)
            self._tally.late += wait.overdue
            self._tally.latency[bucket_us(at_ns - wait.intended_ns)] += 1
        if self._plan.schedule is not None:
            self._tally.pace["delayed"] += wait.started_ns - wait.intended_ns > TARDY_NS

    def _compare(self, answer: Answer, at_ns: int, took_ns: int) -> None:
        """Count who made the answer, whether it is the request's, and how long it took."""
        bucket = at_ns // BUCKET_NS
        if answer.by_app and answer.outcome >= "400":
            self._tally.own[bucket, answer.outcome] += 1
        if answer.wrong is not None and self._compares:
            self._tally.wrong[bucket, answer.wrong] += 1
        self._tally.took[at_ns // NS_PER_TENTH, str(max(took_ns // 1000, 1).bit_length() - 1)] += 1

    def _close_books(self) -> None:
        """Count the requests that were never answered, or could not start, as having taken at least until now."""
        at_ns, schedule = now_ns(), self._plan.schedule
        for wait in self._waiting.values():
            self._tally.latency[bucket_us(at_ns - wait.intended_ns)] += 1
        if schedule is None or self._ended_ns is None:
            return
        due = schedule.due(self._ended_ns)
        for number in range(self._started, due):
            self._tally.latency[bucket_us(at_ns - schedule.at_ns(number))] += 1
        self._tally.pace.update(due=due, unstarted=due - self._started)
