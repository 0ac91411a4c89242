"""The floor: nothing but gunicorn, the same settings, and requests into the socket until the file is gone.

Run as ``floor.py PYTHON CONFIG SOCKET``: the interpreter of a pinned environment, a settings file and the path that it
binds. Exits 0 once the file is gone; knows nothing of the harness, and imports only the standard library.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

DEADLINE_S = 20.0
REQUEST = b"GET / HTTP/1.0\r\nHost: floor\r\n\r\n"


def main(python: str, config: str, path: str) -> int:
    """Drive gunicorn until its socket file is gone; 1 where that did not happen in time."""
    bound, deadline_s = Path(path), time.monotonic() + DEADLINE_S
    argv = [python, "-m", "gunicorn.app.wsgiapp", "web:app", "-c", config]
    with subprocess.Popen(
        argv, cwd=Path(config).parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as gunicorn:
        seen = False
        while time.monotonic() < deadline_s:
            seen = seen or bound.exists()
            if seen and not bound.exists():
                break
            if seen:
                ask(path)
            else:
                time.sleep(0.005)
        os.killpg(gunicorn.pid, signal.SIGKILL)
    return 0 if seen and not bound.exists() else 1


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
    sys.exit(main(*sys.argv[1:4]))
