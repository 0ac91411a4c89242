"""The prober against tiny servers in a thread: on loopback and on a Unix socket."""

from __future__ import annotations

import itertools
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from harness.core.clock import now_ns, wait_until
from harness.core.events.base import Event
from harness.judge.outage import PROBES_PER_S
from harness.stack.asked import Asked
from harness.watch import prober
from harness.watch.event_log import EventSink
from harness.watch.prober import ProbeClient, Prober, open_client
from tests.unit.events import fields_of

Answer = Callable[[socket.socket], None]


def _answers(status: int, body: bytes = b"hello") -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))

    return answer


def _closes(connection: socket.socket) -> None:
    connection.recv(65536)


def _resets(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def _cuts_short(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")


def _babbles(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"what?\r\n\r\n")


@contextmanager
def _serving(listener: socket.socket, answer: Answer | None) -> Iterator[None]:
    """Answer each connection in turn; None is a server that accepts and never says anything."""
    stop, held = threading.Event(), list[socket.socket]()
    listener.settimeout(0.02)

    def serve() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            if answer is None:
                held.append(connection)
                continue
            with connection:
                connection.settimeout(5)
                answer(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        for connection in held:
            connection.close()
        listener.close()


@pytest.fixture(params=["tcp", "unix"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, str]]:
    """(listening socket, its address as the prober gets it)."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders can be too deep for a socket's path
        if request.param == "unix":
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{folder}/g.sock")
            address = f"unix:{folder}/g.sock"
        else:
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listener.getsockname()[1]}"
        with listener:
            listener.listen(64)
            yield listener, address


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (_answers(200), "200"),
        (_answers(304, b""), "304"),
        (_answers(404), "404"),
        (_answers(502), "502"),
        (_closes, "closed"),
        (_resets, "closed"),
        (_cuts_short, "closed"),
        (_babbles, "closed"),
        (None, "timeout"),
    ],
)
def test_how_a_request_ends(place: tuple[socket.socket, str], answer: Answer | None, outcome: str) -> None:
    listener, address = place
    timeout_s = 0.2 if answer is None else 10.0  # a busy machine's answer may be late
    with _serving(listener, answer), open_client(address, timeout_s=timeout_s) as client:
        assert client.ask() == outcome


def test_nobody_listens(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    listener.close()
    with open_client(address) as client:
        assert client.ask() == "refused"


def test_no_such_socket_file(tmp_path: Path) -> None:
    with open_client(f"unix:{tmp_path}/missing.sock") as client:
        assert client.ask() == "missing"


def test_a_file_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with open_client(f"unix:{tmp_path}/f") as client:
        assert client.ask() == "refused"


def test_no_permission_is_another_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: ProbeClient) -> socket.socket:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(ProbeClient, "_connect", refuse)
    with open_client("127.0.0.1:1") as client:
        assert client.ask() == "other"


def test_what_may_not_be_asked_is_not_sent(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    with _serving(listener, _closes), open_client(address, asked=Asked(path="/a b")) as client:
        assert client.ask() == "other"


def _switches(connection: socket.socket) -> None:
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 101 X\r\nUpgrade: chat\r\nConnection: upgrade\r\n\r\nhello")


def test_another_protocol_is_an_answer(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    asked = Asked(path="/", headers=(("Upgrade", "chat"), ("Connection", "upgrade")))
    with _serving(listener, _switches), open_client(address, asked=asked) as client:
        assert client.ask() == "101"


def _answers_slowly(connection: socket.socket) -> None:
    connection.recv(65536)
    for piece in (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", b"\r\nhal", b"f and ", b"half"):
        connection.sendall(piece)
        time.sleep(0.01)


def test_an_answer_in_pieces_that_ends_with_its_connection(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    with _serving(listener, _answers_slowly), open_client(address) as client:
        assert client.ask() == "200"


def _answers_before_all_is_read(connection: socket.socket) -> None:
    connection.recv(10)
    connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    connection.shutdown(socket.SHUT_RDWR)


def test_an_answer_to_half_a_request_counts(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    asked = Asked(method="POST", path="/", body=b"x" * (1 << 24))
    with _serving(listener, _answers_before_all_is_read), open_client(f"unix:{tmp_path}/s", asked=asked) as client:
        assert client.ask() == "413"


def test_the_users_proxies_are_ignored(place: tuple[socket.socket, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    listener, address = place
    with _serving(listener, _answers(200)), open_client(address) as client:
        assert client.ask() == "200"


def test_every_request_has_a_connection_of_its_own(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    requests = list[bytes]()

    def keep_alive(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")

    with _serving(listener, keep_alive), open_client(address) as client:
        assert [client.ask() for _ in range(3)] == ["200"] * 3
    assert len(requests) == 3
    assert all(b"Connection: close" in request for request in requests)


@pytest.mark.parametrize(
    ("asked", "length"),
    [
        (Asked(path="/a;b=1?c=%20&d;e"), None),
        (Asked(path="//a/../b?"), None),
        (Asked(method="POST", path="/", body=b"four"), b"4"),
        (Asked(method="PUT", path="/"), b"0"),
        (Asked(method="DELETE", path="/", headers=(("Host", "example.org"),)), None),
    ],
)
def test_what_the_user_asks_for_is_sent_as_it_stands(
    place: tuple[socket.socket, str], asked: Asked, length: bytes | None
) -> None:
    listener, address = place
    requests = list[bytes]()

    def note(connection: socket.socket) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with _serving(listener, note), open_client(address, asked=asked) as client:
        assert client.ask() == "200"
    first, *headers = requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
    told = dict(header.split(b": ") for header in headers)
    assert first == f"{asked.method} {asked.path} HTTP/1.1".encode()
    assert told.get(b"Content-Length") == length
    assert [header for header in headers if header.startswith(b"Host:")] == [b"Host: " + told[b"Host"]]


class _Probing:
    """A prober at work, and what it has said so far."""

    def __init__(self, ways: dict[str, str], folder: Path, **limits: Any) -> None:
        self.events: list[Event] = []
        self.sink = EventSink(folder / "events.jsonl")
        self.sink.listen(self.events.append)
        self.stop = threading.Event()
        self.prober = Prober(ways, self.sink, **limits)
        self.thread = threading.Thread(target=self.prober.loop, args=(self.stop,))

    def __enter__(self) -> _Probing:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()
        self.sink.close()

    def times_ns(self) -> list[tuple[int, int]]:
        """When each probe was begun and when it was over, in the order in which they were begun."""
        told = [(event.at_ns, cast(int, fields_of(event)["took_ns"])) for event in list(self.events)]
        return sorted((begun_ns, begun_ns + took_ns) for begun_ns, took_ns in told)

    def outcomes(self, via: str) -> list[str]:
        return [str(fields_of(event)["outcome"]) for event in list(self.events) if fields_of(event).get("via") == via]


def test_both_ways_are_probed_until_told_to_stop(place: tuple[socket.socket, str], tmp_path: Path) -> None:
    listener, address = place
    begin_ns = now_ns()
    with (
        _serving(listener, _answers(200)),
        _Probing({"proxy": address, "direct": f"unix:{tmp_path}/missing.sock"}, tmp_path) as probing,
    ):
        assert wait_until(lambda: len(probing.outcomes("proxy")) >= 3, timeout_s=10, alive=probing.thread.is_alive)
    assert set(probing.outcomes("proxy")) == {"200"}
    assert set(probing.outcomes("direct")) == {"missing"}
    periods = (now_ns() - begin_ns) / 1e9 / prober.PERIOD_S
    assert 3 <= len(probing.outcomes("direct")) <= periods + 1, "one a period, no storm"
    assert {event.kind for event in probing.events} == {"probe"}


@pytest.mark.parametrize(("status", "at_once"), [(200, False), (502, True)])
def test_under_load_the_ways_take_turns_while_all_goes_well(
    place: tuple[socket.socket, str], tmp_path: Path, status: int, at_once: bool
) -> None:
    listener, address = place
    with _serving(listener, _answers(status)), _Probing({"proxy": address, "direct": address}, tmp_path) as probing:
        assert wait_until(lambda: len(probing.events) >= 12, timeout_s=10, alive=probing.thread.is_alive)
    assert abs(len(probing.outcomes("proxy")) - len(probing.outcomes("direct"))) <= 1
    assert _came_in_pairs(probing) is at_once


def test_after_the_load_both_ways_are_probed_in_each_period(place: tuple[socket.socket, str], tmp_path: Path) -> None:
    listener, address = place
    with _serving(listener, _answers(200)), _Probing({"proxy": address, "direct": address}, tmp_path) as probing:
        probing.prober.hurry()
        assert wait_until(lambda: len(probing.events) >= 12, timeout_s=10, alive=probing.thread.is_alive)
    assert _came_in_pairs(probing)


def _came_in_pairs(probing: _Probing) -> bool:
    """Leaves out the first two: until one is answered nobody knows that something is amiss."""
    begun_ns = [begun for begun, _ in probing.times_ns()[2:]]
    gaps_ns = [after - before for before, after in itertools.pairwise(begun_ns)]
    return sum(gap_ns < prober.PERIOD_S * 1e9 / 4 for gap_ns in gaps_ns) > len(gaps_ns) / 3


def test_probes_that_hang_do_not_keep_new_ones_from_starting_and_all_are_reported(
    place: tuple[socket.socket, str], tmp_path: Path
) -> None:
    listener, address = place
    with _serving(listener, None), _Probing({"direct": address}, tmp_path, period_s=0.01, timeout_s=0.3) as probing:
        assert wait_until(lambda: len(probing.events) >= 5, timeout_s=10, alive=probing.thread.is_alive)
    assert set(probing.outcomes("direct")) == {"timeout"}
    times_ns = probing.times_ns()
    assert min(over - begun for begun, over in times_ns) >= 250_000_000
    assert times_ns[4][0] < times_ns[0][1], "the fifth began before the first was over"


def test_there_is_a_bound_to_the_probes_that_wait(place: tuple[socket.socket, str], tmp_path: Path) -> None:
    listener, address = place
    with (
        _serving(listener, None),
        _Probing({"direct": address}, tmp_path, period_s=0.001, timeout_s=0.3, most_waiting=4) as probing,
    ):
        assert wait_until(lambda: len(probing.events) >= 5, timeout_s=10, alive=probing.thread.is_alive)
    assert set(probing.outcomes("direct")) == {"timeout"}
    times_ns = probing.times_ns()
    at_once = [sum(begun <= at < over for begun, over in times_ns) for at, _ in times_ns]
    assert 2 <= max(at_once) <= 4


def test_a_paused_way_rests_and_the_other_does_not(place: tuple[socket.socket, str], tmp_path: Path) -> None:
    listener, address = place
    missing = f"unix:{tmp_path}/missing.sock"
    with (
        _serving(listener, _answers(200)),
        _Probing({"proxy": address, "direct": missing}, tmp_path) as probing,
    ):
        probing.prober.pause("proxy", 60.0)
        before = len(probing.outcomes("direct"))
        assert wait_until(
            lambda: len(probing.outcomes("direct")) >= before + 3, timeout_s=10, alive=probing.thread.is_alive
        )
    assert len(probing.outcomes("proxy")) <= 2


def test_a_bug_in_a_probe_is_a_dead_watcher_and_not_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> str:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(ProbeClient, "compare", broken)
    with _Probing({"direct": "127.0.0.1:9"}, tmp_path) as probing:
        assert wait_until(lambda: probing.events, timeout_s=10, alive=probing.thread.is_alive)
    assert fields_of(probing.events[0]) == {
        "name": "prober",
        "state": "died",
        "detail": "ZeroDivisionError: a bug",
    }


def test_a_probe_carries_the_id_that_it_is_given(place: tuple[socket.socket, str]) -> None:
    listener, address = place
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with _serving(listener, answer), open_client(address) as client:
        assert [client.compare("d7").outcome, client.ask()] == ["200", "200"]
    assert asked[0].count(b"\r\nX-Request-Id: d7\r\n") == 1
    assert b"x-request-id" not in asked[1].lower()


def test_the_judge_knows_how_often_is_probed_at_most() -> None:
    assert prober.PERIOD_S * PROBES_PER_S == 2, "two ways, each once in a period"
