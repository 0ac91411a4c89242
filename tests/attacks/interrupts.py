"""Signals at any moment of any command: exit 130, the record kept and whole, nothing left running."""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.clock import wait_until
from tests.attacks.attempt import Attempt, a_place, finish
from tests.attacks.commands import COMMANDS, clean_again, furnish
from tests.integration.stubs import make_wheel

VERDICTS = {"holds", "violated", "inconclusive", "error", "unrunnable"}
INTERRUPTED = 130
ENDED = (0, 1, 3)
"""As a command ends that nobody interrupts: none of them asks for a verdict with ``--expect``."""

START_UP_S = 10.0
"""How long Python's own start may take: a signal before any line of the harness ends the process as any Python."""

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
                usual_s[planned.command] = _time(words, wheel)
            yield _interrupt(planned, words, wheel, usual_s[planned.command])


def _time(words: Sequence[str], wheel: Path) -> float:
    """How long the command takes from the moment on in which it listens."""
    for _ in range(2):  # the first one installs what the others find
        with a_place() as place:
            call = furnish(words, place, wheel)
            running = place.start(*call.arguments, more=call.variables)
            _await_listening(running)
            began = time.monotonic()
            finish(running)
            took_s = time.monotonic() - began
    return took_s


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
        call = furnish(words, place, wheel)
        running = place.start(*call.arguments, more=call.variables)
        _await_listening(running)
        wait_until(lambda: running.poll() is not None, timeout_s=after_s, alive=lambda: True)
        in_time, sent_s = running.poll() is None, time.monotonic()
        for number in BURSTS[planned.burst]:
            if running.poll() is None:
                os.kill(running.pid, number)
        done = finish(running)
        # At its end it may have said all that it has to say, and listen no more.
        over = not in_time or after_s > 0.9 * usual_s or time.monotonic() - sent_s < 0.1 * usual_s
        codes = [INTERRUPTED, *ENDED] if over else [INTERRUPTED]
        complaints = [
            *done.complain(codes),
            *place.leftovers(),
            *_examine_records(place.out),
            *clean_again(call, place),
            *(["it ended without a word"] if done.code in ENDED and not done.out else []),
        ]
    return Attempt(name=f"{planned.burst} to {planned.command} after {after_s:.2f} s", complaints=tuple(complaints))


def _examine_records(out: Path) -> list[str]:
    """Every record that was begun has a whole verdict, and every file that was written is whole."""
    found = []
    for cell in out.rglob("cell.json"):
        verdict = cell.parent / "verdict.json"
        try:
            known = json.loads(verdict.read_text())["verdict"] in VERDICTS
        except (OSError, ValueError, KeyError):
            known = False
        if not known:
            found.append(f"{cell.parent.name} has no whole verdict")
    files = [path for path in out.rglob("*") if path.is_file() and not path.is_symlink()]
    bad = [path for path in files if path.suffix == ".tmp" or not _is_whole(path)]
    return found + [f"half-written: {path.relative_to(out)}" for path in bad]


def _is_whole(path: Path) -> bool:
    """What can be told of a file by its kind."""
    text = path.read_bytes() if path.suffix in (".json", ".jsonl", ".html", ".xml") else b""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                return archive.testzip() is None
        for line in {".json": [text], ".jsonl": text.splitlines()}.get(path.suffix, ()):
            json.loads(line)
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return path.suffix not in (".html", ".xml") or text.rstrip().endswith(b">")
