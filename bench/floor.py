"""The floor: nothing but gunicorn, the same settings, and requests into the socket until the file is gone.

Run as ``floor.py PYTHON CONFIG SOCKET [whole]``: the interpreter of a pinned environment, a settings file and the path
that it binds. With ``whole`` it goes on as far as a run does that is judged: until the worker has been replaced, the
new one has lived for a tenth of a second, and the arbiter has ended by SIGTERM. Exits 0 once that is done; knows
nothing of the harness, and imports only the standard library.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

DEADLINE_S = 20.0
STEADY_S = 0.1
"""As ``engine.timings.Timings.steady_s``."""
REQUEST = b"GET / HTTP/1.0\r\nHost: floor\r\n\r\n"


def main(python: str, config: str, path: str, *whole: str) -> int:
    """Drive gunicorn until its socket file is gone; 1 where that, or what was asked for besides, took too long."""
    argv = [python, "-m", "gunicorn.app.wsgiapp", "web:app", "-c", config]
    with subprocess.Popen(
        argv, cwd=Path(config).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as gunicorn:
        done = lose_path(gunicorn.pid, Path(path), bool(whole))
        if whole:
            gunicorn.terminate()
            gunicorn.wait(DEADLINE_S)
        os.killpg(gunicorn.pid, signal.SIGKILL)
    return 0 if done else 1


def lose_path(arbiter: int, bound: Path, to_the_end: bool) -> bool:
    """Ask until the path is gone, and wait, where that is wanted, until another worker has lived for a while."""
    if not wait_for(bound.exists):
        return False

    def is_gone() -> bool:
        ask(str(bound))
        return not bound.exists()

    gone = wait_for(is_gone, pause_s=0)
    if not gone or not to_the_end:
        return gone
    first = list_children(arbiter)  # with the worker that took the path away, and is about to end
    replaced = wait_for(lambda: bool(list_children(arbiter) - first))
    time.sleep(STEADY_S)
    return replaced


def wait_for(happened: Callable[[], bool], pause_s: float = 0.005) -> bool:
    """Whether it did in time."""
    deadline_s = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline_s:
        if happened():
            return True
        time.sleep(pause_s)
    return False


def list_children(pid: int) -> set[str]:
    """The pids of a process's children."""
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def ask(path: str) -> None:
    """One request, whatever comes of it."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            client.sendall(REQUEST)
            while client.recv(4096):
                pass
        except OSError:
            return


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
