"""Explains why a stack does not get ready: what died or is blocked, from logs, exit status and the files' modes."""

from __future__ import annotations

import pwd
import stat
from pathlib import Path

from harness.core.errors import HarnessError, SetupBrokenError, SurroundingsError, UnrunnableError
from harness.engine.running_stack import Stack
from harness.provision.stdlib import missing_module, was_in_stdlib
from harness.stack import gunicorn
from harness.stack.further_settings import unknown_setting
from harness.watch.follow import read_tail


def explain_death(stack: Stack, *, workers_die: bool) -> HarnessError:
    """Explain why gunicorn does not answer; ``workers_die``: its workers ended as often as they were started."""
    log = stack.logs / "gunicorn.error.log"
    stack.backend.fetch(log)
    tail = read_tail(log)
    release = f"gunicorn {stack.cell.gunicorn} on Python {stack.environment.python_version}"
    app_error = gunicorn.app_error(tail) if stack.cell.app is not None else None
    if app_error is not None:
        return SurroundingsError(
            what=f"{release} can't load the app {stack.cell.app}: {app_error}",
            remedy="Start it from the folder that it is imported from; what it imports has to be there as well."
            + _hint_at_user(stack),
            log=log,
        )
    setting = unknown_setting(tail)
    if setting is not None:
        return UnrunnableError(
            what=f"gunicorn {stack.cell.gunicorn} has no setting {setting}.",
            remedy="Leave it out, or name a release that has it.",
            log=log,
        )
    if stack.cell.bind == "abstract" and _ZERO_BYTE in tail:
        return UnrunnableError(
            what=f"gunicorn {stack.cell.gunicorn} can't bind an abstract socket: it takes the name for a path.",
            remedy="Use --bind unix, or name a release that can.",
            log=log,
        )
    module = missing_module(tail)
    if module is not None and not was_in_stdlib(module, stack.environment.python_version):
        return SurroundingsError(
            what=f"{release} did not start: its environment has no module named {module!r}.",
            remedy="Run `harness clean` and try again; if it stays, the release catalogue lacks a pin for it."
            + _hint_at_user(stack),
            log=log,
        )
    why = gunicorn.last_error(tail)
    if _hint_at_user(stack) and any(text in tail for text in _REFUSED):
        what = f"{release} did not start, because something was refused to its user: {why}"
        return SurroundingsError(what=what, remedy=_hint_at_user(stack).strip(), log=log)
    status = stack.gunicorn.poll()
    how = f"answered nothing within {stack.timings.boot_s:g} s"
    if status is not None:
        how = f"died at its start with status {status}"
    elif workers_die:
        how = "started, but its workers keep dying"
    return UnrunnableError(
        what=f"{release} {how}: {why}", remedy="Try another interpreter with --python, or read the log.", log=log
    )


_ZERO_BYTE = "embedded null"
"""What Python says of a name with a zero byte that is to be a path."""

_REFUSED = ("Permission denied", "Operation not permitted", "error while loading shared libraries")


def _hint_at_user(stack: Stack) -> str:
    """What to do where the harness is root, and gunicorn or its workers are not; empty elsewhere."""
    if stack.cell.user is not None:
        return f" Workers run as {stack.cell.user} here: interpreter, environment and record must be open to others."
    user = stack.command.user
    if user is None or user.other is None:
        return ""
    return f" gunicorn runs as user {user.uid} here: what it reads must be open to others, or give --as-root."


def explain_dead_proxy(stack: Stack) -> SurroundingsError:
    """Explain why the proxy does not listen."""
    proxy = stack.cell.proxy
    log = stack.logs / f"{proxy}.error.log"
    stack.backend.fetch(log)
    status = stack.proxy.process.poll() if stack.proxy else None
    how = f"did not listen within {stack.timings.proxy_s:g} s"
    if status is not None:
        how = f"ended at its start with status {status}"
    lines = read_tail(log).strip().splitlines()
    return SurroundingsError(
        what=f"The proxy {proxy} {how}: {lines[-1] if lines else 'it said nothing'}.",
        remedy="Read its log; `harness doctor` tells which version was found, and where.",
        log=log,
    )


def explain_broken_setup(stack: Stack, answer: str) -> SetupBrokenError:
    """Explain why a request through the proxy gets ``answer``, although gunicorn itself answers."""
    blocked = find_blocked_folder(stack)
    if blocked is not None:
        user, folder, mode = blocked
        return SetupBrokenError(
            what=f"The proxy {stack.cell.proxy} runs as {user}, who may not enter {folder} (mode {mode:04o}), so every "
            f"request through it fails ({answer}); gunicorn itself answers.",
            remedy=f"Make it passable (chmod o+x {folder}), or set TMPDIR to a folder that is, such as /tmp.",
        )
    return SetupBrokenError(
        what=f"A control request through {stack.cell.proxy} got {answer!r}, although gunicorn itself answers: "
        "the set-up is broken, and nothing can be said about the release.",
        remedy="Read the proxy's log.",
        log=stack.logs / f"{stack.cell.proxy}.error.log",
    )


def find_blocked_folder(stack: Stack) -> tuple[str, Path, int] | None:
    """(proxy's user, folder, mode) of the first folder above the socket that the proxy's user may not enter.

    Only where the proxy gives up root; else it has the rights of the harness.
    """
    user = None if stack.proxy is None else stack.proxy.user
    if user is None or stack.cell.bind != "unix":
        return None
    entry = pwd.getpwnam(user)
    for folder in reversed(stack.scratch.socket.parents):
        state = folder.stat()
        bit = stat.S_IXOTH
        if state.st_uid == entry.pw_uid:
            bit = stat.S_IXUSR
        elif state.st_gid == entry.pw_gid:
            bit = stat.S_IXGRP
        if not state.st_mode & bit:
            return user, folder, stat.S_IMODE(state.st_mode)
    return None
