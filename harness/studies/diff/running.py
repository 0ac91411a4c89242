"""Runs both ends of a change in turn, on one machine, until enough was seen or the time is up."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.core import locks
from harness.core.clock import now_ns
from harness.core.model import Outcome
from harness.core.signals import pause, shielded
from harness.engine.options import add_run_options, make_request
from harness.engine.request import RunRequest
from harness.provision.distance import describe_distance
from harness.provision.spec import Latest, Release, parse_spec
from harness.studies.diff.comparison import Comparison
from harness.studies.diff.ends import End, Key, Place, choose_next, compare_ends
from harness.studies.matrix.campaign.attempts import ChildRun
from harness.studies.matrix.campaign.options import choose_profile
from harness.studies.matrix.campaign.run_folders import find_all_records
from harness.studies.matrix.result import RunResult

POLL_S = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairPlan:
    """What is to be compared. ``budget_s``: no run begins after it; ``out``: where everything lies afterwards."""

    specs: Mapping[End, str]
    places: tuple[Place, ...]
    profile: str
    budget_s: float
    out: Path
    python: str | None = None


@dataclass(slots=True, kw_only=True)
class TrialRuns:
    """What was run so far."""

    trial: PairPlan
    labels: Mapping[End, str]
    requests: Mapping[Key, RunRequest]
    runs: defaultdict[Key, list[RunResult]] = field(default_factory=lambda: defaultdict(list))
    interrupted: bool = False

    def compare(self) -> Comparison:
        """What differs, as far as it is known."""
        cells = {key: request.cell for key, request in self.requests.items()}
        return compare_ends(cells, self.runs, self.labels)


def prepare_trial(trial: PairPlan) -> TrialRuns:
    """The requests of all runs.

    Raises:
        UsageError: a SPEC or an option names what does not exist.
    """
    requests = {(end, place): _make_request(trial, end, place) for end in End for place in trial.places}
    return TrialRuns(trial=trial, labels={end: label_of(trial.specs[end]) for end in End}, requests=requests)


def run_trial(trial: PairPlan, say: Say) -> TrialRuns:
    """Make the runs; what an interruption leaves is compared, too, and marked."""
    runs = prepare_trial(trial)
    until_ns = now_ns() + int(trial.budget_s * 1e9)
    turn = 0
    try:
        while now_ns() < until_ns:
            place = choose_next(trial.places, runs.runs, runs.compare())
            if place is None:
                break
            ends = tuple(End) if turn % 2 == 0 else tuple(End)[::-1]  # neither is always the first
            for end in ends:
                result = _run(runs, (end, place))
                runs.runs[end, place].append(result)
                say(f"{end.value:8}  {place.worker}, {place.disturb}: {_describe(result)}")
            turn += 1
    except KeyboardInterrupt:
        runs.interrupted = True
    return runs


def label_of(spec: str) -> str:
    """What a release, a checkout or a commit is called."""
    parsed = parse_spec(spec)
    return spec if isinstance(parsed, Latest | Release) else describe_distance(parsed)


def _describe(result: RunResult) -> str:
    return ", ".join([result.outcome.value, *result.findings]) + (f" ({result.detail})" if result.detail else "")


def _make_request(trial: PairPlan, end: End, place: Place) -> RunRequest:
    parser = argparse.ArgumentParser()
    add_run_options(parser)
    asked = [f"--worker={place.worker}", f"--disturb={place.disturb}", f"--out={trial.out / 'runs'}"]
    asked += [f"--profile={choose_profile(trial.profile, place.worker)}"]
    asked += [f"--python={trial.python}"] if trial.python else []
    return make_request(parser.parse_args([*asked, "--", trial.specs[end]]))


def _run(runs: TrialRuns, key: Key) -> RunResult:
    """One run, in a process and a folder of its own."""
    end, place = key
    name = f"{end.value}-{place.worker}-{place.disturb}-{len(runs.runs[key]) + 1}"
    folder = runs.trial.out / "runs" / name
    lease = locks.take_exclusive(folder / ".lock", on_wait=lambda: None)
    attempt = ChildRun(replace(runs.requests[key], out=folder), name=name, logs=folder, lease=lease)
    try:
        while not attempt.ended():
            pause(POLL_S)
    finally:
        with shielded():
            attempt.interrupt()
            attempt.stop()
    found = [record for records in find_all_records([folder]).values() for record in records]
    if not found:
        detail = f"the run ended with status {attempt.status} and left no record: {attempt.complaint()}"
        return RunResult(path=None, outcome=Outcome.ERROR, detail=detail)
    return replace(found[-1].result, path=str(found[-1].path.relative_to(runs.trial.out)))


def list_places(workers: Sequence[str], disturbances: Sequence[str]) -> tuple[Place, ...]:
    """Every worker class with every disturbance."""
    return tuple(Place(worker=worker, disturb=disturb) for disturb in disturbances for worker in workers)
