"""Waits until gunicorn and the proxy answer, and sends the control requests.

Readiness is an answered request, never a line of a log, and every wait notices a death at once. A process that dies
here dies at its start: that is an error about the release or the surroundings, never a verdict on recycling. What the
watchers saw meanwhile (a socket file removed by a worker) outranks a failed control request.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.core.clock import now_ns, wait_until
from harness.core.errors import SurroundingsError
from harness.core.events.course import Control, Readiness
from harness.engine.diagnosis import explain_broken_setup, explain_dead_proxy, explain_death
from harness.engine.running_stack import Stack

CONTROL_REQUESTS = 30

BOOTS_TOO_MANY = 4
"""So many deaths before the first answer, per configured worker, mean that the release does not start here."""


def await_ready(stack: Stack) -> float:
    """Wait until gunicorn and the proxy have answered; return how many seconds gunicorn took to boot.

    Raises:
        UnrunnableError, SurroundingsError, SetupBrokenError: as ``await_gunicorn``, ``await_proxy``, ``await_workers``.
    """
    given_up = await_gunicorn(stack) + await_proxy(stack)
    boot_s = (now_ns() - stack.spawned_ns) / 1e9
    stack.sink.emit(Readiness(given_up=given_up, queue=_read_queue(stack)))
    stack.watchers.meet_clients(None if stack.proxy is None else stack.proxy.process.pid)
    if stack.run.request.all_ready:
        await_workers(stack)
    return boot_s


def _read_queue(stack: Stack) -> int | None:
    """How many connections can wait for a worker; fewer where the user's own settings have a smaller backlog."""
    most, own = stack.backend.read_queue(), stack.run.request.own
    backlog = own.resolved.backlog if own is not None and own.resolved is not None else None
    return most if backlog is None or most is None else min(most, backlog)


def control_budget(max_requests: int) -> int:
    """How many control requests can't recycle any worker, after one direct and one proxied request of readiness.

    One worker may get them all. 0 where even one would be too many: then the request that shows that the proxy is ready
    is the only control request.
    """
    return CONTROL_REQUESTS if max_requests == 0 else max(0, min(CONTROL_REQUESTS, max_requests - 3))


def is_tight(stack: Stack) -> bool:
    """Whether a worker's life is too short for a request straight into the socket before the one through the proxy.

    Such a request would already recycle a worker, and with it the evidence.
    """
    return stack.proxy is not None and stack.cell.max_requests > 0 and not control_budget(stack.cell.max_requests)


def await_gunicorn(stack: Stack) -> int:
    """Wait until gunicorn answers a request straight into its socket (or is bound, if a life is too short for that).

    Returns how many requests got no answer in time: gunicorn may serve and count them, but need not log them.

    Raises:
        UnrunnableError: it died, or its workers keep dying, before the first answer.
        SurroundingsError: a module is missing in its environment.
    """
    dying = BOOTS_TOO_MANY * stack.cell.workers

    def alive() -> bool:
        return stack.gunicorn.poll() is None and stack.progress.booted_workers <= dying

    good = stack.asked.status
    answers = [good]
    if is_tight(stack):
        ready = stack.cell.bind != "unix" or bool(
            wait_until(lambda: _is_bound(stack), timeout_s=stack.timings.boot_s, alive=alive)
        )
    else:
        answers, ready = _await_answer(stack, alive)
    if not ready:
        raise explain_death(stack, workers_die=stack.progress.booted_workers > dying)
    if answers[-1] != good:
        raise SurroundingsError(
            what=f"The app answers {answers[-1]} from the start (asked straight at gunicorn, without the proxy).",
            remedy=f"Repair the app: {stack.asked.path} has to be answered with {good} before anything about recycling "
            "can be said. Or name another request (--path, --method, --header), or its status (--expect-status).",
            log=stack.logs / "gunicorn.error.log",
        )
    return answers.count("timeout")


def _is_bound(stack: Stack) -> bool:
    return stack.backend.exists(stack.scratch.socket)


