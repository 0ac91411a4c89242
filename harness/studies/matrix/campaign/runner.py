"""Conducts a matrix: finds the existing records, runs what is missing, makes the table and stores it."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.backends import BACKENDS
from harness.core import locks
from harness.core.keeping import temporary_folder
from harness.core.model import Outcome
from harness.core.signals import shielded
from harness.studies.matrix.campaign.attempts import ChildRun, Preparation, RunningAttempt, StartRun
from harness.studies.matrix.campaign.conclusion import conclude, conclude_cells, store
from harness.studies.matrix.campaign.options import Campaign
from harness.studies.matrix.campaign.pruning import slim
from harness.studies.matrix.campaign.run_folders import Record, find_all_records, find_records
from harness.studies.matrix.campaign.schedule import Attempt, Refusal, Task, make_tasks, run_tasks
from harness.studies.matrix.campaign.site import publish
from harness.studies.matrix.document import Matrix
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.result import RunResult
from harness.studies.matrix.steering import find_needs
from harness.studies.matrix.transitions import find_transitions

LOCK = ".lock"
MENDABLE = (Outcome.ERROR, Outcome.UNRUNNABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Gets the progress: each run that has ended, and at short intervals those in progress."""

    told: Callable[[PlannedCell, RunResult], None]
    tick: Callable[[Sequence[Task], int], None]


@dataclass(slots=True, kw_only=True)
class CampaignProgress:
    """A matrix in progress: the attempts, the runs that left no record, and the old records that don't count."""

    campaign: Campaign
    logs: Path
    watch: Watch
    start: StartRun
    attempts: dict[Task, RunningAttempt] = field(default_factory=dict)
    broken: defaultdict[str, list[RunResult]] = field(default_factory=lambda: defaultdict(list))
    old: Mapping[str, frozenset[Path]] = field(default_factory=dict)
    known: dict[str, frozenset[Path]] = field(default_factory=dict)
    read: dict[Path, Record] = field(default_factory=dict)
    begun: int = 0

    def records(self, name: str) -> tuple[Record, ...]:
        """The records of a cell that count."""
        old = self.old.get(name, frozenset())
        return tuple(record for record in find_records(self.campaign.out, name, self.read) if record.path not in old)

    def needs_run(self, task: Task) -> bool:
        """Whether the cell has too few verdicts for this round, retries left, and the budget has a run left."""
        results = self.results(task.planned.name)
        return not self.is_spent and is_wanted(results, number=task.number, retries=self.campaign.retries)

    def results(self, name: str) -> list[RunResult]:
        """What came of each run of a cell."""
        return [*(record.result for record in self.records(name)), *self.broken[name]]

    @property
    def is_spent(self) -> bool:
        """Whether as many runs were begun as the budget allows."""
        return self.campaign.budget is not None and self.begun >= self.campaign.budget


def is_wanted(results: Sequence[RunResult], *, number: int, retries: int) -> bool:
    """Whether ``results`` lack the ``number``-th verdict, and it may still be tried."""
    decided = sum(result.decided for result in results)
    return decided < number and len(results) < number + retries


def conduct(campaign: Campaign, watch: Watch, *, start: StartRun = ChildRun, ahead: bool = True) -> Matrix:
    """Run what has no record, then table everything; the table is stored in ``campaign.out``.

    ``start`` begins one run; ``ahead``: environments of later runs are built while earlier ones go on. Ctrl-C stops
    the runs, keeps the records, and gives the table of what there is, marked as interrupted.

    Raises:
        HarnessError: a record is damaged, or the folder can't be written to.
    """
    if campaign.merge:
        return _merge(campaign)
    with temporary_folder("logs of a matrix") as logs:
        progress = _look_around(campaign, logs, watch, start)
        interrupted = _run(progress, ahead=ahead)
        with shielded():
            records = {cell.name: progress.records(cell.name) for cell in campaign.planned}
            matrix = replace(conclude(campaign, records, progress.broken), interrupted=interrupted)
            store(campaign.out, matrix)
    return matrix


def _merge(campaign: Campaign) -> Matrix:
    """The table of records that were made elsewhere; a folder that has none of them gets their pages."""
    found = find_all_records(campaign.merge)
    matrix = conclude(campaign, {cell.name: found.get(cell.name, ()) for cell in campaign.planned}, {})
    store(campaign.out, matrix)
    if campaign.out.resolve() not in {folder.resolve() for folder in campaign.merge}:
        publish(matrix, campaign.merge, campaign.out, say=lambda text: print(text, file=sys.stderr))
    return matrix


