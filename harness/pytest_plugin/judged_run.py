"""A whole run with answers for tests to assert on. Without evidence an answer fails the test instead of passing it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from harness.core.errors import HarnessError, NoSuchReleaseError, SurroundingsError, UnrunnableError
from harness.core.frozen import dataclass
from harness.core.model import Culprit, Outcome, State, Verdict
from harness.core.observations import Observations
from harness.engine.request import RunRequest
from harness.engine.run import run_cell
from harness.judge.verdict import judge_events
from harness.pytest_plugin.launcher import Launcher
from harness.pytest_plugin.outcomes import SKIPPED
from harness.records.store import load_run
from harness.report.as_excerpt import render_excerpt


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RecycleRun:
    """A judged run. Each answer fails the test if the run was inconclusive about it.

    ``path``: the record's folder. ``verdict``: all that was judged, without that guard.
    """

    path: Path
    verdict: Verdict

    @property
    def outcome(self) -> Outcome:
        """``holds``, ``violated`` or ``inconclusive``."""
        return self.verdict.outcome

    @property
    def findings(self) -> tuple[str, ...]:
        """The ids of what was found, the socket's first; empty only where all promises held."""
        self._require_verdict()
        return tuple(finding.id.value for finding in self.verdict.findings)

    @property
    def culprit(self) -> Culprit | None:
        """Who removed the socket file: role, call and stack; None if it was not removed, or no removal was seen."""
        self._require_verdict()
        return next((finding.culprit for finding in self.verdict.findings if finding.culprit), None)

    @property
    def socket_survived(self) -> bool:
        """Whether the socket file stayed the same, and open to its clients. Skips where gunicorn listens on TCP."""
        if self.verdict.cell.bind != "unix":
            pytest.skip(f"{SKIPPED}gunicorn listens on TCP here: there is no socket file that could survive")
        return self._held("socket-survives")

    @property
    def statuses(self) -> Counter[int]:
        """Status -> how many answers all clients got with it; 0 for any other status."""
        self._held("requests-answered")
        return Counter({int(status): count for status, count in self._counts("statuses").items()})

    @property
    def client_errors(self) -> Counter[str]:
        """How requests ended that got no answer: ``closed``, ``timeout``, ``refused``, ``missing``, ``other``."""
        self._held("requests-answered")
        return Counter(self._counts("client_errors"))

    @property
    def service_recovered(self) -> bool:
        """Whether requests were answered with success again at the end."""
        return self._held("service-recovers")

    @property
    def workers_respawned(self) -> bool:
        """Whether all configured workers lived after settling."""
        return self._held("workers-respawn")

    @property
    def recycles(self) -> int:
        """How many workers ended because they had served max_requests."""
        return cast(int, self.verdict.counts["recycles"])

    @property
    def live_workers(self) -> int:
        """How many workers lived at the end of the settle phase."""
        live = self.observe().live_at_end
        return (
            pytest.fail(self._text("the workers at the end were not counted"), pytrace=False) if live is None else live
        )

    @property
    def facts(self) -> Mapping[str, Any]:
        """``facts.json``: versions, commands, shims, deviations from the original report."""
        return cast(Mapping[str, Any], json.loads((self.path / "facts.json").read_text(encoding="utf-8")))

    def observe(self) -> Observations:
        """All observations, read from the record's events."""
        with load_run(self.path) as stored:
            return judge_events(stored.cell, stored.events())[1]

    def describe(self) -> str:
        """What was run, what was found, by whom and why, and where the record lies: ten lines at most."""
        with load_run(self.path) as stored:
            return render_excerpt(stored)

    def __repr__(self) -> str:
        found = ", ".join([self.outcome.value, *(finding.id.value for finding in self.verdict.findings)])
        return f"<run of gunicorn {self.verdict.cell.gunicorn} {self.verdict.cell.worker}: {found}>"

    def _counts(self, name: str) -> Mapping[str, int]:
        return cast(Mapping[str, int], self.verdict.counts[name])

    def _held(self, invariant: str) -> bool:
        """The answer of one invariant. "It held" needs as many recycles as were asked for; a fault is one at once."""
        self._require_verdict()
        state = self.verdict.invariants.get(invariant, State.UNKNOWN)
        if state is State.UNKNOWN:
            reason = self.verdict.invariant_reasons.get(invariant, "it was not judged")
            pytest.fail(self._text(f"inconclusive about {invariant}: {reason}"), pytrace=False)
        wanted = self.verdict.cell.recycles if self.verdict.cell.max_requests else 0
        if state is State.HOLDS and self.recycles < wanted:
            too_few = f"inconclusive about {invariant}: only {self.recycles} of {wanted} wanted recycles were seen"
            pytest.fail(self._text(too_few), pytrace=False)
        return state is State.HOLDS

    def _require_verdict(self) -> None:
        if self.outcome not in (Outcome.HOLDS, Outcome.VIOLATED):
            pytest.fail(self._text(f"{self.outcome.value}: {'; '.join(self.verdict.reasons)}"), pytrace=False)

    def _text(self, why: str) -> str:
        return f"{why}\nTo do: read the record in {self.path}"


class RunCache:
    """The runs of a session, each made once: two tests that use the same cell get the same record."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._runs: dict[RunRequest, RecycleRun] = {}

    def obtain(self, request: RunRequest) -> RecycleRun:
        """The run for a request, made now if this is the first test to need it.

        Raises:
            UnrunnableError: this release can't be installed or started here.
            SurroundingsError: the harness or its surroundings failed.
            UsageError: the request contradicts itself or names what doesn't exist.
            KeyboardInterrupt: Ctrl-C; the record so far is kept.
        """
        if request not in self._runs:
            self._runs[request] = self._make(request)
        run = self._runs[request]
        _refuse_failure(run)
        return run

    def _make(self, request: RunRequest) -> RecycleRun:
        try:
            result = run_cell(request, say=lambda _text: None, start=self._launcher.start)
        finally:
            self._launcher.tidy()
        if result.interrupted:
            raise KeyboardInterrupt
        return RecycleRun(path=result.path, verdict=result.verdict)


def _refuse_failure(run: RecycleRun) -> None:
    if run.outcome not in (Outcome.ERROR, Outcome.UNRUNNABLE):
        return
    error = run.verdict.error or {}
    kinds: dict[str, type[HarnessError]] = {one.__name__: one for one in (NoSuchReleaseError, UnrunnableError)}
    usual = UnrunnableError if run.outcome is Outcome.UNRUNNABLE else SurroundingsError
    kind = kinds.get(str(error.get("type")), usual)
    raise kind(what=str(error.get("what")), remedy=str(error.get("remedy") or ""), log=run.path)
