"""Checks again and again during the load and the settle phase whether the servers of a run still live."""

from __future__ import annotations

from harness.backends import Process
from harness.core.errors import SurroundingsError
from harness.core.events.servers import ArbiterExited, ProxyExited
from harness.engine.running_stack import Stack
from harness.engine.stops import Who


def watch_pulse(stack: Stack) -> None:
    """Record a death as it happens.

    Raises:
        SurroundingsError: the proxy has ended, so that the run can't go on; or the record can't be written.
    """
    stack.sink.check()
    status = stack.gunicorn.poll()
    if status is not None and not stack.progress.arbiter_ended and not stack.masters.told_to_end:
        stack.sink.emit(ArbiterExited(pid=stack.gunicorn.pid, status=status))
    proxy = stack.proxy
    servers: dict[Who, Process] = {"arbiter": stack.gunicorn}
    if proxy is not None:
        servers["proxy"] = proxy.process
    stack.stops.look(stack.sink, servers)
    if proxy is not None and proxy.process.poll() is not None:
        stack.sink.emit(ProxyExited(pid=proxy.process.pid, status=proxy.process.poll()))
        raise SurroundingsError(
            what=f"The proxy {stack.cell.proxy} ended in mid-run with status {proxy.process.poll()}.",
            remedy="Read its log; this says nothing about gunicorn.",
            log=stack.logs / f"{stack.cell.proxy}.error.log",
        )
