"""How often each finding was seen in a cell's runs, and how much its clients lost: rates with their intervals.

The unit of a finding is the run. What clients lost comes in bursts, at restarts, and the restarts of one run share a
machine and a moment: so those intervals are the wider one of two, one that compares whole runs and one that counts
restarts. The functions are pure.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.model import Outcome
from harness.studies.chance.difference import RunSample
from harness.studies.chance.intervals import Interval, clustered_interval, exact_interval
from harness.studies.matrix.result import RunResult

ANYTHING = "any finding"
JUDGED = frozenset({Outcome.HOLDS, Outcome.VIOLATED})


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRate:
    """Seen in ``seen`` of ``runs`` runs; in ``hidden`` of the others it may have been there all the same."""

    finding: str
    seen: int
    runs: int
    hidden: int
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRate:
    """A share of the restarts (or requests) of all runs: ``lost`` of ``total``. ``unit``: what was compared."""

    name: str
    lost: int
    total: int
    estimate: float
    interval: Interval
    unit: str


def is_hidden(run: RunResult, finding: str, blind: Collection[str] = ()) -> bool:
    """Whether a judged run that did not show the finding may have had it: not having seen is not having held.

    Nothing was tried (no restart, no disturbance), the service was gone for good, the judge could not tell, or the
    settings can't show it (``blind``).
    """
    masked = not run.trials or FindingId.PERMANENT_OUTAGE.value in run.findings
    return finding not in run.findings and (masked or finding in run.untold or finding in blind)


def tally(runs: Sequence[RunResult], finding: str, blind: Collection[str] = ()) -> RunSample:
    """In how many runs a finding was seen, of those that could show it."""
    judged = [run for run in runs if run.outcome in JUDGED]
    hidden = sum(is_hidden(run, finding, blind) for run in judged)
    return RunSample(seen=sum(finding in run.findings for run in judged), runs=len(judged) - hidden, hidden=hidden)


def rate_findings(
    runs: Sequence[RunResult], findings: Sequence[str], blind: Collection[str] = ()
) -> tuple[FindingRate, ...]:
    """Each finding with its rate; where there is none, how seldom ``ANYTHING`` may still be."""
    judged = [run for run in runs if run.outcome in JUDGED]
    if not judged:
        return ()
    if not findings:
        rate = exact_interval(0, len(judged)) if not blind else Interval(low=0.0, high=1.0)
        return (FindingRate(finding=ANYTHING, seen=0, runs=len(judged), hidden=0, interval=rate),)
    return tuple(_rate_finding(len(judged), finding, tally(judged, finding, blind)) for finding in findings)


def _rate_finding(judged: int, finding: str, sample: RunSample) -> FindingRate:
    """The lower end as if no hidden run had it, the upper end as if each had."""
    seen = int(sample.seen)
    low, high = exact_interval(seen, judged), exact_interval(seen + sample.hidden, judged)
    interval = Interval(low=low.low, high=high.high)
    return FindingRate(finding=finding, seen=seen, runs=judged, hidden=sample.hidden, interval=interval)


def rate_failures(runs: Sequence[RunResult]) -> tuple[FailureRate, ...]:
    """Restarts (or disturbances) with a loss, of all of them, and requests that failed, of all; what was counted of it.

    A run whose service was gone for good says nothing of its restarts, nor does one in which it could not be told.
    """
    fit = [run for run in runs if _tells_losses(run)]
    restarts = [(run.bursts, run.trials) for run in fit if run.bursts is not None and run.trials]
    if not restarts or len(restarts) < len(fit):
        return ()
    disturbed = any(run.disturbances is not None for run in fit)
    per_recycle = _rate("per_disturbance" if disturbed else "per_recycle", restarts, _of_restarts(restarts))
    requests = [(min(run.failed, run.requests), run.requests) for run in fit if run.failed is not None and run.requests]
    if len(requests) < len(fit):
        return (per_recycle,)
    return per_recycle, _rate("per_request", requests, _of_requests(requests, per_recycle))


def share_of_restarts(runs: Sequence[RunResult]) -> RunSample:
    """The share of each run's restarts at which something was lost, added up: the unit is the run."""
    shares = [run.bursts / run.trials for run in runs if _tells_losses(run) and run.bursts is not None and run.trials]
    return RunSample(seen=sum(shares), runs=len(shares))


def _tells_losses(run: RunResult) -> bool:
    hidden = FindingId.PERMANENT_OUTAGE.value in run.findings or FindingId.FAILED_RESPONSES.value in run.untold
    return run.outcome in JUDGED and bool(run.trials) and not hidden


def _rate(name: str, clusters: Sequence[tuple[int, int]], restarts: Interval) -> FailureRate:
    lost, total = sum(row[0] for row in clusters), sum(row[1] for row in clusters)
    between = clustered_interval(clusters)
    return FailureRate(
        name=name,
        lost=lost,
        total=total,
        estimate=lost / total,
        interval=restarts if between is None else restarts | between,
        unit="restart" if between is None else "run",
    )


def _of_restarts(restarts: Sequence[tuple[int, int]]) -> Interval:
    """As if restarts were independent of each other: no interval may be narrower."""
    return exact_interval(sum(row[0] for row in restarts), sum(row[1] for row in restarts))


def _of_requests(requests: Sequence[tuple[int, int]], per_recycle: FailureRate) -> Interval:
    """Requests are lost together, at restarts: what is unsure about these is unsure about the requests in proportion.

    Where no restart lost anything, or only one run says how much one takes, nobody knows that; but no more of the
    requests can be lost than of the restarts have a loss.
    """
    lost, total = sum(row[0] for row in requests), sum(row[1] for row in requests)
    if not per_recycle.lost or len(requests) == 1:
        return Interval(low=0.0, high=per_recycle.interval.high) | exact_interval(lost, total)
    scale = lost / total / per_recycle.estimate
    low, high = per_recycle.interval.low * scale, min(1.0, per_recycle.interval.high * scale)
    return Interval(low=low, high=high)
