"""Which shims a gunicorn that is no release needs to start here: found by trying, not by its version number.

A commit between two releases declares the version of the older one, and may need what only the newer one is known to
need. Each attempt starts one worker without proxy and load, and asks for one answer. What helped is remembered, by
environment and by failure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TypeAlias

from harness.backends.local.backend import LocalBackend
from harness.core.clock import now_ns, wait_until
from harness.core.frozen import dataclass
from harness.core.keeping import temporary_folder
from harness.core.model import Cell
from harness.core.paths import cache_dir
from harness.core.patterns import pattern
from harness.engine.readiness import BOOTS_TOO_MANY
from harness.engine.recording import open_run
from harness.engine.request import RunRequest
from harness.engine.running_stack import Stack, running_stack
from harness.provision.environments import Environment
from harness.provision.remembered_starts import RememberedStarts, sign_of
from harness.stack import gunicorn
from harness.stack.shims import SHIMS
from harness.watch.follow import read_tail

BOOT_S = 8.0
"""A start takes half a second; one that hangs is not worth the patience of a run."""

SILENCE_S = 2.0
"""So long after its worker has booted, a gunicorn that does not answer listens nowhere."""

_ERROR = pattern(r"\[(?:ERROR|CRITICAL)\]")

TryStart: TypeAlias = Callable[[Sequence[str]], str | None]
"""Starts it with these shims; returns why it did not answer, or None where it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The shims with which it starts (None: with none that is known), and which failure each of them cured."""

    shims: tuple[str, ...] | None
    cures: Mapping[str, str]


def find_shims(try_start: TryStart, known: Sequence[str], cures: Mapping[str, str]) -> Found:
    """Add one shim after the other, each of which ends a failure, until it starts.

    ``known``: all shims, the likely ones first; ``cures``: which shim ended which failure before.
    """
    applied: tuple[str, ...] = ()
    learned: dict[str, str] = {}
    failure = try_start(applied)
    while failure is not None:
        sign = sign_of(failure)
        likely = cures.get(sign)
        order = sorted((name for name in known if name not in applied), key=lambda name: name != likely)
        for name in order:
            again = try_start((*applied, name))
            if again is None or sign_of(again) != sign:
                applied, failure = (*applied, name), again
                learned[sign] = name
                break
        else:
            return Found(shims=None, cures={})
    return Found(shims=applied, cures=learned)


def with_tried_shims(environment: Environment, cell: Cell, say: Callable[[str], None]) -> Environment:
    """The environment with the shims that were found by trying; as it is where nothing helps, or for a release."""
    if environment.revision is None:
        return environment
    memory = RememberedStarts.load(cache_dir() / "starts.json")
    key = f"{environment.path.name} {cell.worker} {cell.bind}"
    remembered = memory.starts.get(key)
    if remembered is not None and set(remembered) <= SHIMS.keys():
        return replace(environment, shims=tuple(remembered))
    say(f"trying to start gunicorn {environment.label}")
    likely = dict.fromkeys((*environment.shims, *SHIMS))
    found = find_shims(lambda shims: _start(replace(environment, shims=tuple(shims)), cell), list(likely), memory.cures)
    shims = environment.shims if found.shims is None else found.shims
    memory.add(key, shims, found.cures)
    return replace(environment, shims=shims)


def _start(environment: Environment, cell: Cell) -> str | None:
    """Start and ask once; what is wrong with the surroundings, and not with this gunicorn, is raised."""
    threads = min(cell.threads, 2)
    trial = Cell(
        spec=cell.spec, worker=cell.worker, threads=threads, workers=1, max_requests=0, bind=cell.bind, proxy="none"
    )
    with temporary_folder("start trial") as folder:
        run = open_run(RunRequest(cell=trial, out=folder), environment, lambda _text: None)
        with closing(run.sink), running_stack(run, environment, LocalBackend, with_load=False) as stack:
            return _await_answer(stack)


def _await_answer(stack: Stack) -> str | None:
    """None once it answers; else why not. A logged error is enough: gunicorn tries to bind for five seconds."""
    log = stack.logs / "gunicorn.error.log"
    stopped: list[str] = []
    booted_ns: list[int] = []

    def is_trying() -> bool:
        errors = [line for line in read_tail(log).splitlines() if _ERROR.search(line)] if log.exists() else []
        stopped.extend(errors[:1])
        if stack.progress.booted_workers:
            booted_ns.append(now_ns())
        if booted_ns and now_ns() - booted_ns[0] > SILENCE_S * 1e9:
            stopped.append("its worker is up, and nothing is answered")
            return False
        dying = stack.progress.booted_workers > BOOTS_TOO_MANY
        return not errors and not dying and stack.gunicorn.poll() is None

    with stack.backend.open_client(stack.address) as client:
        if wait_until(lambda: client.ask().isdigit(), timeout_s=BOOT_S, alive=is_trying):
            return None
    return stopped[0] if stopped else gunicorn.last_error(read_tail(log))
