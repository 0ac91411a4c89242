"""Signals at any moment of any command: exit 130, the record kept and whole, nothing left running."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.clock import wait_until
from tests.attacks.attempt import Attempt, Place, a_place, finish
from tests.integration.stubs import make_wheel
from tests.unit.runs import bursts, write_run

QUICK = ("--worker", "sync", "--workers", "2", "--max-requests", "100", "--recycles", "2", "--duration", "1")
VERDICTS = {"holds", "violated", "inconclusive", "error", "unrunnable"}
INTERRUPTED = 130
START_UP_S = 10.0
"""How long Python's own start may take: a signal before any line of the harness ends the process as any Python."""

COMMANDS = {
    "reproduce": ("reproduce", "{wheel}", *QUICK, "--out", "{out}"),
    "check": ("check", "{wheel}", *QUICK, "--out", "{out}"),
    "scenario": ("scenario", "tcp", "{wheel}", *QUICK, "--out", "{out}"),
    "matrix": ("matrix", "--versions", "{wheel}", "--workers", "sync", "--profile", "quick", "--out", "{out}"),
    "doctor": ("doctor",),
    "judge": ("judge", "{record}"),
    "report": ("report", "{record}", "--format", "html,md,junit", "--out", "{out}"),
    "bundle": ("bundle", "{record}", "--force", "--out", "{out}/attachment.zip"),
    "advise": ("advise", "gunicorn --workers 2 --max-requests 100 app:app", "--out", "{out}"),
}
DISTURBED_CELL = ("23.0.0", "--profile", "quick", "--no-upstream-keepalive", "--seed", "3", "--worker", "sync")
DISTURBED = {
    name: ("reproduce", *DISTURBED_CELL, "--disturb", name, "--out", "{out}")
    for name in ("upgrade,rollback", "second-master", "rebind,stop", "hang-worker", "kill-arbiter", "socket-activation")
}
"""On a real release, which has masters that replace one another."""

BURSTS = {
    "INT": (signal.SIGINT,),
    "TERM": (signal.SIGTERM,),
    "HUP": (signal.SIGHUP,),
    "TERM x5": (signal.SIGTERM,) * 5,
    "INT, TERM, HUP": (signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupt:
    """A command, the signals, and how long after its start, as a share of the command's usual time."""

    command: str
    burst: str
    share: float


def plan(count: int, commands: Mapping[str, Sequence[str]] = COMMANDS, *, seed: int = 0) -> list[Interrupt]:
    """So many interrupts over all commands and signals, at even distances from the first moment on."""
    kinds = itertools.cycle(itertools.product(commands, BURSTS))
    chosen = [next(kinds) for _ in range(count)]
    numbers = random.Random(seed)  # noqa: S311 - no secret
    return [
        Interrupt(command=command, burst=burst, share=min(1.0, (number + numbers.random()) / count))
        for number, (command, burst) in enumerate(chosen)
    ]


def attack(
    count: int, *, commands: Mapping[str, Sequence[str]] = COMMANDS, part: tuple[int, int] = (1, 1)
) -> Iterator[Attempt]:
    """Interrupt commands so many times; ``part``: of them only each M-th, from the N-th on."""
    with a_place() as workshop:
        wheel = make_wheel(workshop.root, "good")
        usual_s: dict[str, float] = {}
        for planned in plan(count, commands)[part[0] - 1 :: part[1]]:
            words = commands[planned.command]
            if planned.command not in usual_s:
                usual_s[planned.command] = _time(workshop, words, wheel)
            yield _interrupt(planned, words, wheel, usual_s[planned.command])


def _arguments(words: Sequence[str], place: Place, wheel: Path) -> list[str]:
    record = place.out / "record"
    if "{record}" in words and not record.exists():
        write_run(bursts(), record)
    return [part.format(wheel=wheel, out=place.out, record=record) for part in words]


def _time(place: Place, words: Sequence[str], wheel: Path) -> float:
    """How long the command takes from the moment on in which it listens."""
    place.run(*_arguments(words, place, wheel))  # the first one installs what the others find
    running = place.start(*_arguments(words, place, wheel))
    _await_listening(running)
    began = time.monotonic()
    finish(running)
    return time.monotonic() - began


def _await_listening(running: subprocess.Popen[str]) -> None:
    status = Path(f"/proc/{running.pid}/status")

    def is_listening() -> bool:
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            return False
        return bool(int(lines.get("SigCgt", "0"), 16) >> (signal.SIGTERM - 1) & 1)

    wait_until(is_listening, timeout_s=START_UP_S, alive=lambda: running.poll() is None)


def _interrupt(planned: Interrupt, words: Sequence[str], wheel: Path, usual_s: float) -> Attempt:
    after_s = planned.share * usual_s
    with a_place() as place:
        running = place.start(*_arguments(words, place, wheel))
        _await_listening(running)
        wait_until(lambda: running.poll() is not None, timeout_s=after_s, alive=lambda: True)
        in_time = running.poll() is None
        for number in BURSTS[planned.burst]:
            if running.poll() is None:
                os.kill(running.pid, number)
        done = finish(running)
        # It may have ended by itself between the signal's way and its arrival; then it must have said its verdict.
        codes = [INTERRUPTED] if in_time and after_s < 0.9 * usual_s else [INTERRUPTED, 0, 3]
        complaints = [*done.complain(codes), *place.leftovers(), *_examine_records(place.out)]
    return Attempt(name=f"{planned.burst} to {planned.command} after {after_s:.2f} s", complaints=tuple(complaints))


def _examine_records(out: Path) -> list[str]:
    """Every record that was begun has a whole verdict."""
    found = []
    for cell in out.rglob("cell.json"):
        verdict = cell.parent / "verdict.json"
        try:
            known = json.loads(verdict.read_text())["verdict"] in VERDICTS
        except (OSError, ValueError, KeyError):
            known = False
        if not known:
            found.append(f"{cell.parent.name} has no whole verdict")
    return found + [f"half-written: {path.name}" for path in out.rglob(".*.tmp")]
