"""The ladder back: once the service stays down, waits, reloads, upgrades, restarts, until a client is answered again.

The window is closed before, so that the ladder can neither add nor hide evidence. What healed the service is judged
later, from the record.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Mapping

from harness.backends import Client
from harness.core.clock import now_ns
from harness.core.errors import SurroundingsError
from harness.core.events.disturbances import HarnessDid
from harness.core.events.doings import HarnessSignalled
from harness.core.events.recovery import RungBegan, RungEnded
from harness.core.signals import pause
from harness.disturb.awaiting import LATE_S
from harness.engine.idle_workers import read_graceful_s
from harness.engine.running_stack import Stack, close_window
from harness.judge.outage import ENOUGH_PROBES
from harness.judge.recovery import ENOUGH_ANSWERS, RELOAD, RESTART, UPGRADE, WAIT, is_healed
from harness.stack.gunicorn import parse_log_line

REASON = "the ladder back"


class RungError(Exception):
    """A rung can't be tried; its text says why."""


def climb_ladder(stack: Stack) -> None:
    """Close the window and climb, where the cell wants it and the service is down; emits ``rung`` for each rung."""
    if not stack.cell.recover or not is_down(stack):
        return
    close_window(stack.run, stack.watchers)
    stack.run.enter("recover")
    stack.masters.recovered = True
    with stack.backend.open_client(stack.client_address, stack.asked) as client:
        for name in RUNGS:
            stack.run.say(f"the ladder back: {name}")
            if _Climb(stack, client, name).climb():
                return


def is_down(stack: Stack) -> bool:
    """Whether the last that clients saw of the service were failures."""
    probes = stack.progress.recent["direct" if stack.proxy is None else "proxy"][-ENOUGH_PROBES:]
    return len(probes) == ENOUGH_PROBES and not any(ok for _, ok in probes)


class _Climb:
    """One rung: what is done, while a client asks again and again."""

    def __init__(self, stack: Stack, client: Client, name: str) -> None:
        self.stack = stack
        self._client = client
        self._name = name
        self._answers: list[tuple[int, str]] = []
        text = (stack.run.folder.config / "config.py").read_text(errors="replace")
        self.end_s = read_graceful_s(text) + LATE_S
        self.boot_s = stack.timings.ladder_boot_s + stack.timings.ladder_boots * stack.masters.boot_s

    def climb(self) -> bool:
        """Do it and record it; whether it healed the service."""
        sink, skipped, detail = self.stack.sink, None, None
        self._began_ns = now_ns()
        sink.emit(RungBegan(at_ns=self._began_ns, name=self._name))
        try:
            detail = RUNGS[self._name](self)
        except RungError as problem:
            skipped = str(problem)
        sink.emit(RungEnded(name=self._name, answers=tuple(self._answers), skipped=skipped, detail=detail))
        sink.check()
        return is_healed(self._answers)

    def ask_until(self, met: Callable[[], bool], within_s: float) -> bool:
        """Ask once a period until something has come about; False where it has not in time."""
        until_ns = now_ns() + int(within_s * 1e9)
        while not met():
            asked_ns = now_ns()
            if asked_ns > until_ns:
                return False
            outcome = self._client.ask()
            self._answers.append((now_ns() - self._began_ns, outcome))
            pause(max(0.0, self.stack.timings.ladder_period_s - (now_ns() - asked_ns) / 1e9))
        return True

    def await_answers(self, within_s: float) -> bool:
        """Ask until the service is healed; what was answered before this call does not count."""
        known = len(self._answers)

        def healed() -> bool:
            fresh = self._answers[known:]
            return len(fresh) >= ENOUGH_ANSWERS and is_healed(fresh)

        return self.ask_until(healed, within_s)

    def require_arbiter(self) -> int:
        """Its pid.

        Raises:
            RungError: it has ended.
        """
        if self.stack.gunicorn.poll() is not None:
            raise RungError("there is no arbiter any more")
        return self.stack.arbiter_pid

    def signal(self, number: signal.Signals, reason: str) -> None:
        """Send the arbiter a signal, recorded as the harness's own doing."""
        self.stack.signal_arbiter(number, f"{REASON}: {reason}")

    def find_new_master(self, known_chars: int) -> int | None:
        """The last arbiter that has said since then that it starts."""
        text = (self.stack.logs / "gunicorn.error.log").read_text(errors="replace")[known_chars:]
        lines = [parse_log_line(line) for line in text.splitlines()]
        return next((line.pid for line in reversed(lines) if line.state == "starting"), None)


