"""The two rounds of a bisection: the releases between the ends, then the commits between two neighbouring releases."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.core.errors import UsageError
from harness.engine.request import RunRequest
from harness.provision.releases import list_releases
from harness.studies.bisect.history import OLD_END, History, make_line
from harness.studies.bisect.release_line import find_line
from harness.studies.bisect.repository import Repository, short
from harness.studies.sightings.runs import RunMaker
from harness.studies.sightings.signs import RunSummary, Sign, read_sign

RELEASE, COMMIT = "release", "commit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What lies between two ends. ``old``: the name of the end that has none of the changes."""

    kind: str
    history: History
    old: str
    specs: Mapping[str, str]
    forked: bool = False  # the ends are all that is known of it: neither comes from the other

    def name(self, state: int) -> str:
        """The release or commit of a state."""
        return self.old if state == OLD_END else self.history.names[state]

    def spec(self, state: int) -> str:
        """The SPEC of a state for the command line."""
        return self.specs[self.name(state)]

    def label(self, state: int) -> str:
        """The name of a state for a reader."""
        return self.name(state) if self.kind == RELEASE else short(self.name(state))


@dataclass(slots=True, kw_only=True)
class StageOracle:
    """See ``conduct.Oracle``. ``given``: runs that were made before the finding was known; they come first."""

    stage: Stage
    request: RunRequest
    finding: str
    maker: RunMaker
    told: Callable[[int, RunSummary, Sign], None]
    given: Mapping[int, deque[RunSummary]] = field(default_factory=dict)
    counts: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def run(self, states: Sequence[int]) -> list[Sign]:
        """See ``conduct.Oracle``."""
        runs: dict[int, RunSummary] = {}
        waiting = []
        for place, state in enumerate(states):
            if self.given.get(state):
                runs[place] = self.given[state].popleft()
            else:
                waiting.append(place)
        made = self.maker.make([make_run(self.request, self.stage, states[place]) for place in waiting])
        runs |= dict(zip(waiting, made, strict=True))
        return [self._read(state, runs[place]) for place, state in enumerate(states)]

    def _read(self, state: int, run: RunSummary) -> Sign:
        sign = read_sign(run, self.finding)
        if sign in (Sign.SHOWN, Sign.ABSENT):
            self.counts[state][sign is Sign.ABSENT] += 1
        self.told(state, run, sign)
        return sign

    def count(self, change: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """The runs (with the finding, without it) of all states without a change, and of those with it."""
        sums = ([0, 0], [0, 0])
        for state, (shown, absent) in self.counts.items():
            side = sums[self.stage.history.contained(state) >> change & 1]
            side[0], side[1] = side[0] + shown, side[1] + absent
        return (sums[0][0], sums[0][1]), (sums[1][0], sums[1][1])


def make_run(request: RunRequest, stage: Stage, state: int) -> RunRequest:
    """The run of a state."""
    return replace(request, cell=replace(request.cell, spec=stage.spec(state)))


def make_release_stage(good: str, bad: str) -> Stage | None:
    """The releases between two; None where one of them is no release.

    Raises:
        UsageError: neither of two releases comes from the other.
    """
    known = list_releases()
    if not {good, bad} <= {row.version for row in known}:
        return None
    line = find_line(good, bad, known)
    if line is None:
        raise UsageError(
            what=f"Neither of {good} and {bad} comes from the other.",
            remedy="Name two releases of one line, or two revisions of a repository (--repo).",
        )
    names = line.releases
    return Stage(kind=RELEASE, history=make_line(names[1:]), old=names[0], specs={name: name for name in names})


def make_commit_stage(repository: Repository, old: str, new: str) -> Stage | None:
    """The commits that ``new`` has beyond ``old``, as far as they change the package; None where there is none."""
    history = repository.list_changes(old, new)
    specs = {name: repository.spec(name) for name in (old, *history.names)}
    return Stage(kind=COMMIT, history=history, old=old, specs=specs) if len(history) else None


def make_revision_stage(repository: Repository, good: str, bad: str) -> Stage:
    """Between two revisions of a repository.

    Raises:
        UsageError: no commit between them changes the package, or they have no common origin.
    """
    one, other = repository.resolve(good), repository.resolve(bad)
    base = repository.merge_base(one, other)
    if base is None:
        raise UsageError(what=f"{good} and {bad} have no common origin.", remedy="Name two revisions that have one.")
    if base in (one, other):
        stage = make_commit_stage(repository, base, other if base == one else one)
        if stage is None:
            raise UsageError(what=f"No commit between {good} and {bad} changes gunicorn.", remedy="Name other ends.")
        return stage
    specs = {name: repository.spec(name) for name in (one, other)}
    return Stage(kind=COMMIT, history=make_line([other]), old=one, specs=specs, forked=True)
