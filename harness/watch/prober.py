"""An independent client: every 50 ms a request through the proxy or straight to gunicorn.

While all goes well under load the two take turns, because each probe takes something from the load that it watches.
As soon as one was not answered with success, and after the load, both are sent every 50 ms.

wrk counts a hung request nowhere; the prober does, because each probe has its own time-out and a new one starts
on time however many are still waiting. Every probe opens a connection of its own, so the direct one also tests that
the bound path can be reached.
"""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias, cast

from harness.core.addresses import unix_name
from harness.core.clock import now_ns
from harness.core.events.clients import Probe, Way
from harness.core.events.course import WatcherState
from harness.core.model import ERROR_OF_ERRNO, is_error, is_success
from harness.stack.answers import HEADER, Answer, read_answer
from harness.stack.asked import ASKED, Asked
from harness.watch.event_log import EventSink

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

PERIOD_S = 0.05
TIMEOUT_S = 2.0
"""As wrk's own: an answer that takes longer has failed for most clients."""

_WITH_BODY = {"POST", "PUT", "PATCH"}
"""Methods whose requests tell the length of their body even if it is empty."""

PIECE_BYTES = 1 << 16
MOST_HEADER_BYTES = 100 << 10
"""As httpcore: h11's own 16 KiB are less than servers send."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

MAX_WAITING = 48
"""Probes in flight for one way: enough for a time-out's worth of periods."""


