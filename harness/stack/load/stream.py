"""Wraps asyncio's streams for httpcore, without time-outs and TLS, so that a request takes few steps."""

from __future__ import annotations

import asyncio
from typing import Any

import httpcore


class Stream(httpcore.AsyncNetworkStream):
    """An open connection. Errors are raised as httpcore's own network errors."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read some bytes; none at the end."""
        try:
            return await self._reader.read(max_bytes)
        except OSError as problem:
            raise httpcore.ReadError(str(problem)) from problem

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Give the data to the kernel without waiting: a request is smaller than any socket's buffer.

        Only the next read shows that the connection was lost, because an answer may have come first.
        """
        if buffer and not self._writer.is_closing():
            self._writer.write(buffer)

    async def aclose(self) -> None:
        """Close the connection, without waiting for the kernel."""
        self._writer.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        """Whether the other end has closed it; httpcore asks for nothing else here."""
        return self._reader.at_eof() if info == "is_readable" else None
