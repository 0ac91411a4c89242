"""With which settings a bisection runs: the quickest ones that tell its two ends apart, and which finding that is.

Where the user names any setting, theirs are used. Else three are tried, the quickest first, on both ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.engine.options import PROFILES
from harness.engine.request import RunRequest
from harness.studies.bisect.conduct import LEAST_RUNS
from harness.studies.bisect.history import OLD_END
from harness.studies.bisect.stages import Stage, make_run
from harness.studies.sightings.runs import RunMaker
from harness.studies.sightings.signs import RunSummary, Sign, read_sign


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadShape:
    """How long a worker lives, and how much it gets to do."""

    workers: int
    max_requests: int
    load_threads: int
    connections: int
    recycles: int
    duration_s: float

    def put_on(self, cell: Cell) -> Cell:
        """The cell under this load."""
        return replace(
            cell,
            workers=self.workers,
            max_requests=self.max_requests,
            load_threads=self.load_threads,
            connections=self.connections,
            recycles=self.recycles,
            duration_s=self.duration_s,
        )


BRISK = LoadShape(workers=2, max_requests=16, load_threads=1, connections=8, recycles=4, duration_s=3.0)
"""A run of a second, or of three where no worker restarts; it ends with the fourth restart."""

_QUICK = PROFILES["quick"]
QUICK = LoadShape(
    workers=_QUICK.workers,
    max_requests=_QUICK.max_requests,
    load_threads=_QUICK.load_threads,
    connections=_QUICK.connections,
    recycles=_QUICK.recycles,
    duration_s=_QUICK.duration_s,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenSettings:
    """The runs' request, the finding that they are about, and the runs of both ends that chose them."""

    request: RunRequest
    finding: str
    given: Mapping[int, deque[RunSummary]]


def list_settings(request: RunRequest, *, named: bool) -> tuple[RunRequest, ...]:
    """The requests to be tried, the quickest first. ``named``: whether the user chose any setting."""
    if named:
        return (request,)
    return (*(replace(request, cell=load.put_on(request.cell)) for load in (BRISK, QUICK)), request)


def prove_settings(
    requests: Sequence[RunRequest], stage: Stage, finding: str | None, maker: RunMaker
) -> tuple[ProvenSettings | None, tuple[str, ...]]:
    """The first settings that show a finding at one end only; else None. Also which findings were seen at all.

    Settings with which a rare finding was not seen yet count too, if they are the last ones and the user named it.
    """
    seen: dict[str, None] = {}
    for request in requests:
        runs = _run_ends(request, stage, maker)
        seen |= dict.fromkeys(name for made in runs.values() for run in made for name in run.findings)
        chosen = finding if finding is not None else choose_finding(*runs.values())
        differs = chosen is not None and _differs(chosen, *runs.values())
        if chosen is not None and (differs or (request is requests[-1] and _speak(chosen, *runs.values()))):
            given = {state: deque(made) for state, made in runs.items()}
            return ProvenSettings(request=request, finding=chosen, given=given), tuple(seen)
    return None, tuple(seen)


def choose_finding(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> str | None:
    """The worst finding that only one end has: one that is in all of its runs, else one that is in some."""
    alone = [one.value for one in FindingId if _differs(one.value, old, new)]
    steady = [one for one in alone if any(all(one in run.findings for run in runs) for runs in (old, new))]
    return next(iter([*steady, *alone]), None)


def _differs(finding: str, old: Sequence[RunSummary], new: Sequence[RunSummary]) -> bool:
    shown = [sum(read_sign(run, finding) is Sign.SHOWN for run in runs) for runs in (old, new)]
    absent = [sum(read_sign(run, finding) is Sign.ABSENT for run in runs) for runs in (old, new)]
    return any(shown[one] and not shown[1 - one] and absent[1 - one] for one in (0, 1))


def _speak(finding: str, old: Sequence[RunSummary], new: Sequence[RunSummary]) -> bool:
    said = (Sign.SHOWN, Sign.ABSENT)
    return all(any(read_sign(run, finding) in said for run in runs) for runs in (old, new))


def _run_ends(request: RunRequest, stage: Stage, maker: RunMaker) -> dict[int, list[RunSummary]]:
    states = [OLD_END, stage.history.new_end] * LEAST_RUNS
    runs: dict[int, list[RunSummary]] = {state: [] for state in states}
    for state, made in zip(states, maker.make([make_run(request, stage, one) for one in states]), strict=True):
        runs[state].append(made)
    return runs
