"""The events of the clients: the prober, the load, and the ledger that puts their accounts beside the servers'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import ClassVar, Literal, TypeAlias

from harness.core.events.base import Event
from harness.core.frozen import dataclass
from harness.core.model import Json, is_error, is_failure, is_success

Way: TypeAlias = Literal["proxy", "direct"]
"""Through the proxy, or straight into gunicorn's socket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe(Event):
    """One request of the prober, at its start.

    Attributes:
        via: through the proxy, or straight into gunicorn's socket.
        outcome: a status ("200"), or a client error: closed, timeout, refused, missing or other.
        took_ns: the time until the answer was complete or the request had failed, in nanoseconds.
        id: the id of the request; left out where there is no ledger.
        by_app: whether the app itself made this answer, as the id that it sent back shows; of errors only, and left
            out where the app does not send ids back.
        wrong: why the answer is not the one to this request: headers, foreign, empty, body or status.
    """

    kind: ClassVar[str] = "probe"

    via: Way
    outcome: str
    took_ns: int
    id: str | None = None
    by_app: bool | None = None
    wrong: str | None = None

    @property
    def ok(self) -> bool:
        """Whether this counts as an answer of success: 2xx or 3xx, or an error that the app itself made."""
        return is_success(self.outcome) or self.by_app is True

    @property
    def failed(self) -> bool:
        """Whether the request failed: with an error that gunicorn or the proxy made, or without an answer."""
        return not self.ok and (is_failure(self.outcome) or self.by_app is False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStarted(Event):
    """The load generator was started.

    Attributes:
        client: wrk or httpx.
        pid: the pid of its process.
    """

    kind: ClassVar[str] = "load"
    state: ClassVar[str] = "started"

    client: str | None = None
    pid: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadEnded(Event):
    """The load generator's report at its end.

    Attributes:
        requests: how many were answered.
        statuses: status -> answers.
        errors: client error -> requests that got no answer: closed, timeout, refused, missing or other.
        stopped_early: whether the harness ended it, because the evidence was conclusive.
        failed: why it can't be trusted; null where it can be trusted.
        late: how many of the time-outs have a status too; left out where that is not known (wrk: all of them).
        latency_ms: percentile -> milliseconds; empty where it was not measured.
        pace: with a constant rate, how many requests were due, delayed and unstarted.
        compared: whether each answer was compared with its request; false where the app does not send ids back.
    """

    kind: ClassVar[str] = "load"
    state: ClassVar[str] = "ended"

    requests: int
    statuses: Mapping[str, int]
    errors: Mapping[str, int]
    stopped_early: bool
    failed: str | None
    late: int | None = None
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, int] = field(default_factory=dict)
    compared: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Event):
    """How many of the load's requests ended in which way within 10 ms, from the event's time on.

    Attributes:
        outcomes: status or client error -> requests.
        by_app: error status -> those answers that the app itself made; left out where there are no errors, or where
            the app does not send ids back.
        wrong: why an answer was not the request's (headers, foreign, empty, body or status) -> answers; left out where
            all were right.
    """

    kind: ClassVar[str] = "answers"

    outcomes: Mapping[str, int]
    by_app: Mapping[str, int] | None = None
    wrong: Mapping[str, int] | None = None

    @property
    def succeeded(self) -> bool:
        """Whether any client got an answer of success, or an error that the app itself made."""
        return bool(self.by_app) or any(map(is_success, self.outcomes))

    def failures(self) -> Counter[str]:
        """The failures by outcome: errors that gunicorn or the proxy made, and requests without an answer."""
        own = self.by_app or {}
        return Counter(
            {
                outcome: count - own.get(outcome, 0)
                for outcome, count in self.outcomes.items()
                if count > own.get(outcome, 0)
                and (is_failure(outcome) or (self.by_app is not None and is_error(outcome)))
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerTimes(Event):
    """How long the load's answers took, for those that came within a tenth of a second from the event's time on.

    Attributes:
        took: p -> answers that took 2^p microseconds or more, and less than twice that.
    """

    kind: ClassVar[str] = "answer-times"

    took: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerClosed(Event):
    """What became of each request, by the accounts of all who saw it. See docs/ledger.md.

    Attributes:
        counts: ending -> requests, and their sum as ``requests``.
        by_client: the same for load, probe-proxy and probe-direct.
        failed_by_tenth: when the load sent those of its requests that failed: the begin of a tenth of a second, and how
            many; left out where none failed.
        examples: ending -> a few of its requests.
        run_but_not_logged: requests that the app ran and gunicorn's access log does not have.
        answered_but_not_logged_by_proxy: requests that a client got an answer to and the proxy's log does not have.
        answers_to_nobody: witness -> answers that belong to no request.
        unknown_ids: witness -> lines with an id that no client sent.
        repeated: requests that the app ran more than once for one attempt; left out where that can't be known.
        repeated_examples: the ids of a few of these.
        changed: how often a worker's app got another request than its client sends; left out where that can't be known.
        changed_examples: a few of these: what was asked, what was run, and the worker's pid.
        disagreements: kind -> requests of which gunicorn's access log says what app and client contradict.
        witnesses: those that wrote an account.
        took_s: how long it took to combine the accounts, in seconds.
    """

    kind: ClassVar[str] = "ledger"
    state: ClassVar[str] = "closed"

    counts: Mapping[str, int]
    by_client: Mapping[str, Mapping[str, int]] | None = None
    failed_by_tenth: Sequence[tuple[int, int]] | None = None
    examples: Mapping[str, Sequence[Json]] | None = None
    run_but_not_logged: int | None = None
    answered_but_not_logged_by_proxy: int | None = None
    answers_to_nobody: Mapping[str, int] | None = None
    unknown_ids: Mapping[str, int] | None = None
    repeated: int | None = None
    repeated_examples: Sequence[str] | None = None
    changed: int | None = None
    changed_examples: Sequence[Json] | None = None
    disagreements: Mapping[str, int] | None = None
    witnesses: Mapping[str, bool] | None = None
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFailed(Event):
    """The accounts could not be combined.

    Attributes:
        detail: why.
    """

    kind: ClassVar[str] = "ledger"
    state: ClassVar[str] = "failed"

    detail: str | None = None