def _wait(climb: _Climb) -> str | None:
    climb.await_answers(climb.stack.timings.ladder_wait_s)
    return None


def _reload(climb: _Climb) -> str | None:
    climb.require_arbiter()
    climb.signal(signal.SIGHUP, "reload")
    climb.await_answers(climb.boot_s + climb.stack.timings.ladder_answers_s)
    return None


def _upgrade(climb: _Climb) -> str | None:
    """USR2; the old master is told to go once the new one's workers answer, or have had the time for it."""
    stack, old = climb.stack, climb.require_arbiter()
    known_chars = len((stack.logs / "gunicorn.error.log").read_text(errors="replace"))
    climb.signal(signal.SIGUSR2, "upgrade")
    if not climb.ask_until(lambda: climb.find_new_master(known_chars) is not None, climb.boot_s):
        return "no new master came"
    new = climb.find_new_master(known_chars)
    climb.await_answers(climb.boot_s)
    try:
        master = stack.backend.adopt(new or 0, "gunicorn")
    except SurroundingsError:
        return f"the new master {new} has ended"
    before = stack.gunicorn
    stack.sink.emit(
        HarnessSignalled(
            who="arbiter", pid=old, signal=int(signal.SIGTERM), reason=f"{REASON}: the old master is told to go"
        )
    )
    stack.backend.signal(old, signal.SIGTERM)
    gone = climb.ask_until(lambda: before.poll() is not None, climb.end_s)
    stack.masters.replace(master)
    climb.await_answers(stack.timings.ladder_answers_s)
    return None if gone else f"the old master {old} did not go within {climb.end_s:.0f} s"


def _restart(climb: _Climb) -> str | None:
    """As a service manager does it: TERM, KILL if that is in vain, the same for what outlives it, and a start."""
    stack, said = climb.stack, None
    arbiter = stack.gunicorn
    if arbiter.poll() is None:
        climb.signal(signal.SIGTERM, "stop")
        climb.ask_until(lambda: arbiter.poll() is not None, climb.end_s)
        status = arbiter.poll()
        said = f"the arbiter ended with status {status}"
        if status is None:
            climb.signal(signal.SIGKILL, "it has not stopped, and its workers with it")
            arbiter.stop()
            said = f"the arbiter did not end within {climb.end_s:.0f} s and was killed"
    outlived = _end_rest(climb)
    said = "; ".join(part for part in (said, outlived) if part is not None) or None
    process = stack.backend.spawn(stack.command)
    stack.sink.emit(HarnessDid(what="start", detail=f"starts gunicorn as {process.pid}, {REASON}", pid=process.pid))
    stack.masters.replace(process)
    climb.await_answers(climb.boot_s + climb.stack.timings.ladder_answers_s)
    return said


def _end_rest(climb: _Climb) -> str | None:
    """End what has outlived its arbiter: a worker that ends later may remove the path that the next one binds."""
    stack = climb.stack

    def list_rest() -> set[int]:
        masters = (*stack.masters.former, stack.gunicorn)
        return {pid for master in masters for pid in stack.backend.list_relatives(master)}

    def send(number: signal.Signals, pids: Iterable[int]) -> None:
        for pid in sorted(pids):
            reason = f"{REASON}: it has outlived its arbiter"
            stack.sink.emit(HarnessSignalled(who="worker", pid=pid, signal=int(number), reason=reason))
            stack.backend.signal(pid, number)

    rest = list_rest()
    send(signal.SIGTERM, rest)
    climb.ask_until(lambda: not list_rest(), climb.end_s)
    send(signal.SIGKILL, list_rest())
    climb.ask_until(lambda: not list_rest(), LATE_S)
    return f"{len(rest)} processes outlived it and were ended" if rest else None


RUNGS: Mapping[str, Callable[[_Climb], str | None]] = {
    WAIT: _wait,
    RELOAD: _reload,
    UPGRADE: _upgrade,
    RESTART: _restart,
}
"""In their order: each is harder on the service than the one before. They return what else was seen, in words."""
