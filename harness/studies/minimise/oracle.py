"""Runs cases until it is known whether they still show the finding, and remembers what each of them has shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import shorten
from typing import Protocol

from harness.core.model import Outcome
from harness.engine.request import RunRequest
from harness.studies.minimise.case import Case, make_run
from harness.studies.minimise.weighing import LEAST_RUNS, NOTHING, ON, STEADY, Sightings, Standard, knows_rate
from harness.studies.sightings.signs import RunSummary, Sign, read_sign

LONGEST = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRuns:
    """The runs of one case. ``said``: what they ended with, and how often."""

    runs: tuple[RunSummary, ...] = ()
    tally: Sightings = NOTHING

    @property
    def said(self) -> str:
        """What the runs ended with, the most frequent first."""
        return "; ".join(text for text, _ in Counter(map(describe_run, self.runs)).most_common(2))


def describe_run(run: RunSummary) -> str:
    """A run in a few words."""
    if run.findings:
        return ", ".join(run.findings)
    tells = run.outcome in (Outcome.ERROR, Outcome.UNRUNNABLE)
    return shorten(f"{run.outcome.value}: {run.detail}", LONGEST) if tells else run.outcome.value


def count_runs(runs: tuple[RunSummary, ...], finding: str) -> Sightings:
    """Whether the finding showed; another fault that hides it, or no restart at all, is no sight of it."""
    signs = [read_sign(run, finding) for run in runs]
    failed = [
        sign is Sign.UNRUNNABLE or (sign is Sign.SILENT and run.outcome is Outcome.ERROR)
        for sign, run in zip(signs, runs, strict=True)
    ]
    shown = signs.count(Sign.SHOWN)
    return Sightings(shown=shown, absent=len(runs) - shown - sum(failed), failed=sum(failed))


class MakesRuns(Protocol):
    """See ``sightings.runs.RunMaker``."""

    @property
    def made(self) -> int:
        """How many runs there were."""

    def make(self, requests: Sequence[RunRequest]) -> list[RunSummary]:
        """Run each of these once."""


@dataclass(slots=True, kw_only=True)
class CaseOracle:
    """See ``reduction.Shows``. ``told`` gets each case that was decided, with whether it shows the finding."""

    request: RunRequest
    folder: Path
    maker: MakesRuns
    jobs: int
    budget: int
    told: Callable[[Case, bool], None]
    finding: str = ""
    standard: Standard = STEADY
    odds: float = ON
    seen: dict[Case, CaseRuns] = field(default_factory=dict)

    def __call__(self, case: Case) -> bool:
        """Run the case until it is decided."""
        shows = self.decide(case, odds=self.odds, least=1)
        self.told(case, shows)
        return shows

    @property
    def is_spent(self) -> bool:
        """Whether the budget is used up."""
        return self.maker.made >= self.budget

    def decide(self, case: Case, *, odds: float, least: int) -> bool:
        """Whether the case still shows the finding, after at least so many runs, if they can be made."""
        while not self.is_spent:
            tally = self.tally(case)
            decided = self.standard.decide(tally, odds)
            if decided is not None and (tally.runs >= least or tally.failed > 1):
                return decided
            self.run(case, max(least, self.standard.fewest(odds)) - tally.runs)
        tally = self.tally(case)
        return tally.runs > 0 and self.standard.weigh(tally) > 0

    def measure(self, case: Case) -> None:
        """Run the case at the beginning, until it is known how often the finding shows, and hold the others to that."""
        while not (self.is_spent or knows_rate(self.tally(case))):
            self.run(case)
        tally = self.tally(case)
        if tally.shown:
            self.standard = Standard(rate=tally.shown / tally.runs)

    def prepare(self, cases: Sequence[Case]) -> None:
        """Run cases side by side that are likely to be without the finding: as often as the table of them asks for."""
        missing = [case for case in dict.fromkeys(cases) for _ in range(LEAST_RUNS - len(self.look_up(case).runs))]
        self._make(missing)

    def run(self, case: Case, times: int = 1) -> None:
        """Run the case so many times side by side, and at least once for each job."""
        self._make([case] * max(self.jobs, times))

    def _make(self, cases: Sequence[Case]) -> None:
        cases = cases[: self.budget - self.maker.made]
        made = self.maker.make([make_run(case, self.request, self.folder) for case in cases])
        for case, run in zip(cases, made, strict=True):
            self.note(case, (*self.look_up(case).runs, run))

    def note(self, case: Case, runs: tuple[RunSummary, ...]) -> None:
        """Replace all runs of the case by these."""
        self.seen[case] = CaseRuns(runs=runs, tally=count_runs(runs, self.finding))

    def look_up(self, case: Case) -> CaseRuns:
        """The runs of a case so far."""
        return self.seen.get(case, CaseRuns())

    def tally(self, case: Case) -> Sightings:
        """How often the case has shown the finding so far."""
        return self.look_up(case).tally