def _look_around(campaign: Campaign, logs: Path, watch: Watch, start: StartRun) -> CampaignProgress:
    """What is there already counts, but for what could not be run or failed here: that may be mended by now."""
    old = {
        cell.name: frozenset(
            record.path
            for record in find_records(campaign.out, cell.name)
            if campaign.rerun or record.result.outcome in MENDABLE
        )
        for cell in campaign.planned
    }
    return CampaignProgress(campaign=campaign, logs=logs, watch=watch, start=start, old=old)


def _run(progress: CampaignProgress, *, ahead: bool) -> bool:
    """Everything that is missing; True where Ctrl-C ended it."""
    campaign = progress.campaign
    tasks = [task for task in make_tasks(campaign.planned, campaign.repeats) if progress.needs_run(task)]
    tasks = tasks or _choose_more(progress)
    try:
        with _preparing(progress, tasks if ahead else ()):
            while tasks:
                run_tasks(
                    tasks,
                    jobs=campaign.jobs,
                    begin=lambda task: _begin(progress, task),
                    finish=lambda task: _finish(progress, task),
                    tick=progress.watch.tick,
                )
                tasks = _choose_more(progress)
    except KeyboardInterrupt:
        return True
    return False


def _choose_more(progress: CampaignProgress) -> list[Task]:
    """The next runs of a campaign that is to be sure; none where it needn't be, or all that can be settled is."""
    campaign = progress.campaign
    if campaign.sure is None or progress.is_spent:
        return []
    cells = conclude_cells(
        campaign, {cell.name: progress.records(cell.name) for cell in campaign.planned}, progress.broken
    )
    following = {
        planned.name: Task(planned=planned, number=sum(result.decided for result in progress.results(planned.name)) + 1)
        for planned in campaign.planned
    }
    exhausted = {name for name, task in following.items() if not progress.needs_run(task)}
    needs = find_needs(cells, find_transitions(cells, sure=campaign.sure), exhausted=exhausted)
    return [following[need.name] for need in needs]


@contextmanager
def _preparing(progress: CampaignProgress, tasks: Sequence[Task]) -> Iterator[None]:
    """Build the environments of later runs, in another process, while the first ones run."""
    python, era_shims = progress.campaign.request.python, progress.campaign.request.era_shims
    cells = dict.fromkeys((task.planned.cell.spec, task.planned.cell.worker) for task in tasks)
    requests = [(spec, worker, python, era_shims) for spec, worker in cells]
    here = BACKENDS[progress.campaign.request.cell.backend].BUILDS_HERE
    if len(requests) <= 1 or not here or progress.campaign.request.project is not None:
        yield
        return
    listed = progress.logs / "ahead.json"
    listed.write_text(json.dumps(requests), encoding="utf-8")
    preparation = Preparation(listed, logs=progress.logs)
    try:
        yield
    finally:
        preparation.close()


def _begin(progress: CampaignProgress, task: Task) -> Attempt | Refusal:
    """Start the next run of a cell, unless another matrix is making it or has made it."""
    folder = progress.campaign.out / task.planned.name
    lease = locks.try_exclusive(folder / LOCK)
    if lease is None:
        return Refusal.BUSY
    try:
        if not progress.needs_run(task):
            lease.close()
            return Refusal.DONE
        progress.known[task.planned.name] = frozenset(record.path for record in progress.records(task.planned.name))
        request = replace(progress.campaign.request, cell=task.planned.cell, out=folder)
        attempt = progress.start(request, name=task.planned.name, logs=progress.logs, lease=lease)
    except BaseException:
        lease.close()  # Ctrl-C in here, and this process still held the cell: the next matrix would wait for ever
        raise
    progress.attempts[task] = attempt
    progress.begun += 1
    return attempt


def _finish(progress: CampaignProgress, task: Task) -> bool:
    """Read what an attempt has left; return whether to try again."""
    attempt, name = progress.attempts.pop(task), task.planned.name
    fresh = [record for record in progress.records(name) if record.path not in progress.known[name]]
    for record in fresh:
        if not progress.campaign.keep_all_logs and record.result.outcome is Outcome.HOLDS:
            slim(record.path)
        progress.watch.told(task.planned, record.result)
    if not fresh:
        said = attempt.complaint() or "it said nothing"
        detail = f"the run ended with status {attempt.status} and left no record: {said}"
        broken = RunResult(path=None, outcome=Outcome.ERROR, detail=detail)
        progress.broken[name].append(broken)
        progress.watch.told(task.planned, broken)
    return progress.needs_run(task)
