"""Waits until gunicorn and the proxy answer, and sends the control requests; says precisely why where they don't.

The stage's last step. What dies here, dies at its start: that is about the release or the surroundings, and never a
verdict on recycling. What the watchers saw meanwhile (a socket file removed by a worker) outranks a failed control.
"""

from __future__ import annotations

import pwd
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.backends import Backend, Process
from harness.core.clock import wait_until
from harness.core.errors import HarnessError, SetupBrokenError, SurroundingsError, UnrunnableError
from harness.core.events.course import Control
from harness.core.model import Cell
from harness.engine.stage import Places, StartedProxy
from harness.provision.stdlib import missing_module, was_in_stdlib
from harness.records.store import RunFolder
from harness.stack import gunicorn
from harness.watch.event_log import EventSink
from harness.watch.follow import read_tail
from harness.watch.progress import Progress

BOOT_S = 20.0
PROXY_S = 10.0
PROXY_ERRORS_S = 1.0
"""For so long a proxy that is up may answer with errors before the set-up is called broken."""

CONTROL_REQUESTS = 30
FORK_S = 0.1
"""The arbiter waits up to so long between two forks."""

BOOTS_TOO_MANY = 4
"""Workers that died before the first answer, per configured worker: by then the release does not start here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What has been started, for those who wait for it."""

    cell: Cell
    run: RunFolder
    places: Places
    backend: Backend
    gunicorn: Process
    address: str
    proxy: StartedProxy | None
    python_version: str

    @property
    def client_address(self) -> str:
        """Where the clients go: the proxy, or gunicorn itself."""
        return f"127.0.0.1:{self.proxy.port}" if self.proxy else self.address


def control_budget(max_requests: int) -> int:
    """How many control requests can't recycle any worker, after one direct and one proxied request of readiness.

    One worker may get them all. 0 where there is no room: then the request that shows the proxy to be ready is all
    the control there is.
    """
    return CONTROL_REQUESTS if max_requests == 0 else max(0, min(CONTROL_REQUESTS, max_requests - 3))


def is_tight(stage: Stage) -> bool:
    """Whether a worker's life is too short for a request straight into the socket before the one through the proxy.

    Such a request would already recycle a worker, and with it the evidence.
    """
    return stage.proxy is not None and stage.cell.max_requests > 0 and not control_budget(stage.cell.max_requests)


def await_gunicorn(stage: Stage, progress: Progress) -> int:
    """Until gunicorn answers a request straight into its socket (or, with next to no requests per life, is bound).

    Returns how many requests were given up on meanwhile: gunicorn may serve and count them, but need not log them.

    Raises:
        UnrunnableError: it died, or its workers keep dying, before the first answer.
        SurroundingsError: a module is missing in its environment.
    """
    dying = BOOTS_TOO_MANY * stage.cell.workers

    def alive() -> bool:
        return stage.gunicorn.poll() is None and progress.booted_workers <= dying

    answers = ["200"]
    if is_tight(stage):
        ready = wait_until(lambda: _is_bound(stage), timeout_s=BOOT_S, alive=alive) if _is_unix(stage) else True
    else:
        answers, ready = _await_answer(stage, alive)
    if not ready:
        raise _explain_death(stage, progress.booted_workers > dying)
    if answers[-1] != "200":
        raise SurroundingsError(
            what=f"The app answers {answers[-1]} from the start (asked straight at gunicorn, without the proxy).",
            remedy="Repair the app: / has to be answered with 200 before anything about recycling can be said.",
            log=stage.run.logs / "gunicorn.error.log",
        )
    return answers.count("timeout")


def _is_unix(stage: Stage) -> bool:
    return stage.address.startswith("unix:")


def _is_bound(stage: Stage) -> bool:
    return stage.backend.exists(stage.places.socket)


def _await_answer(stage: Stage, alive: Callable[[], bool]) -> tuple[list[str], bool]:
    seen: list[str] = []

    def answered() -> bool:
        if _is_unix(stage) and not _is_bound(stage):
            return False
        seen.append(client.ask())
        return seen[-1].isdigit()

    with stage.backend.open_client(stage.address) as client:
        ready = wait_until(answered, timeout_s=BOOT_S, alive=alive)
    return seen, bool(ready)


def _explain_death(stage: Stage, workers_die: bool) -> HarnessError:
    log = stage.run.logs / "gunicorn.error.log"
    stage.backend.fetch(log)
    tail = read_tail(log)
    release = f"gunicorn {stage.cell.gunicorn} on Python {stage.python_version}"
    app_error = gunicorn.app_error(tail) if stage.cell.app is not None else None
    if app_error is not None:
        return SurroundingsError(
            what=f"{release} can't load the app {stage.cell.app}: {app_error}",
            remedy="Start it from the folder that it is imported from; what it imports has to be there as well.",
            log=log,
        )
    module = missing_module(tail)
    if module is not None and not was_in_stdlib(module, stage.python_version):
        return SurroundingsError(
            what=f"{release} did not start: its environment has no module named {module!r}.",
            remedy="Run `harness clean` and try again; if it stays, the release catalogue lacks a pin for it.",
            log=log,
        )
    why = gunicorn.last_error(tail)
    status = stage.gunicorn.poll()
    how = f"died at its start with status {status}" if status is not None else f"answered nothing within {BOOT_S:g} s"
    if workers_die and status is None:
        how = "started, but its workers keep dying"
    return UnrunnableError(
        what=f"{release} {how}: {why}", remedy="Try another interpreter with --python, or read the log.", log=log
    )


