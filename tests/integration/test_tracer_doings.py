"""What the tracer tells of signals, ends and closed files, on every interpreter that is here."""

from __future__ import annotations

import signal

from tests.integration.test_tracer import AUDITED_SINCE, Ran, Traced, traced

__all__ = ["traced"]  # a fixture: each test here that names it gets one


def _said(ran: Ran, kind: str) -> list[dict[str, object]]:
    return [line for line in ran.said if line["kind"] == kind]


def test_each_signal_that_is_sent_is_told_with_its_stack(traced: Traced) -> None:
    script = """
import signal
signal.signal(signal.SIGUSR1, lambda *_: None)
def tell(pid):
    os.kill(pid, signal.SIGUSR1)
tell(os.getpid())
os.kill(os.getpid(), 0)
"""
    ran = traced.run(script)
    assert (ran.status, ran.stderr) == (0, "")
    (sent,) = _said(ran, "signal-sent")
    (received,) = _said(ran, "signal-received")
    assert (sent["call"], sent["target"], sent["signal"]) == ("os.kill", sent["pid"], int(signal.SIGUSR1))
    assert [frame[2] for frame in sent["stack"]] == ["<module>", "tell"]  # type: ignore[attr-defined]
    assert (received["pid"], received["signal"]) == (sent["pid"], int(signal.SIGUSR1))


def test_a_signal_that_goes_round_the_os_module_is_told_where_there_are_audit_hooks(traced: Traced) -> None:
    ran = traced.run("import posix\nposix.kill(os.getpid(), 9)\n")
    assert ran.status == -9
    assert len(_said(ran, "signal-sent")) == int(traced.version >= AUDITED_SINCE)


def test_handlers_are_those_that_were_set(traced: Traced) -> None:
    script = """
import signal
def first(number, frame):
    print("first", int(number), frame is not None)
def second(number, frame):
    print("second")
print(signal.signal(signal.SIGTERM, first) == signal.SIG_DFL, signal.getsignal(signal.SIGTERM) is first)
print(signal.signal(signal.SIGTERM, second) is first, signal.signal(signal.SIGTERM, first) is second)
print(signal.signal(signal.SIGINT, signal.SIG_IGN) is signal.default_int_handler)
os.kill(os.getpid(), signal.SIGTERM)
print(signal.signal(signal.SIGTERM, signal.SIG_DFL) is first, signal.getsignal(signal.SIGTERM))
"""
    assert traced.run(script).stdout == traced.run(script, trace=False).stdout
    assert len(_said(traced.run(script), "signal-received")) == 1


def test_how_children_end_is_told(traced: Traced) -> None:
    script = """
for status in (0, 3):
    pid = os.fork()
    if pid == 0:
        os._exit(status)
    os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    os.kill(os.getpid(), 9)
os.wait()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("none is left")
"""
    ran = traced.run(script)
    assert (ran.stdout, ran.stderr) == ("none is left\n", "")
    assert [line["status"] for line in _said(ran, "child-ended")] == [0, 3, -9]
    assert [line["status"] for line in _said(ran, "exit")] == [0, 3]


def test_an_abort_is_a_signal_to_oneself(traced: Traced) -> None:
    ran = traced.run("os.abort()\n")
    assert ran.status == -int(signal.SIGABRT)
    (sent,) = _said(ran, "signal-sent")
    assert (sent["target"], sent["signal"]) == (sent["pid"], int(signal.SIGABRT))


def test_sockets_that_are_closed_by_number_are_told_and_other_files_are_not(traced: Traced) -> None:
    script = """
import socket
left, right = socket.socketpair()
os.close(left.detach())
right.close()
os.close(os.open("/dev/null", os.O_RDONLY))
os.closerange(50, 60)
try:
    os.close(99)
except OSError as problem:
    print(problem.errno)
"""
    ran = traced.run(script)
    assert (ran.stdout, ran.stderr) == ("9\n", "")
    assert [line["call"] for line in _said(ran, "file-closed")] == ["os.close", "os.closerange"]
