"""The load on httpx as a program of its own, for what wrk can do and what it can't.

It distributes the clients over processes; ``clients`` has what each process does. It ends after the duration or on
SIGINT, when requests in progress may still be answered in time. The result goes to the file named by
``result.RESULT_VARIABLE``, or to standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from harness.core.clock import now_ns
from harness.core.errors import EXIT_ERROR, HarnessError
from harness.core.files import replace_file
from harness.stack.asked import ASKED, REQUEST_VARIABLE, parse_json
from harness.stack.load.account import LEDGER_VARIABLE, Account, close_accounts
from harness.stack.load.clients import ClientPool, LoadPlan
from harness.stack.load.pace import deal_out
from harness.stack.load.result import RESULT_VARIABLE, LoadTally, render_result


def run_process(plan: LoadPlan, stop: tuple[int, int], result: Connection) -> None:
    """Run one process: drive its clients, then send its tally to the parent.

    ``stop``: the ends of a pipe, which becomes readable when the parent writes to it or ends.
    """
    told_to_stop, tell = stop
    os.close(tell)  # only the parent handles it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it
    tally, account = LoadTally(), open_account(plan)
    try:
        asyncio.run(_run_pool(ClientPool(plan, tally, account), told_to_stop))
    except HarnessError as problem:
        print(f"error: {problem}", file=sys.stderr, flush=True)
        os._exit(EXIT_ERROR)
    except Exception:  # noqa: BLE001 - told on standard error; the parent sees that there is no tally
        traceback.print_exc()
        os._exit(EXIT_ERROR)
    if account is not None:
        account.close()
    result.send((tally, account.last if account is not None else 0))
    result.close()


def open_account(plan: LoadPlan) -> Account | None:
    """The account of this process's requests; None where none is wanted."""
    prefix = os.environ.get(LEDGER_VARIABLE)
    return Account(prefix, first=plan.process, stride=plan.processes) if prefix else None


async def _run_pool(pool: ClientPool, told_to_stop: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hear() -> None:
        loop.remove_reader(told_to_stop)
        stop.set()

    loop.add_reader(told_to_stop, hear)
    await pool.drive(stop)


def split_plan(options: argparse.Namespace, start_ns: int) -> list[LoadPlan]:
    """One plan for each process; the clients are distributed as evenly as possible."""
    processes: int = min(options.processes, options.connections)
    file = os.environ.get(REQUEST_VARIABLE)
    asked = parse_json(Path(file).read_text(encoding="utf-8")) if file else ASKED
    more = options.connections % processes
    return [
        LoadPlan(
            url=options.url,
            asked=asked,
            process=process,
            processes=processes,
            clients=options.connections // processes + (process < more),
            end_ns=start_ns + int(options.duration * 1e9),
            schedule=None
            if options.rate is None
            else deal_out(options.rate, processes=processes, process=process, start_ns=start_ns),
        )
        for process in range(processes)
    ]


def conduct(plans: Sequence[LoadPlan]) -> LoadTally | None:
    """Run all plans, each in a process of its own, until they end or SIGINT comes; None where one of them failed.

    Their accounts, where they keep some, are closed too.
    """
    fork = multiprocessing.get_context("fork")  # the children share what is imported already
    told_to_stop, tell = os.pipe()
    signal.signal(signal.SIGINT, lambda _number, _frame: _tell(tell))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    pipes, children = [], []
    for plan in plans:
        receiving, sending = fork.Pipe(duplex=False)
        child = fork.Process(target=run_process, args=(plan, (told_to_stop, tell), sending))
        child.start()
        sending.close()
        pipes.append(receiving)
        children.append(child)
    tallies = []
    for receiving in pipes:
        tallies.append(_receive(receiving))
        if tallies[-1] is None:
            _tell(tell)  # then the others are of no use
    for child in children:
        child.join()
    return _sum(tallies)


def _receive(receiving: Connection) -> tuple[LoadTally, int] | None:
    """What a process has counted, and the last id that it gave out; None where it failed."""
    try:
        said: tuple[LoadTally, int] = receiving.recv()
    except EOFError:
        return None
    return said


def _sum(said: Sequence[tuple[LoadTally, int] | None]) -> LoadTally | None:
    total, last = LoadTally(), {}
    for process, one in enumerate(said):
        if one is None:
            return None
        tally, last[process] = one
        total.add(tally)
    if prefix := os.environ.get(LEDGER_VARIABLE):
        close_accounts(prefix, last)
    return total


def _tell(pipe: int) -> None:
    """Make the pipe readable for all children; none of them reads it, so it stays readable."""
    os.write(pipe, b"!")


def leave_result(tally: LoadTally) -> None:
    """Write the result in one step."""
    text, path = render_result(tally), os.environ.get(RESULT_VARIABLE)
    if path is None:
        sys.stdout.write(text)
        return
    replace_file(Path(path), text)


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
