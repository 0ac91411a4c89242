"""One search for the smallest case, from the case that was asked for to the table of what is necessary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from harness.core.clock import now_ns
from harness.core.errors import EXIT_INCONCLUSIVE, HarnessError, UnrunnableError
from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.engine.request import RunRequest
from harness.studies.minimise.case import Case, write_settings
from harness.studies.minimise.naming import describe_change, list_differences, write_command
from harness.studies.minimise.necessity import Without, list_withouts
from harness.studies.minimise.oracle import CaseOracle, MakesRuns, describe_run
from harness.studies.minimise.own_settings import read_start
from harness.studies.minimise.reduction import find_least, reduce_case
from harness.studies.minimise.result import CaseStep, MinimiseResult, Necessity
from harness.studies.minimise.script import make_script
from harness.studies.minimise.settings import list_reductions, lower_limit
from harness.studies.minimise.weighing import LEAST_RUNS, ON, SURE
from harness.studies.sightings.signs import RunSummary

CONFIRMED_BY = 5
"""Runs of the smallest case."""


class NotShownError(HarnessError):
    """The finding does not show in the case that was asked for."""

    exit_code = EXIT_INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimisePlan:
    """What was asked for."""

    request: RunRequest
    finding: str | None
    jobs: int
    budget: int
    folder: Path
    say: Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Minimisation:
    """A search in progress. ``best``: the smallest case by now."""

    plan: MinimisePlan
    maker: MakesRuns
    best: Case | None = None
    steps: list[CaseStep] = field(default_factory=list)
    oracle: CaseOracle = field(init=False)

    def run(self) -> MinimiseResult:
        """See the module.

        Raises:
            NotShownError: the finding does not show at the beginning.
            UnrunnableError: the case can't be run here.
            HarnessError: it fails.
        """
        began_ns = now_ns()
        start = self._begin()
        found = self._reduce(start)
        table, rows = self._find_necessary(found)
        self.oracle.odds = SURE
        found = find_least(lower_limit(table), self.oracle, table)
        self.oracle.decide(found, odds=SURE, least=CONFIRMED_BY)
        result = self._conclude(start, table, found, rows)
        return replace(result, took_s=(now_ns() - began_ns) / 1e9)

    def _begin(self) -> Case:
        """Run the case that was asked for, until it is known how often it shows the finding."""
        plan = self.plan
        first = self.maker.make([plan.request])[0]
        finding = self._choose_finding(first)
        start = read_start(plan.request, first.path)
        self.oracle = CaseOracle(
            request=plan.request,
            folder=plan.folder,
            maker=self.maker,
            jobs=plan.jobs,
            budget=plan.budget,
            told=self._tell,
            finding=finding,
        )
        self.oracle.note(start, (first,))
        self.oracle.measure(start)
        tally = self.oracle.tally(start)
        if not tally.shown:
            raise self._not_shown(finding, f"Its runs: {self.oracle.look_up(start).said}.")
        plan.say(f"{finding} shows in {tally.shown} of {tally.runs} runs of the case as it is")
        return start

    def _choose_finding(self, first: RunSummary) -> str:
        """The one that was asked for, else the worst of the first run."""
        if first.outcome is Outcome.UNRUNNABLE:
            raise UnrunnableError(what=f"{self.plan.request.cell.spec} can't be run here: {first.detail}")
        if first.outcome is Outcome.ERROR:
            raise HarnessError(what=f"The first run failed: {first.detail}", remedy="harness doctor may tell why.")
        shown = [one.value for one in FindingId if one.value in first.findings]
        finding = self.plan.finding or next(iter(shown), None)
        if finding is None:
            raise self._not_shown("any finding", f"The first run: {describe_run(first)}.")
        return finding

    def _reduce(self, start: Case) -> Case:
        """The smallest case that is confirmed: where a lucky run led astray, once more, and more carefully."""
        for odds in (ON, SURE):
            self.oracle.odds, self.best = odds, start
            found = reduce_case(start, list_reductions(start), self.oracle, prepare=self.oracle.prepare)
            if self.oracle.decide(found, odds=SURE, least=1):
                return found
            self.plan.say("     further runs of it don't show the finding: an earlier one was luck")
        return start

    def _find_necessary(self, found: Case) -> tuple[Case, tuple[Necessity, ...]]:
        """What each setting that is left is necessary for; one that is not is left out, and the table begun anew."""
        while True:
            self.best, rows, withouts = found, [], list(list_withouts(found))
            self.oracle.prepare([one.case for one in withouts])
            for one in withouts:
                shows = self.oracle.decide(one.case, odds=SURE, least=LEAST_RUNS)
                self._tell(one.case, shows)
                if shows:
                    break
                rows.append(self._make_row(one))
            else:
                return found, tuple(rows)
            found = one.case

    def _make_row(self, one: Without) -> Necessity:
        seen = self.oracle.look_up(one.case)
        gone = seen.tally.runs >= LEAST_RUNS and self.oracle.standard.decide(seen.tally, SURE) is False
        return Necessity(
            setting=one.setting, value=one.value, without=one.without, tally=seen.tally, said=seen.said, necessary=gone
        )

    def _tell(self, case: Case, shows: bool) -> None:
        tally, change = self.oracle.tally(case), describe_change(self.best or case, case)
        self.steps.append(CaseStep(change=change, tally=tally, kept=shows))
        said = f"shown in {tally.shown} of {tally.runs}" if tally.runs else "could not be run"
        self.plan.say(f"{self.maker.made:3}  {'kept' if shows else 'gone'}  {said:<16}  {change}")
        if shows:
            self.best = case

    def _conclude(self, start: Case, table: Case, found: Case, rows: tuple[Necessity, ...]) -> MinimiseResult:
        oracle, plan = self.oracle, self.plan
        seen = oracle.look_up(found)
        shown = [run for run in seen.runs if oracle.finding in run.findings and run.path is not None]
        quickest = min(shown, key=lambda run: run.took_s, default=None)
        settings = str(write_settings(found.statements, plan.folder)) if found.statements else None
        record = None if quickest is None else quickest.path
        return MinimiseResult(
            finding=oracle.finding,
            spec=found.cell.spec,
            python=None if quickest is None else quickest.python,
            start=start,
            start_tally=oracle.tally(start),
            case=found,
            tally=seen.tally,
            run_s=median(run.took_s for run in seen.runs),
            necessities=rows,
            table_limit=table.cell.max_requests,
            removals=tuple(list_differences(start, found)),
            steps=tuple(self.steps),
            command=write_command(found, settings),
            record=record,
            script=None if record is None else make_script(found, oracle.finding, Path(record)),
            complete=all(one.necessary for one in rows),
            runs=self.maker.made,
            took_s=0.0,
        )

    def _not_shown(self, finding: str, seen: str) -> NotShownError:
        return NotShownError(
            what=f"{self.plan.request.cell.spec} does not show {finding} with these settings. {seen}",
            remedy="Name settings under which it shows, or another finding (--finding).",
        )