def _await_answer(stack: Stack, alive: Callable[[], bool]) -> tuple[list[str], bool]:
    seen: list[str] = []

    def answered() -> bool:
        if stack.cell.bind == "unix" and not _is_bound(stack):
            return False
        seen.append(client.ask())
        return seen[-1].isdigit()

    with stack.backend.open_client(stack.address, stack.asked) as client:
        ready = wait_until(answered, timeout_s=stack.timings.boot_s, alive=alive)
    return seen, bool(ready)


def await_proxy(stack: Stack) -> int:
    """Wait until a request through the proxy is answered with 200; return how many got no answer in time.

    Raises:
        SurroundingsError: the proxy died or never listened.
        SetupBrokenError: it can't reach gunicorn, which answers.
    """
    if stack.proxy is None:
        return 0
    process, seen = stack.proxy.process, [""]

    def listens() -> bool:
        seen.append(client.ask())
        return seen[-1].isdigit()

    def good() -> bool:
        return listens() and (seen[-1] == stack.asked.status or stack.progress.deleted_ns is not None)

    def alive() -> bool:
        return process.poll() is None and stack.gunicorn.poll() is None

    with stack.backend.open_client(stack.client_address, stack.asked) as client:
        listening = wait_until(listens, timeout_s=stack.timings.proxy_s, alive=alive)
        if listening and (
            seen[-1] == stack.asked.status or wait_until(good, timeout_s=_patience_s(stack), alive=alive)
        ):
            return seen.count("timeout")
    if stack.gunicorn.poll() is not None:
        raise explain_death(stack, workers_die=False)
    raise explain_broken_setup(stack, seen[-1]) if listening else explain_dead_proxy(stack)


def await_workers(stack: Stack) -> None:
    """Wait until every worker has logged that its app is loaded; the settings must make it log that.

    Raises:
        UnrunnableError: gunicorn died meanwhile.
        SurroundingsError: some workers took too long.
    """
    wanted, progress = stack.cell.workers, stack.progress
    patience_s = stack.timings.boot_s + stack.timings.fork_s * wanted

    def all_ready() -> bool:
        return progress.ready_workers >= wanted

    if wait_until(all_ready, timeout_s=patience_s, alive=lambda: stack.gunicorn.poll() is None):
        return
    if stack.gunicorn.poll() is not None:
        raise explain_death(stack, workers_die=False)
    raise SurroundingsError(
        what=f"Only {progress.ready_workers} of {wanted} workers were ready {patience_s:g} s after gunicorn answered.",
        remedy="Ask for fewer workers or a shorter boot, or try again when the machine is idle.",
        log=stack.logs / "gunicorn.error.log",
    )


def _patience_s(stack: Stack) -> float:
    """How long errors of the proxy are tolerated: longer if gunicorn itself may still be booting.

    Longer, too, if the user's own configuration may have health checks, the first of which came too early.
    """
    is_patient = is_tight(stack) or stack.cell.proxy_config is not None
    return stack.timings.boot_s if is_patient else stack.timings.proxy_errors_s


def send_controls(stack: Stack) -> None:
    """Send a few dozen requests through the proxy, too few to recycle a worker; each must be answered with 200.

    Raises:
        SetupBrokenError: one was not, although no worker can have been recycled yet and the socket file is there.
    """
    asked = control_budget(stack.cell.max_requests)
    with stack.backend.open_client(stack.client_address, stack.asked) as client:
        answers, took_ns = [], []
        for _ in range(asked):
            began_ns = now_ns()
            answers.append(client.ask())
            took_ns.append(now_ns() - began_ns)
    took = tuple(ns for ns, answer in zip(took_ns, answers, strict=True) if answer == stack.asked.status)
    stack.sink.emit(Control(asked=asked, answered=len(took), took_ns=took))
    bad = [answer for answer in answers if answer != stack.asked.status]
    if bad and stack.progress.deleted_ns is None:
        raise explain_broken_setup(stack, bad[0])
