"""Combines the runs of one cell: one verdict, its findings, and how often each was seen.

The functions are pure. As everywhere, evidence of a fault outranks "unknown", which outranks "fine"; runs that don't
agree are shown as such, never averaged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum

from harness.core.findings import ORDER
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome
from harness.disturb import RECYCLE

MISSING = "there is no record of it"

_RANK = (Outcome.VIOLATED, Outcome.ERROR, Outcome.INCONCLUSIVE, Outcome.UNRUNNABLE, Outcome.HOLDS)
UNDECIDED = frozenset({Outcome.ERROR, Outcome.INCONCLUSIVE})
"""Outcomes that say something about the harness or the machine, nothing about the release."""


Column = tuple[str, str, str]
"""A worker class, a proxy and a disturbance."""


class Agreement(str, Enum):
    """How a cell compares with what was expected of it."""

    EXPECTED = "as expected"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """One run of a cell. ``path``: its record, relative to the matrix's folder; None where there is none."""

    path: str | None
    outcome: Outcome
    findings: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()  # findings that were not seen where the judge could not tell
    recycles: int | None = None
    disturbances: int | None = None  # carried out to their ends; None where workers just restart
    requests: int | None = None
    failed: int | None = None  # requests that let a client down
    bursts: int | None = None  # restarts at which at least one did; None where the record doesn't say
    detail: str = ""  # why there is no verdict; empty where there is one

    @property
    def trials(self) -> int | None:
        """How often it was tried to break something: disturbances where the harness disturbs, else restarts."""
        return self.recycles if self.disturbances is None else self.disturbances

    @property
    def decided(self) -> bool:
        """Whether it says something about the release."""
        return self.outcome not in UNDECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a cell should show: findings in every run, findings that come and go, and why it is so."""

    outcome: Outcome
    findings: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()
    reason: str = ""
    upstream: tuple[int, ...] = ()  # numbers of gunicorn's own issues and pull requests
    titles: tuple[str, ...] = ()  # of these, in their order; empty where they are not known


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedRuns:
    """The runs of a cell combined: ``rates`` only for what wasn't in all of them, ``flaky`` the smallest of those."""

    outcome: Outcome
    findings: tuple[str, ...] = ()
    rates: Mapping[str, str] = field(default_factory=dict)
    flaky: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """One cell of the table. ``cell``: the contract's keys; ``name``: the folder of its records."""

    name: str
    spec: str
    cell: Mapping[str, Json]
    runs: tuple[RunResult, ...]
    folded: CombinedRuns
    expected: Expected
    agreement: Agreement
    released: str | None = None  # the day, for a release that the catalogue knows
    set_aside: int = 0  # undecided runs that decided ones took the place of
    blind: tuple[str, ...] = ()  # findings that these settings can't show
    label: str | None = None  # of what is no release: its commit, and how far that is from one

    @property
    def release(self) -> str:
        """The row: the installed version, or what was asked for where nothing was; of a checkout, its label."""
        return self.label or str(self.cell.get("gunicorn") or self.spec)

    @property
    def worker(self) -> str:
        """The worker class."""
        return str(self.cell.get("worker"))

    @property
    def proxy(self) -> str:
        """The proxy."""
        return str(self.cell.get("proxy"))

    @property
    def disturb(self) -> str:
        """The disturbance; older matrices have only workers that restart by themselves."""
        return str(self.cell.get("disturb") or RECYCLE)

    @property
    def column(self) -> Column:
        """Where it stands in the table."""
        return self.worker, self.proxy, self.disturb


def choose_runs(runs: Sequence[RunResult], wanted: int) -> tuple[tuple[RunResult, ...], int]:
    """The runs that count, out of all there are (oldest first), and how many undecided ones are set aside.

    The newest ``wanted`` decided ones; undecided ones only where there are too few of them.
    """
    decided = [run for run in runs if run.decided][-wanted:]
    undecided = [run for run in runs if not run.decided]
    lacking = wanted - len(decided)
    filling = undecided[-lacking:] if lacking > 0 else []
    return (*decided, *filling), len(undecided) - len(filling)


def combine_runs(runs: Sequence[RunResult], blind: Sequence[str] = ()) -> CombinedRuns:
    """Combine all runs of a cell: the worst outcome, every finding, and the rate of what wasn't in each run.

    Settings that can't show a finding (``blind``) can't say that everything holds.
    """
    if not runs:
        return CombinedRuns(outcome=Outcome.ERROR)
    outcome = min((run.outcome for run in runs), key=_RANK.index)
    if outcome is Outcome.HOLDS and blind:
        return CombinedRuns(outcome=Outcome.INCONCLUSIVE)
    findings = sorted({finding for run in runs for finding in run.findings}, key=order_of_finding)
    counts = {outcome.value: sum(run.outcome is outcome for run in runs)}
    counts |= {finding: sum(finding in run.findings for run in runs) for finding in findings}
    rates = {name: f"{count} of {len(runs)}" for name, count in counts.items() if count < len(runs)}
    flaky = f"{min(counts.values())} of {len(runs)}" if rates else None
    return CombinedRuns(outcome=outcome, findings=tuple(findings), rates=rates, flaky=flaky)


def order_of_finding(finding: str) -> tuple[int, str]:
    """Sorts findings as the contract lists them; unknown ones come last."""
    return ORDER.get(finding, len(ORDER)), finding