def await_proxy(stage: Stage, progress: Progress) -> int:
    """Until a request through the proxy is answered with 200; returns how many were given up on meanwhile.

    Raises:
        SurroundingsError: the proxy died or never listened; SetupBrokenError: it can't reach gunicorn, which answers.
    """
    if stage.proxy is None:
        return 0
    process, seen = stage.proxy.process, [""]

    def listens() -> bool:
        seen.append(client.ask())
        return seen[-1].isdigit()

    def good() -> bool:
        return listens() and (seen[-1] == "200" or progress.deleted_ns is not None)

    def alive() -> bool:
        return process.poll() is None and stage.gunicorn.poll() is None

    with stage.backend.open_client(stage.client_address) as client:
        listening = wait_until(listens, timeout_s=PROXY_S, alive=alive)
        if listening and (seen[-1] == "200" or wait_until(good, timeout_s=_patience_s(stage), alive=alive)):
            return seen.count("timeout")
    if stage.gunicorn.poll() is not None:
        raise _explain_death(stage, workers_die=False)
    raise _explain_broken_setup(stage, seen[-1]) if listening else _explain_dead_proxy(stage)


def await_workers(stage: Stage, progress: Progress) -> None:
    """Until every worker has said that its app is loaded, which the settings must make it say.

    Raises:
        UnrunnableError: gunicorn died meanwhile; SurroundingsError: some took too long.
    """
    wanted, patience_s = stage.cell.workers, BOOT_S + FORK_S * stage.cell.workers

    def all_ready() -> bool:
        return progress.ready_workers >= wanted

    if wait_until(all_ready, timeout_s=patience_s, alive=lambda: stage.gunicorn.poll() is None):
        return
    if stage.gunicorn.poll() is not None:
        raise _explain_death(stage, workers_die=False)
    raise SurroundingsError(
        what=f"Only {progress.ready_workers} of {wanted} workers were ready {patience_s:g} s after gunicorn answered.",
        remedy="Ask for fewer workers or a shorter boot, or try again when the machine is idle.",
        log=stage.run.logs / "gunicorn.error.log",
    )


def _patience_s(stage: Stage) -> float:
    """Where gunicorn itself has not answered yet, its workers may still be booting behind a proxy that is up."""
    return BOOT_S if is_tight(stage) else PROXY_ERRORS_S


def _explain_dead_proxy(stage: Stage) -> SurroundingsError:
    proxy = stage.cell.proxy
    log = stage.run.logs / f"{proxy}.error.log"
    stage.backend.fetch(log)
    status = stage.proxy.process.poll() if stage.proxy else None
    how = f"ended at its start with status {status}" if status is not None else f"did not listen within {PROXY_S:g} s"
    lines = read_tail(log).strip().splitlines()
    return SurroundingsError(
        what=f"The proxy {proxy} {how}: {lines[-1] if lines else 'it said nothing'}.",
        remedy="Read its log; `harness doctor` tells which version was found, and where.",
        log=log,
    )


def send_controls(stage: Stage, progress: Progress, sink: EventSink) -> None:
    """A few dozen requests through the proxy, too few to recycle a worker; each must be answered with 200.

    Raises:
        SetupBrokenError: one was not, although no worker can have been recycled yet and the socket file is there.
    """
    asked = control_budget(stage.cell.max_requests)
    with stage.backend.open_client(stage.client_address) as client:
        answers = [client.ask() for _ in range(asked)]
    sink.emit(Control(asked=asked, answered=answers.count("200")))
    bad = [answer for answer in answers if answer != "200"]
    if bad and progress.deleted_ns is None:
        raise _explain_broken_setup(stage, bad[0])


def _explain_broken_setup(stage: Stage, answer: str) -> SetupBrokenError:
    blocked = find_blocked_folder(stage)
    if blocked is not None:
        user, folder, mode = blocked
        return SetupBrokenError(
            what=f"The proxy {stage.cell.proxy} runs as {user}, who may not enter {folder} (mode {mode:04o}), so every "
            f"request through it fails ({answer}); gunicorn itself answers.",
            remedy=f"Make it passable (chmod o+x {folder}), or set TMPDIR to a folder that is, such as /tmp.",
        )
    return SetupBrokenError(
        what=f"A control request through {stage.cell.proxy} got {answer!r}, although gunicorn itself answers: "
        "the set-up is broken, and nothing can be said about the release.",
        remedy="Read the proxy's log.",
        log=stage.run.logs / f"{stage.cell.proxy}.error.log",
    )


def find_blocked_folder(stage: Stage) -> tuple[str, Path, int] | None:
    """(proxy's user, folder, mode) of the first folder above the socket that the proxy's user may not enter.

    Only where the proxy gives up root: else it may do what the harness may.
    """
    user = None if stage.proxy is None else stage.proxy.user
    if user is None or not _is_unix(stage):
        return None
    entry = pwd.getpwnam(user)
    for folder in reversed(stage.places.socket.parents):
        state = folder.stat()
        bit = stat.S_IXOTH
        if state.st_uid == entry.pw_uid:
            bit = stat.S_IXUSR
        elif state.st_gid == entry.pw_gid:
            bit = stat.S_IXGRP
        if not state.st_mode & bit:
            return user, folder, stat.S_IMODE(state.st_mode)
    return None
