"""Turns what fails in the harness into what pytest reports: a skip with its reason, or an error with its remedy."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from harness.core.errors import HarnessError, NoSuchReleaseError, UnrunnableError

SKIPPED = "unrunnable: "
"""How the reason of a skip of ours begins."""


@contextmanager
def told_by_pytest() -> Iterator[None]:
    """A release that can't run here skips the test; one that does not exist, like anything else, fails it."""
    try:
        with warnings.catch_warnings():
            # httpcore leaves the socket to the garbage collector where a Unix path can't be connected to, which
            # happens all the time once gunicorn has deleted it; a project may have made every warning an error.
            warnings.filterwarnings("ignore", r"unclosed <socket\.socket fd=\d+, family=1,", ResourceWarning)
            yield
    except NoSuchReleaseError as problem:
        raise pytest.fail.Exception(f"{problem}\nTo do: name a release that exists", pytrace=False) from None
    except UnrunnableError as problem:
        raise pytest.skip.Exception(SKIPPED + " ".join(str(problem).splitlines())) from None
    except HarnessError as problem:
        raise pytest.fail.Exception(f"{type(problem).__name__}: {problem}", pytrace=False) from None


def fail_if_strict(report: pytest.TestReport, config: pytest.Config) -> None:
    """With ``recycle_strict`` a test that we skipped has failed."""
    reason = reason_of(report)
    if reason is not None and config.getini("recycle_strict"):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nIt would be skipped, but the ini setting recycle_strict is on."


def reason_of(report: pytest.TestReport) -> str | None:
    """Why we skipped a test; None where we did not."""
    if not report.skipped or not isinstance(report.longrepr, tuple):
        return None
    reason = report.longrepr[2].removeprefix("Skipped: ")
    return reason if reason.startswith(SKIPPED) else None


def count_skipped(reports: Iterable[pytest.TestReport]) -> Counter[str]:
    """How often each of our reasons skipped a test."""
    return Counter(reason for report in reports if (reason := reason_of(report)) is not None)
