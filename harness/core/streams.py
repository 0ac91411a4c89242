"""The standard streams of a command: they always exist, and a reader that ends early does not change the exit code.

A shell may start us with a stream closed (``2>&-``), its reader may end early (``| head``), and the disk behind it may
be full. A failed write to standard error is ignored; a failed write to standard output is an error.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Any, TextIO

from harness.core.errors import SurroundingsError

STDOUT, STDERR = 1, 2


def prepare_streams() -> None:
    """Replace Python's standard streams by ours for the rest of the process."""
    for number in (0, STDOUT, STDERR):
        if _is_closed(number):  # else the next file that is opened gets this number, and all that is printed
            os.open(os.devnull, os.O_RDWR)
    sys.stdout, sys.stderr = open_output(STDOUT), open_complaints(STDERR)


def open_output(number: int) -> TextIO:
    """Standard output on that file. Writing raises SurroundingsError, except where the reader has ended."""
    return _open_text(_Output(number, "w", closefd=False))


def open_complaints(number: int) -> TextIO:
    """Standard error on that file. Text that can't be written is lost, because there is no other place for it."""
    return _open_text(_Complaints(number, "w", closefd=False))


def _is_closed(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return True
    return False


def _open_text(raw: io.FileIO) -> TextIO:
    # What a terminal can't show (a file name's odd bytes) must not turn a verdict into a failure.
    line_by_line = raw.isatty() or isinstance(raw, _Complaints)
    encoding = None if sys.__stdout__ is None else sys.__stdout__.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=line_by_line
    )


class _Output(io.FileIO):
    _lost = False

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        if self._lost:  # raised once; a second error would only disturb the end of the process
            return memoryview(data).nbytes
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return memoryview(data).nbytes
        except OSError as problem:
            self._lost = True
            raise SurroundingsError(
                what=f"Standard output could not be written: {problem.strerror}.",
                remedy="Send it where there is room. The record of a run is complete, see `harness report`.",
            ) from problem


class _Complaints(io.FileIO):
    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever holds bytes
        try:
            return super().write(data) or 0
        except OSError:
            return memoryview(data).nbytes
