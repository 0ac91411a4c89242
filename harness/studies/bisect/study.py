"""One bisection from its two ends to its result: settings, finding, releases, commits, proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.core.clock import now_ns
from harness.core.errors import EXIT_INCONCLUSIVE, HarnessError
from harness.engine.options import run_arguments
from harness.engine.request import RunRequest
from harness.studies.bisect.conduct import Ends, compare_ends, conduct, start_search
from harness.studies.bisect.experiments import prove
from harness.studies.bisect.forks import Entry, RunBase, enter_commits
from harness.studies.bisect.history import OLD_END
from harness.studies.bisect.proof import Rates
from harness.studies.bisect.repository import CommitNote, Repository
from harness.studies.bisect.result import BisectResult, BisectStep, Proof, Suspect
from harness.studies.bisect.search import Direction, Search, Standing
from harness.studies.bisect.settings import list_settings, prove_settings
from harness.studies.bisect.stages import COMMIT, RELEASE, Stage, StageOracle
from harness.studies.sightings.runs import RunMaker
from harness.studies.sightings.signs import RunSummary, Sign

NOTHING = Ends(old=(0, 0), new=(0, 0), direction=None)


class NoDifferenceError(HarnessError):
    """The ends are alike, as far as their runs tell."""

    exit_code = EXIT_INCONCLUSIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectPlan:
    """What was asked for. ``named``: whether the user chose any of the runs' settings."""

    good: str
    bad: str
    request: RunRequest
    stage: Stage
    repository: Repository | None
    finding: str | None
    confidence: float
    jobs: int
    proves: bool
    budget: int
    named: bool
    folder: Path
    say: Callable[[str], None]


