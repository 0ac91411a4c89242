"""The load on httpx as a program of its own: what wrk does, in Python, and what wrk can't.

Closed loop: every client sends its next request once the last one is answered. Open loop (``--rate``): requests start
at a constant rate whatever becomes of the others, and latency counts from the start that was intended, so a server that
stalls can't slow its own measurement down. Ends after the duration or on SIGINT: what is under way may still be
answered, for PATIENCE_S; the result goes to the file named by ``result.RESULT_VARIABLE``, or to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from harness.clock import now_ns
from harness.errors import EXIT_ERROR, HarnessError
from harness.load.exchange import Client
from harness.load.latency import bucket_us
from harness.load.pace import TARDY_NS, Schedule, deal_out
from harness.load.result import BUCKET_NS, RESULT_VARIABLE, Tally, render_result

PATIENCE_NS = 2_000_000_000
"""As wrk's: an answer that takes longer is a time-out. It is waited for all the same, so that no server has to deal
with clients that leave it, which would be another experiment."""

WATCH_S = 0.05
"""How often somebody looks who has waited too long."""

RESPITE_S = 0.005
"""Before connecting again where connecting failed: asking a closed door faster tells nothing more."""

UNREACHABLE = {"refused", "missing", "other"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one process has to do. ``schedule``: of an open loop; None is a closed one."""

    url: str
    clients: int
    end_ns: int
    schedule: Schedule | None


@dataclass(slots=True, kw_only=True)
class Wait:
    """A request under way: when it was meant to start, when it did, and whether it was given up on."""

    intended_ns: int
    started_ns: int
    overdue: bool = False


class Crowd:
    """All clients of one process."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan = plan
        self._tally = tally
        self._numbers = itertools.count()
        self._waiting: dict[int, Wait] = {}
        self._started = 0
        self._ended_ns: int | None = None

    async def drive(self, told_to_stop: asyncio.Event) -> None:
        """Until the time is over or the event is set; then until nothing is under way that may still be in time."""
        clients = [asyncio.ensure_future(self._loop(number)) for number in range(self._plan.clients)]
        watch = asyncio.ensure_future(self._watch(told_to_stop))
        everybody = {*clients, watch}
        while everybody:
            done, everybody = await asyncio.wait(everybody, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # raises what went wrong in it
            if watch in done:
                break
        for task in everybody:
            task.cancel()
        await asyncio.gather(*everybody, return_exceptions=True)
        self._close_books()

    async def _loop(self, number: int) -> None:
        client = Client(self._plan.url)
        try:
            while (intended_ns := await self._next_start()) is not None:
                self._started += 1
                wait = self._waiting[number] = Wait(intended_ns=intended_ns, started_ns=now_ns())
                outcome = await client.ask()
                del self._waiting[number]
                self._count(wait, outcome)
                if outcome in UNREACHABLE:
                    await asyncio.sleep(RESPITE_S)
        finally:
            await client.close()

    async def _next_start(self) -> int | None:
        """When the next request is meant to start, as soon as it is; None once the load is over."""
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
        """Count who waits too long, as it happens; ends once the load is over and nobody waits in hope."""
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
                wait.overdue = True
                self._tally.outcomes[at_ns // BUCKET_NS, "timeout"] += 1

    def _count(self, wait: Wait, outcome: str) -> None:
        """An answer counts also where it is late; another error of a request that was a time-out does not."""
        at_ns = now_ns()
        if not wait.overdue and at_ns - wait.started_ns > PATIENCE_NS:
            self._tally.outcomes[at_ns // BUCKET_NS, "timeout"] += 1
            wait.overdue = True
        answered = outcome.isdigit()
        if answered or not wait.overdue:
            self._tally.outcomes[at_ns // BUCKET_NS, outcome] += 1
        if answered:
            self._tally.late += wait.overdue
            self._tally.latency[bucket_us(at_ns - wait.intended_ns)] += 1
        if self._plan.schedule is not None:
            self._tally.pace["delayed"] += wait.started_ns - wait.intended_ns > TARDY_NS

    def _close_books(self) -> None:
        """What was never answered has taken at least until now, and so has what could not even start."""
        at_ns, schedule = now_ns(), self._plan.schedule
        for wait in self._waiting.values():
            self._tally.latency[bucket_us(at_ns - wait.intended_ns)] += 1
        if schedule is None or self._ended_ns is None:
            return
        due = schedule.due(self._ended_ns)
        for number in range(self._started, due):
            self._tally.latency[bucket_us(at_ns - schedule.at_ns(number))] += 1
        self._tally.pace.update(due=due, unstarted=due - self._started)


def run_process(plan: Plan, told_to_stop: int, result: Connection) -> None:
    """The whole life of one process: its clients, then its tally to the parent. ``told_to_stop``: readable means so."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it
    tally = Tally()
    try:
        asyncio.run(_run_crowd(plan, tally, told_to_stop))
    except HarnessError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        os._exit(EXIT_ERROR)
    except Exception:  # noqa: BLE001 - told on standard error; the parent sees that there is no tally
        traceback.print_exc()
        os._exit(EXIT_ERROR)
    result.send(tally)
    result.close()


