"""Turns root into another user, with a view of the file system of its own, and then into the program to start.

Usage: launching.py UID PLAN TELL PROGRAM [ARGUMENT ...]; PLAN says what is done to the user's view, see ``write_plan``.
TELL is the descriptor of a pipe to which is written why the user can't be had; it closes without a word as soon as the
program runs. All this happens in an interpreter of its own without site packages, which keeps its pid, and hands on
environment, working folder and open files as they are. Gunicorn waits for it, so it imports only what loads at once:
json or pathlib would take longer than all else here.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys

COVER, SHOW, LINK = "cover", "show", "link"

CLONE_NEWNS = 0x00020000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_SLAVE = 0x2, 0x4, 0x1000, 0x4000, 0x80000
PR_SET_NO_NEW_PRIVS = 38
SIGPIPE, SIGXFSZ, SIG_DFL = 13, 25, None
"""Of linux/sched.h, linux/mount.h, linux/prctl.h and asm-generic/signal.h."""

FAILED = 97
"""The exit status where the user can't be had here."""

LIBC = ctypes.CDLL(None, use_errno=True)


def write_plan(steps: list[tuple[str, str, str]]) -> str:
    """The plan as text: for each path what is done to it, and where a link leads, the paths as bytes in hex."""
    return " ".join(f"{what}:{_to_hex(path)}:{_to_hex(target)}" for path, what, target in sorted(steps))


def read_plan(text: str) -> list[tuple[str, str, str]]:
    """The inverse of ``write_plan``: path, what is done, target; a folder stands before what lies in it."""
    parts = [step.split(":") for step in text.split()]
    return [(_from_hex(path), what, _from_hex(target)) for what, path, target in parts]


def _to_hex(path: str) -> str:
    return os.fsencode(path).hex()


def _from_hex(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text))


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    """As the system call does it; OSError where it fails."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
    data = None if options is None else os.fsencode(options)
    if LIBC.mount(*texts, ctypes.c_ulong(flags), data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mount: {os.strerror(number)}", target)


def change_view(steps: list[tuple[str, str, str]]) -> None:
    """Cover what is to be covered, for this process alone; what is shown was opened before."""
    if LIBC.unshare(CLONE_NEWNS) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")
    mount("none", "/", None, MS_REC | MS_SLAVE)
    opened = {path: os.open(path, os.O_PATH) for path, what, _ in steps if what == SHOW}
    for path, what, target in steps:
        if what == COVER:
            os.makedirs(path, exist_ok=True)  # noqa: PTH103 - a stranger's path stays text
            mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m")
        elif what == LINK:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            os.symlink(target, path)  # noqa: PTH211
        else:
            show(path, opened[path])


def show(path: str, handle: int) -> None:
    """Put what was opened at its own path."""
    source = f"/proc/self/fd/{handle}"
    folder = path if os.path.isdir(source) else os.path.dirname(path)  # noqa: PTH112, PTH120
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    if folder != path and not os.path.exists(path):  # noqa: PTH110
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, path, None, MS_BIND | MS_REC)
    os.close(handle)


def turn_into(uid: int) -> None:
    """Give up all rights of root for good: no set-uid program gives them back."""
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))  # root was not bound by it
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def read_environment() -> dict[bytes, bytes]:
    """The environment as it was given: an interpreter may change its own."""
    with open("/proc/self/environ", "rb") as stream:  # noqa: PTH123 - see above
        given = [variable.partition(b"=") for variable in stream.read().split(b"\0")]
    return {name: value for name, _, value in given if name}


def main(arguments: list[str]) -> int:
    """Become the program; the exit status where that fails."""
    uid, plan, tell, program = int(arguments[0]), read_plan(arguments[1]), int(arguments[2]), arguments[3:]
    os.set_inheritable(tell, False)
    try:
        environment, here = read_environment(), os.getcwd()  # noqa: PTH109
        if plan:
            change_view(plan)
        turn_into(uid)
        os.chdir(here)  # in the new view
        for number in (SIGPIPE, SIGXFSZ):  # which an interpreter ignores
            LIBC.signal(number, SIG_DFL)
        os.execve(program[0], program, environment)  # noqa: S606 - no shell is wanted
    except OSError as problem:
        os.write(tell, os.fsencode(str(problem)))
    return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
