"""What became of one request, from what its client, the proxy and gunicorn say of it. Pure; no file, no count."""

from __future__ import annotations

from enum import Enum

from harness.core.frozen import dataclass
from harness.core.model import is_failure

CUT = "cut"
"""The client's outcome of a request that was under way when the load ended."""

LOST = "lost"
"""The client's outcome of a request that was not answered although no connection of its client failed."""

NEVER_REACHED = ("refused", "missing")
"""Without a connection nothing can have been run."""


class Ending(str, Enum):
    """One for each request; the values are the keys of ``counts.ledger``."""

    ANSWERED = "answered"
    FAILED_BEFORE = "failed_before_gunicorn"
    FAILED_AFTER = "failed_after_gunicorn"
    FAILED_UNKNOWN = "failed_unknown"
    RUN_TWICE = "run_twice"
    NEVER_ANSWERED = "never_answered"
    UNDER_WAY = "under_way_at_end"
    UNEXPLAINED = "unexplained"


FAILED = (Ending.FAILED_BEFORE, Ending.FAILED_AFTER, Ending.FAILED_UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What is written of one request. ``None``: it is in no account."""

    client: str | None  # a status, one of ``model.CLIENT_ERRORS``, or CUT or LOST
    proxy: str | None  # the status that the proxy sent
    gunicorn: str | None  # the status in gunicorn's access log
    lines: int  # of the access log
    notes: int  # of the app: how often it began to run the request

    @property
    def runs(self) -> int:
        """How often gunicorn ran it, as far as its log and the app's notes tell."""
        return max(self.lines, self.notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnesses:
    """Who was there to write anything down."""

    proxied: bool  # a proxy stood between, and its log carries ids
    gaps: bool = False  # but it may leave requests out
    noted: bool  # the app notes what it runs: what is not noted was not run
    logged: bool  # gunicorn's access log carries ids


def decide(entry: LedgerEntry, witnesses: Witnesses) -> tuple[Ending, str]:
    """The ending, and why where it is UNEXPLAINED."""
    why = _contradiction(entry, witnesses)
    return (Ending.UNEXPLAINED, why) if why else (_UNANSWERED.get(entry.client or "") or _fate(entry, witnesses), "")


_UNANSWERED = {CUT: Ending.UNDER_WAY, "timeout": Ending.NEVER_ANSWERED}


def _fate(entry: LedgerEntry, witnesses: Witnesses) -> Ending:
    """Of a request that was answered, or whose connection failed."""
    if entry.runs > 1:
        return Ending.RUN_TWICE
    if not is_failure(entry.client or "") or entry.client == entry.gunicorn:
        return Ending.ANSWERED
    if entry.runs:
        return Ending.FAILED_AFTER
    return Ending.FAILED_BEFORE if witnesses.noted or entry.client in NEVER_REACHED else Ending.FAILED_UNKNOWN


def _contradiction(entry: LedgerEntry, witnesses: Witnesses) -> str:
    """What can't be true at once, "" where the accounts agree."""
    client, proxy = entry.client, entry.proxy
    if client is None:
        return "a server wrote down a request that no client says it sent"
    if client == LOST:
        return "not answered, and more requests are missing than connections failed"
    if client.isdigit() and witnesses.proxied and proxy != client and not (witnesses.gaps and proxy is None):
        return f"the client was answered {client}, but the proxy logged {proxy or 'nothing'}"
    if client.isdigit() and witnesses.noted and not entry.runs and not is_failure(client):
        return f"the client was answered {client}, but gunicorn knows nothing of the request"
    return ""