@dataclass(slots=True, kw_only=True)
class Bisection:
    """A bisection in progress."""

    plan: BisectPlan
    maker: RunMaker
    finding: str = ""
    steps: list[BisectStep] = field(default_factory=list)

    def run(self) -> BisectResult:
        """See the module.

        Raises:
            NoDifferenceError: the ends are alike.
        """
        began_ns, plan = now_ns(), self.plan
        proven, seen = prove_settings(
            list_settings(plan.request, named=plan.named), plan.stage, plan.finding, self.maker
        )
        if proven is None:
            raise self._no_difference(plan.finding or "any finding", f"Seen at all: {', '.join(seen) or 'nothing'}.")
        self.finding = proven.finding
        oracle = self._oracle(plan.stage, proven.request)
        oracle = replace(oracle, given=proven.given)
        ends = compare_ends(oracle, plan.stage.history)
        if ends.direction is None:
            raise self._no_difference(
                proven.finding, f"Shown (absent): {_ratio(ends.old)} at the older end, {_ratio(ends.new)} at the newer."
            )
        plan.say(f"{self.finding} was {ends.direction.value} between {plan.good} and {plan.bad}")
        result = self._narrow(oracle, ends, ends.direction)
        return replace(result, took_s=(now_ns() - began_ns) / 1e9)

    def _narrow(self, oracle: StageOracle, ends: Ends, direction: Direction) -> BisectResult:
        """Search the stage; where it found a release and there is a repository, its commits, too."""
        search, standing = self._search(oracle, ends, direction)
        stage, releases, inherited = oracle.stage, None, NOTHING
        if standing.found and stage.kind == RELEASE:
            releases = (stage.name(standing.best - 1), stage.name(standing.best))
        entry = self._enter_commits(oracle, standing, direction) if standing.found else None
        if entry is not None:
            inherited, direction = entry.ends, entry.direction
            oracle = self._oracle(entry.stage, oracle.request)
            search, standing = self._search(oracle, inherited, direction)
        return self._conclude(oracle, search, standing, inherited, releases)

    def _enter_commits(self, oracle: StageOracle, standing: Standing, direction: Direction) -> Entry | None:
        """The commits around the release that was found, or between ends of which neither comes from the other."""
        stage, repository = oracle.stage, self.plan.repository
        if repository is None or not (stage.kind == RELEASE or stage.forked):
            return None
        names = (stage.name(standing.best - 1), stage.name(standing.best))
        tagged = names if stage.forked else tuple(repository.find_release(name) for name in names)
        old, new = tagged
        if old is None or new is None:
            self.plan.say(f"the repository has no tag for {names[0 if old is None else 1]}: no commits are looked at")
            return None
        before, after = oracle.count(standing.best)
        ends = Ends(old=before, new=after, direction=direction)
        return enter_commits(
            repository,
            old,
            new,
            ends=ends,
            direction=direction,
            run_base=self._base_run(oracle.request),
            say=self.plan.say,
        )

    def _base_run(self, request: RunRequest) -> RunBase:
        def run_base(stage: Stage, times: int) -> Sequence[Sign]:
            return self._oracle(stage, request).run([OLD_END] * times)

        return run_base

    def _search(self, oracle: StageOracle, ends: Ends, direction: Direction) -> tuple[Search, Standing]:
        stage, plan = oracle.stage, self.plan
        search = start_search(stage.history, ends, direction, plan.confidence)

        def watch(states: list[int], standing: Standing) -> None:
            best = Suspect(id=stage.name(standing.best), probability=standing.weights[standing.best])
            for place in range(len(self.steps) - len(states), len(self.steps)):
                self.steps[place] = replace(self.steps[place], best=best)
                self._tell(stage, states[place - len(self.steps)], self.steps[place], standing)

        return search, conduct(search, oracle, budget=plan.budget, jobs=plan.jobs, watch=watch)

    def _oracle(self, stage: Stage, request: RunRequest) -> StageOracle:
        def told(state: int, run: RunSummary, sign: Sign) -> None:
            name = stage.name(state)
            said = BisectStep(id=name, kind=stage.kind, said=sign.value, took_s=run.took_s, record=run.path, best=None)
            self.steps.append(said)

        return StageOracle(stage=stage, request=request, finding=self.finding, maker=self.maker, told=told)

    def _tell(self, stage: Stage, state: int, step: BisectStep, standing: Standing) -> None:
        best = f"{stage.label(standing.best)} {standing.weights[standing.best]:.0%}"
        number = self.steps.index(step) + 1
        self.plan.say(f"{number:3}  {stage.label(state):<10} {step.said:<12} {step.took_s:4.1f} s  likeliest {best}")

    def _conclude(
        self,
        oracle: StageOracle,
        search: Search,
        standing: Standing,
        inherited: Ends,
        releases: tuple[str, str] | None,
    ) -> BisectResult:
        plan, stage, direction = self.plan, oracle.stage, search.direction
        found = stage.name(standing.best) if standing.found else None
        counted = oracle.count(standing.best)
        earlier = (inherited.old, inherited.new)
        before, after = ((one[0] + two[0], one[1] + two[1]) for one, two in zip(counted, earlier, strict=True))
        priors = (search.posterior.before, search.posterior.after)
        rates = Rates(before=before, after=after, priors=priors)
        proof, why = self._prove(oracle, found, rates, direction)
        order = sorted(range(len(stage.history)), key=lambda one: -standing.weights[one])
        return BisectResult(
            finding=self.finding,
            direction=direction,
            kind=stage.kind,
            first=found,
            posterior=standing.weights[standing.best],
            confidence=plan.confidence,
            suspects=tuple(self._suspect(stage, standing, one) for one in order if self._matters(standing, one)),
            profile=tuple(self._suspect(stage, standing, one) for one in range(len(stage.history))),
            between=(stage.old, stage.name(stage.history.new_end)),
            releases=releases,
            good=plan.good,
            bad=plan.bad,
            worker=plan.request.cell.worker,
            settings=tuple(_list_options(oracle.request)),
            python=oracle.request.python,
            rates={"before": before, "after": after},
            steps=tuple(self.steps),
            took_s=0.0,
            note=self._describe(stage, found),
            proof=proof,
            why_no_proof=why,
        )

    def _prove(
        self, oracle: StageOracle, found: str | None, rates: Rates, direction: Direction
    ) -> tuple[Proof | None, str]:
        repository = self.plan.repository
        if found is None:
            return None, "no single change was found"
        if oracle.stage.kind != COMMIT or repository is None:
            return None, "a release can't be taken back; name a repository with --repo"
        if not self.plan.proves:
            return None, "not asked for (--no-prove)"
        self.plan.say(f"proof of {oracle.stage.label(oracle.stage.history.names.index(found))}")
        return prove(oracle, repository, found, rates, direction, folder=self.plan.folder, say=self.plan.say), ""

    def _describe(self, stage: Stage, found: str | None) -> CommitNote | None:
        repository = self.plan.repository
        return repository.describe(found) if found and repository and stage.kind == COMMIT else None

    @staticmethod
    def _suspect(stage: Stage, standing: Standing, change: int) -> Suspect:
        return Suspect(id=stage.name(change), probability=standing.weights[change])

    @staticmethod
    def _matters(standing: Standing, change: int) -> bool:
        return change in standing.suspects or standing.weights[change] >= LEAST_SHOWN

    def _no_difference(self, finding: str, seen: str) -> NoDifferenceError:
        stage = self.plan.stage
        ends = f"{stage.label(OLD_END)} and {stage.label(stage.history.new_end)}"
        return NoDifferenceError(
            what=f"{ends} do not differ in {finding}, as far as {self.maker.made} runs tell. {seen}",
            remedy="Name the finding (--finding), other settings under which it shows, or other ends.",
        )


LEAST_SHOWN = 0.001
"""Changes that are less probable are no suspects."""


def _ratio(counts: tuple[int, int]) -> str:
    return f"{counts[0]} ({counts[1]})"


def _list_options(request: RunRequest) -> list[str]:
    return [one for one in run_arguments(request)[:-2] if not one.startswith("--out")]
