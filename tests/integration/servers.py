"""Tiny servers on asyncio, in a thread of their own, that answer in one way each."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ERROR = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
CLOSING = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
TORN = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nok"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def read_head(reader: asyncio.StreamReader) -> bytes:
    """A request; empty once the connection is closed."""
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def read_request(reader: asyncio.StreamReader) -> bool:
    return bool(await read_head(reader))


def answering(answer: bytes, *, delay_s: float = 0.0, keep: bool = True) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            if delay_s:
                await asyncio.sleep(delay_s)
            writer.write(answer)
            if not keep:
                break

    return behave


async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Takes every request and never says a word."""
    while await read_request(reader):
        pass


async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_request(reader)


@contextmanager
def serving(behaviour: Behaviour, path: Path | None = None) -> Iterator[str]:
    """A server in a thread of its own; yields its URL as the load takes it."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(reader, writer)
        finally:
            writer.close()

    loop = asyncio.new_event_loop()
    if path is None:
        server = loop.run_until_complete(asyncio.start_server(behave, "127.0.0.1", 0, backlog=512))
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    else:
        server = loop.run_until_complete(asyncio.start_unix_server(behave, path, backlog=512))
        url = f"unix:{path}"
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield url
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # what they closed is closed in the next round
