"""A server that looks like gunicorn from outside and misbehaves in one chosen way; packed into a wheel by the tests.

It reads the same settings file, writes the same log lines, forks workers and recycles them. BEHAVIOUR is replaced by
the test. Only what the harness looks at is imitated.
"""

import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

BEHAVIOUR = "good"


BROKEN = b"HTTP/1.1 500 Oh no\r\nContent-Length: 5\r\nConnection: close\r\n\r\nOh no"
"""What gunicorn answers by itself, so without the id of the request."""


def make_answer(name):
    """The answer of the app under test; a request with an id gets it back."""
    body = b"Hello World" if name == "-" else b"Hello World " + name.encode()
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: %d\r\n"
    head += "X-Request-Id: %s\r\nConnection: close\r\n\r\n"
    return (head % (len(body), name)).encode() + body


def log(text, level="INFO"):
    stamp = time.strftime("%Y-%m-%d %H:%M:%S +0000", time.gmtime())
    sys.stderr.write("[%s] [%d] [%s] %s\n" % (stamp, os.getpid(), level, text))
    sys.stderr.flush()


def read_settings():
    settings = {}
    path = sys.argv[sys.argv.index("-c") + 1]
    with open(path) as file:
        exec(compile(file.read(), path, "exec"), settings)
    return settings


def bind(address):
    if not address.startswith("unix:"):
        host, _, port = address.partition(":")
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
    else:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address[5:])
        os.chmod(address[5:], 0o777)
    listener.listen(2048)
    return listener


class Worker:
    def __init__(self, settings, listener, *, comes_late):
        self.settings = settings
        self.comes_late = comes_late  # it is no worker of the first fleet
        self.listener = listener
        self.served = 0
        self.lock = threading.Lock()
        self.access = open(settings["accesslog"], "a", buffering=1)
        self.limit = settings["max_requests"]
        if BEHAVIOUR == "recycles-early":
            self.limit = max(1, self.limit // 4)
        if BEHAVIOUR == "never-recycles":
            self.limit = 0

    def run(self):
        log("Booting worker with pid: %d" % os.getpid())
        self.note("worker")
        if BEHAVIOUR == "idles" and self.comes_late:
            time.sleep(600)
        while not self.limit or self.served < self.limit:
            connection, _ = self.listener.accept()
            self.answer(connection)
        log("Autorestarting worker after current request.")
        self.leave()

    def note(self, name):
        """As the app does that real releases run."""
        path = os.environ.get("RECYCLE_HARNESS_NOTES")
        if path:
            with open(path, "a", buffering=1) as notes:
                notes.write("%s %d\n" % (name, os.getpid()))

    def answer(self, connection):
        request = connection.recv(4096)
        if not request:
            connection.close()
            return
        self.served += 1
        found = re.search(rb"(?i)x-request-id: *(\w+)", request)
        name = found.group(1).decode() if found else "-"
        if found and not (BEHAVIOUR == "answers-unrun" and self.served % 50 == 0):
            self.note(name)
        if found and BEHAVIOUR == "runs-twice" and self.served % 50 == 0:
            self.note(name)
        if BEHAVIOUR == "loses-answers" and self.served % 50 == 0:
            connection.close()
            return
        if BEHAVIOUR == "hangs" and self.served > 40:
            time.sleep(600)
        bad = BEHAVIOUR == "answers-500-later" and self.served == 50
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # nginx hangs up when its own client does
            connection.sendall(BROKEN if bad else make_answer(name))
        connection.close()
        logged = "-" if BEHAVIOUR == "answers-unrun" and self.served % 50 == 0 else name
        self.access.write(' - - [x] "GET / HTTP/1.1" 200 11 "-" "-" %s <%d>\n' % (logged, os.getpid()))

    def leave(self):
        path = self.settings["bind"][5:]
        if BEHAVIOUR == "removed-by-rm":
            subprocess.call(["rm", path])
        elif BEHAVIOUR == "removed-by-c":
            ctypes.CDLL(None).unlink(os.fsencode(path))
        elif BEHAVIOUR == "binds-anew":
            os.unlink(path)
            bind("unix:" + path)
        elif BEHAVIOUR == "shuts-socket":
            os.chmod(path, 0)
        elif BEHAVIOUR == "shuts-folder":
            os.chmod(os.path.dirname(path), 0o600)
        elif BEHAVIOUR == "changes-rights-harmlessly":
            os.chmod(path, 0o766)
            os.chmod(os.path.dirname(path), 0o711)
            subprocess.call(["test", "-S", path])
        elif BEHAVIOUR == "replaces-socket":
            bind("unix:" + path + ".new")
            os.rename(path + ".new", path)
        elif BEHAVIOUR == "crashes":
            log("Exception in worker process", "ERROR")
            sys.stderr.write('Traceback (most recent call last):\n  File "x.py", line 1, in run\nValueError: oh\n')
            sys.stderr.flush()
            os._exit(255)
        elif BEHAVIOUR == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        log("Worker exiting (pid: %d)" % os.getpid())
        os._exit(0)


def spawn(settings, listener, *, comes_late=False):
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        Worker(settings, listener, comes_late=comes_late).run()
    return pid


def stop_in_order(settings, live):
    """What SIGTERM does: the path goes, then the workers, then the arbiter."""
    log("Handling signal: term")
    if settings["bind"].startswith("unix:") and BEHAVIOUR != "leaves-socket":
        with contextlib.suppress(OSError):
            os.unlink(settings["bind"][5:])
    for pid in live if BEHAVIOUR != "leaves-workers" else ():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
    log("Shutting down: Master")
    os._exit(0)


def run():
    if BEHAVIOUR == "dies-at-start":
        log("Starting")
        raise RuntimeError("this release does not start here")
    if BEHAVIOUR == "needs-a-module":
        import module_that_nobody_has  # noqa: F401
    settings, live = read_settings(), set()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the harness must not depend on a polite end
    if BEHAVIOUR != "ignores-term":
        signal.signal(signal.SIGTERM, lambda *_: stop_in_order(settings, live))
    if BEHAVIOUR == "workers-die":
        while True:
            pid = os.fork()
            if pid == 0:
                log("Booting worker with pid: %d" % os.getpid())
                os._exit(3)
            os.waitpid(pid, 0)
    listener = bind(settings["bind"])
    log("Listening at: %s" % settings["bind"])
    few = 1 if BEHAVIOUR == "starts-too-few" else 0
    live.update([spawn(settings, listener) for _ in range(settings["workers"] - few)])
    respawned = 0
    while live:
        pid, status = os.waitpid(-1, 0)
        live.discard(pid)
        if os.WIFSIGNALED(status):
            log("Worker (pid:%d) was sent SIGKILL!" % pid, "ERROR")
        if BEHAVIOUR == "arbiter-dies" and respawned == 3:
            sys.exit(7)
        respawned += 1
        if BEHAVIOUR == "never-respawns" and respawned > 2:
            continue
        # An idle worker never ends, and there is one of them: the others have to serve on.
        live.add(spawn(settings, listener, comes_late=respawned == 1))
        if BEHAVIOUR == "too-many" and respawned == 1:
            live.add(spawn(settings, listener))
    time.sleep(600)


if __name__ == "__main__":
    run()