class ProbeClient:
    """Sends the same request again and again, each on a connection of its own; may be used by several threads.

    h11, which httpx rests on, reads and writes the messages. The layers above it, for redirects, cookies, logins and
    encryption, are nothing that a probe needs, and take a third as long to import as gunicorn takes to boot.
    """

    def __init__(self, address: str, timeout_s: float, asked: Asked = ASKED) -> None:
        self._path = unix_name(address)
        self._host, _, port = address.partition(":")
        self._port = int(port) if self._path is None else 0
        self._timeout_s = timeout_s
        self._method, self._target, self._body = asked.method, asked.path, asked.body
        host = address if self._path is None else "localhost"
        own = {"Host": host, "Connection": "close", "User-Agent": "recycle-harness-prober"}
        if asked.body or asked.method in _WITH_BODY:
            own["Content-Length"] = str(len(asked.body))
        theirs = {name.lower() for name, _ in asked.headers}
        headers = [*((name, value) for name, value in own.items() if name.lower() not in theirs), *asked.headers]
        self._headers = [(name.encode(), value.encode()) for name, value in headers]

    def __enter__(self) -> ProbeClient:
        return self

    def __exit__(self, *_: object) -> None:
        """See ``backends.Client``: nothing is left open between two requests."""

    def ask(self) -> str:
        """One request without an id; its status as text, or one of ``model.CLIENT_ERRORS``."""
        return self.compare(None).outcome

    def compare(self, request_id: str | None) -> Answer:
        """One request, its answer read whole and compared with what this request must get."""
        import h11

        name = None if request_id is None else request_id.encode()
        try:
            connection = self._connect()
        except TimeoutError:
            return Answer(outcome="timeout")
        except OSError as problem:
            return Answer(outcome=ERROR_OF_ERRNO.get(problem.errno or 0, "other"))
        with connection:
            try:
                status, headers, body = self._exchange(connection, name)
            except TimeoutError:
                return Answer(outcome="timeout")
            except (OSError, h11.RemoteProtocolError):
                return Answer(outcome="closed")
            except h11.LocalProtocolError:  # nothing of the kind may be asked
                return Answer(outcome="other")
        return read_answer(name, status, headers, body)

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_INET if self._path is None else socket.AF_UNIX)
        try:
            connection.settimeout(self._timeout_s)
            if self._path is None:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.connect((self._host, self._port) if self._path is None else self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _exchange(self, connection: socket.socket, name: bytes | None) -> tuple[int, Headers, bytes]:
        """Send the request, with its id, and read the answer: status, headers, body."""
        import h11

        protocol = h11.Connection(h11.CLIENT, max_incomplete_event_size=MOST_HEADER_BYTES)
        headers = self._headers if name is None else [*self._headers, (HEADER, name)]
        sent = protocol.send(h11.Request(method=self._method, target=self._target, headers=headers)) or b""
        if self._body:
            sent += protocol.send(h11.Data(data=self._body)) or b""
        sent += protocol.send(h11.EndOfMessage()) or b""
        with suppress(ConnectionError):  # a server may answer, and close, before it has read all
            connection.sendall(sent)
        answer: h11.Response | h11.InformationalResponse | None = None  # the last one, which 101 may be
        body = bytearray()
        while not isinstance(event := protocol.next_event(), h11.EndOfMessage) and event is not h11.PAUSED:
            if event is h11.NEED_DATA:
                protocol.receive_data(connection.recv(PIECE_BYTES))
            elif isinstance(event, h11.Response | h11.InformationalResponse):
                answer = event
            elif isinstance(event, h11.Data):
                body += event.data
        if answer is None:
            raise h11.RemoteProtocolError("an end without an answer")
        return answer.status_code, answer.headers.raw_items(), bytes(body)


def open_client(address: str, timeout_s: float = TIMEOUT_S, asked: Asked = ASKED) -> ProbeClient:
    """A client for an address (``core.addresses``) that never re-uses a connection and ignores the user's proxies."""
    return ProbeClient(address, timeout_s, asked)


class Prober:
    """Probes ``ways`` (name -> address: ``proxy``, ``direct``) until told to stop."""

    def __init__(
        self,
        ways: Mapping[str, str],
        sink: EventSink,
        *,
        ledger: bool = True,
        compares: bool = False,
        asked: Asked = ASKED,
        period_s: float = PERIOD_S,
        timeout_s: float = TIMEOUT_S,
        most_waiting: int = MAX_WAITING,
    ) -> None:
        self._ways = ways
        self._period_s, self._timeout_s, self._most_waiting = period_s, timeout_s, most_waiting
        self._ledger, self._compares, self._asked = ledger, compares, asked
        self._sent = dict.fromkeys(ways, 0)
        self._sink = sink
        self._waiting = dict.fromkeys(ways, 0)
        self._lock = threading.Lock()
        self._paused_until_ns = dict.fromkeys(ways, 0)
        self._amiss = set[str]()
        self._takes_turns = True
        self._hurried = threading.Event()

    def hurry(self) -> None:
        """Probe every way in every period, beginning at once."""
        self._takes_turns = False
        self._hurried.set()

    def pause(self, way: str, pause_s: float) -> None:
        """Send nothing on this way for a while; a way that is not probed is left alone."""
        self._paused_until_ns[way] = now_ns() + int(pause_s * 1e9)

    def loop(self, stop: threading.Event) -> None:
        """Start probes in each period; at the end wait for those that are under way."""
        from concurrent.futures import ThreadPoolExecutor

        clients = {way: open_client(address, self._timeout_s, self._asked) for way, address in self._ways.items()}
        with ThreadPoolExecutor(self._most_waiting * len(clients), thread_name_prefix="probe") as pool:
            due_ns, turns = now_ns(), itertools.cycle(clients)
            while not stop.is_set():
                for way in [next(turns)] if self._takes_turns and not self._amiss else clients:
                    if now_ns() >= self._paused_until_ns[way]:
                        self._start(pool, way, clients[way])
                due_ns = max(due_ns + int(self._period_s * 1e9), now_ns())
                if self._wait(stop, due_ns):
                    due_ns = now_ns()

    def _wait(self, stop: threading.Event, due_ns: int) -> bool:
        """Until ``due_ns``, or the end, or the call to hurry: True where that came first."""
        if self._takes_turns:
            return self._hurried.wait((due_ns - now_ns()) / 1e9) and not stop.is_set()
        stop.wait((due_ns - now_ns()) / 1e9)
        return False

    def _start(self, pool: ThreadPoolExecutor, way: str, client: ProbeClient) -> None:
        with self._lock:
            if self._waiting[way] >= self._most_waiting:
                return  # all of them hang, and each of them will be reported
            self._waiting[way] += 1
        self._sent[way] += 1
        pool.submit(self._probe, way, client, self._sent[way]).add_done_callback(self._surface)

    def _probe(self, way: str, client: ProbeClient, number: int) -> None:
        name = f"{way[0]}{number}" if self._ledger else None
        started_ns = now_ns()
        try:
            answer = client.compare(name)
            took_ns = now_ns() - started_ns
            self._sink.emit(
                Probe(
                    at_ns=started_ns,
                    via=cast(Way, way),
                    outcome=answer.outcome,
                    took_ns=took_ns,
                    id=name,
                    by_app=self._tell_own(answer) if is_error(answer.outcome) else None,
                    wrong=answer.wrong if self._compares else None,
                )
            )
            (self._amiss.discard if is_success(answer.outcome) else self._amiss.add)(way)
        finally:
            with self._lock:
                self._waiting[way] -= 1

    def _tell_own(self, answer: Answer) -> bool | None:
        """Whether the app made an error; where it need not send ids back, its silence says nothing."""
        return answer.by_app if self._compares or answer.by_app else None

    def _surface(self, done: Future[None]) -> None:
        problem = done.exception()
        if problem is not None:
            detail = f"{type(problem).__name__}: {problem}"
            self._sink.emit(WatcherState(name="prober", state="died", detail=detail))
