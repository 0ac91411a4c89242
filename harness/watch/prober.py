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
import traceback
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

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

    import httpcore

PERIOD_S = 0.05
TIMEOUT_S = 2.0
"""As wrk's own: an answer that takes longer has failed for most clients."""

_WITH_BODY = {"POST", "PUT", "PATCH"}
"""Methods whose requests tell the length of their body even if it is empty."""

MAX_WAITING = 48
"""Probes in flight for one way: enough for a time-out's worth of periods."""


class ProbeClient:
    """Sends the same request again and again; its parts are built once, which takes as long as sending it.

    It talks to httpcore, the engine of httpx: no probe needs the layers for redirects, cookies and logins, and those
    take longer to import than gunicorn's first worker to boot.
    """

    def __init__(self, pool: httpcore.ConnectionPool, host: str, timeout_s: float, asked: Asked = ASKED) -> None:
        import httpcore

        self._pool = pool
        self._method, self._body = asked.method, asked.body or None
        name, _, port = host.partition(":")
        self._url = httpcore.URL(scheme="http", host=name, port=int(port or 80), target=asked.path)
        own = {"Host": host, "Connection": "close", "User-Agent": "recycle-harness-prober"}
        if asked.body or asked.method in _WITH_BODY:
            own["Content-Length"] = str(len(asked.body))
        theirs = {name.lower() for name, _ in asked.headers}
        headers = [*((name, value) for name, value in own.items() if name.lower() not in theirs), *asked.headers]
        self._headers = [(name.encode(), value.encode()) for name, value in headers]
        self._extensions = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_s)}

    def __enter__(self) -> ProbeClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of whatever connection is still open."""
        self._pool.close()

    def ask(self) -> str:
        """One request without an id; its status as text, or one of ``model.CLIENT_ERRORS``."""
        return self.compare(None).outcome

    def compare(self, request_id: str | None) -> Answer:
        """One request, its answer read whole and compared with what this request must get."""
        import httpcore

        name = None if request_id is None else request_id.encode()
        try:
            response = self._pool.handle_request(self._make_request(name))
            try:
                body = response.read()
            finally:
                response.close()
        except httpcore.TimeoutException:
            return Answer(outcome="timeout")
        except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
            return Answer(outcome="closed")
        except (httpcore.NetworkError, httpcore.ProtocolError) as problem:
            _close_unconnected(problem)
            return Answer(outcome=ERROR_OF_ERRNO.get(_errno(problem) or 0, "other"))
        return read_answer(name, response.status, response.headers, body)

    def _make_request(self, name: bytes | None) -> httpcore.Request:
        """A request of its own for each call, because several may be under way."""
        import httpcore

        headers = self._headers if name is None else [*self._headers, (HEADER, name)]
        return httpcore.Request(
            self._method, self._url, headers=headers, content=self._body, extensions=self._extensions
        )


def open_client(address: str, timeout_s: float = TIMEOUT_S, asked: Asked = ASKED) -> ProbeClient:
    """A client for an address (``core.addresses``) that never re-uses a connection and ignores the user's proxies."""
    import httpcore

    uds = unix_name(address)
    pool = httpcore.ConnectionPool(max_connections=None, max_keepalive_connections=0, uds=uds)
    return ProbeClient(pool, "localhost" if uds else address, timeout_s, asked)


def _errno(problem: BaseException) -> int | None:
    """The first errno in a chain of causes."""
    numbers = (cause.errno for cause in _causes(problem) if isinstance(cause, OSError))
    return next((number for number in numbers if number is not None), None)


def _close_unconnected(problem: BaseException) -> None:
    """Those that httpcore leaves open: a Unix socket that it could not connect, and recent Pythons keep it for long."""
    for cause in _causes(problem):
        for frame, _ in traceback.walk_tb(cause.__traceback__):
            left = frame.f_locals.get("sock")
            if isinstance(left, socket.socket):
                left.close()


def _causes(problem: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = problem
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


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
        for client in clients.values():
            client.close()

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
