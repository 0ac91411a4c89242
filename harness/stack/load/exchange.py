"""One client of the httpx load: a connection that is kept open, a request at a time, and how each of them ended.

httpx makes the request; the connection is that of its engine, httpcore, on plain asyncio streams. Without httpx's own
layers (pools, redirects, cookies, a time-out for each step) a request costs a quarter of the time.
"""

from __future__ import annotations

import asyncio
import errno
import socket

import httpcore

from harness.core.addresses import unix_name
from harness.core.errors import SurroundingsError
from harness.core.model import ERROR_OF_ERRNO
from harness.stack.answers import HEADER, Answer, read_answer
from harness.stack.asked import ASKED, Asked
from harness.stack.load.stream import Stream

IDLE_S = 0.5
"""A connection that was idle for longer is not used again: if a server closed it at that moment, the request would
count as failed. Servers wait a second at least. Only an open loop leaves connections idle."""

_OUR_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
"""The errors of a machine that has run out of something; they are no fault of a server."""


class LoadClient:
    """Asks one URL (``http://HOST:PORT/`` or ``unix:PATH``) again and again, on one connection as long as it lasts."""

    def __init__(self, url: str, asked: Asked = ASKED) -> None:
        import httpx

        self._path = unix_name(url)
        url = f"http://localhost{asked.path}" if self._path else url
        request = httpx.Request(asked.method, url, headers=list(asked.headers), content=asked.body or None)
        self._headers = request.headers.raw
        # Out of a text, httpcore would lose what stands behind a semicolon.
        whole = httpcore.URL(scheme="http", host=request.url.host, port=request.url.port, target=request.url.raw_path)
        self._request = httpcore.Request(asked.method, whole, headers=self._headers, content=asked.body or None)
        self._address = (request.url.host, request.url.port or 80)
        self._connection: httpcore.AsyncHTTP11Connection | None = None

    async def ask(self, name: bytes | None = None) -> Answer:
        """Send one request and read its answer to the end. ``name``: the id that it carries, if any.

        There is no time-out: the caller counts those.

        Raises:
            SurroundingsError: this machine can open no further connection.
        """
        try:
            connection = await self._usable()
            if name is not None:
                self._request.headers = [*self._headers, (HEADER, name)]
            response = await connection.handle_async_request(self._request)
            body = b"".join([piece async for piece in response.aiter_stream()])
            await response.aclose()
            return read_answer(name, response.status, response.headers, body)
        except (httpcore.NetworkError, httpcore.RemoteProtocolError):
            outcome = "closed"
        except OSError as problem:
            outcome = _classify(problem)
        await self.close()
        return Answer(outcome=outcome)

    async def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            await self._connection.aclose()
            self._connection = None

    async def _usable(self) -> httpcore.AsyncHTTP11Connection:
        old = self._connection
        if old is not None and old.is_available() and not old.has_expired():
            return old
        await self.close()
        stream = await self._connect()
        origin = self._request.url.origin
        self._connection = httpcore.AsyncHTTP11Connection(origin, stream, keepalive_expiry=IDLE_S)
        return self._connection

    async def _connect(self) -> httpcore.AsyncNetworkStream:
        if self._path is None:
            return Stream(*await asyncio.open_connection(*self._address))
        # asyncio takes EAGAIN for "under way", but on a Unix socket it means that the queue is full.
        end = socket.socket(socket.AF_UNIX)
        try:
            end.setblocking(False)
            end.connect(self._path)
            return Stream(*await asyncio.open_unix_connection(sock=end))
        except BaseException:
            end.close()
            raise


def _classify(problem: OSError) -> str:
    if problem.errno in _OUR_OWN:
        raise SurroundingsError(
            what=f"The load can open no further connection: {problem.strerror}.",
            remedy="Use fewer --connections, or a higher limit (ulimit -n).",
        ) from problem
    return ERROR_OF_ERRNO.get(problem.errno or 0, "other")