async def _run_crowd(plan: Plan, tally: Tally, told_to_stop: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear() -> None:
        loop.remove_reader(told_to_stop)
        stop.set()

    loop.add_reader(told_to_stop, hear)
    await Crowd(plan, tally).drive(stop)


def split_plan(options: argparse.Namespace, start_ns: int) -> list[Plan]:
    """One plan a process; the clients are dealt out as evenly as can be."""
    processes: int = min(options.processes, options.connections)
    more = options.connections % processes
    return [
        Plan(
            url=options.url,
            clients=options.connections // processes + (process < more),
            end_ns=start_ns + int(options.duration * 1e9),
            schedule=None
            if options.rate is None
            else deal_out(options.rate, processes=processes, process=process, start_ns=start_ns),
        )
        for process in range(processes)
    ]


def conduct(plans: Sequence[Plan]) -> Tally | None:
    """Run all plans, each in a process of its own, until they end or SIGINT comes; None where one of them failed."""
    fork = multiprocessing.get_context("fork")  # the children share what is imported already
    told_to_stop, tell = os.pipe()
    signal.signal(signal.SIGINT, lambda _number, _frame: _tell(tell))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    pipes, children = [], []
    for plan in plans:
        receiving, sending = fork.Pipe(duplex=False)
        child = fork.Process(target=run_process, args=(plan, told_to_stop, sending))
        child.start()
        sending.close()
        pipes.append(receiving)
        children.append(child)
    tallies = []
    for receiving in pipes:
        tallies.append(_receive(receiving))
        if tallies[-1] is None:
            _tell(tell)  # no use in the others then
    for child in children:
        child.join()
    return _sum(tallies)


def _receive(receiving: Connection) -> Tally | None:
    try:
        tally: Tally = receiving.recv()
    except EOFError:
        return None
    return tally


def _sum(tallies: Sequence[Tally | None]) -> Tally | None:
    total = Tally()
    for tally in tallies:
        if tally is None:
            return None
        total.add(tally)
    return total


def _tell(pipe: int) -> None:
    """All children see it, now or once they look; nobody reads it, so it stays."""
    os.write(pipe, b"!")


def leave_result(tally: Tally) -> None:
    """Write the result in one piece."""
    text, path = render_result(tally), os.environ.get(RESULT_VARIABLE)
    if path is None:
        sys.stdout.write(text)
        return
    beside = Path(f"{path}.part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the load; 0 once the result is written, whatever the server did."""
    parser = argparse.ArgumentParser(prog="httpx_client")
    parser.add_argument("--connections", type=int, required=True, help="clients, each with a connection of its own")
    parser.add_argument("--duration", type=float, required=True, help="seconds")
    parser.add_argument("--processes", type=int, default=1, help="share the work")
    parser.add_argument("--rate", type=float, help="requests a second (open loop); as fast as they go if left out")
    parser.add_argument("url", help="http://HOST:PORT/ or unix:PATH")
    options = parser.parse_args(arguments)
    import httpx  # noqa: F401 - before the processes part ways, so that it is loaded once

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    gc.freeze()
    tally = conduct(split_plan(options, now_ns()))
    if tally is None:
        return EXIT_ERROR
    leave_result(tally)
    return 0
