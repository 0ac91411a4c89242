"""Turns what fails in the harness into what pytest reports: a skip with its reason, or an error with its remedy."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.core.errors import HarnessError, UnrunnableError


@contextmanager
def told_by_pytest() -> Iterator[None]:
    """A release that can't run here skips the test; anything else that fails is not the release's doing."""
    try:
        with warnings.catch_warnings():
            # httpcore leaves the socket to the garbage collector where a Unix path can't be connected to, which
            # happens all the time once gunicorn has deleted it; a project may have made every warning an error.
            warnings.filterwarnings("ignore", r"unclosed <socket\.socket fd=\d+, family=1,", ResourceWarning)
            yield
    except UnrunnableError as problem:
        raise pytest.skip.Exception(f"unrunnable: {' '.join(str(problem).splitlines())}") from None
    except HarnessError as problem:
        raise pytest.fail.Exception(f"{type(problem).__name__}: {problem}", pytrace=False) from None
