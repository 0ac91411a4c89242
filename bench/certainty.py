"""Simulated matrices with known rates: how often a map is wrong, and how many runs `--sure` saves.

Three findings in a column of releases, each with rates of 0, 1 %, 5 %, 50 % or 100 % that change now and then. The
runs are drawn; what is run next and what is claimed is decided by the code that decides it for real runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.studies.matrix.expectations import HOLDS
from harness.studies.matrix.result import Agreement, CellResult, RunResult, combine_runs
from harness.studies.matrix.steering import find_needs
from harness.studies.matrix.transitions import TransitionMap, find_transitions

RATES = (0.0, 0.01, 0.05, 0.5, 1.0)
FINDINGS = (FindingId.SOCKET_DELETED.value, FindingId.FAILED_RESPONSES.value, FindingId.WRONG_ANSWERS.value)
RELEASES = 50
STAY = 0.9
"""How likely a release has the rate of the one before it."""

LARGE = 0.5
"""Changes of a rate by so much or more are those that a map should have."""

SURE = 0.99
_FIRST_DAY = date(2020, 1, 1)

Truth = tuple[dict[str, float], ...]
"""The rate of each finding, release by release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """What a campaign on a simulated matrix cost, and how its map compares with the truth."""

    runs: int
    false_edges: int
    large_edges: int
    missed: int


def draw_truth(random: Random, releases: int = RELEASES) -> Truth:
    """The rates of a matrix."""
    rows = [{finding: random.choice(RATES) for finding in FINDINGS}]
    while len(rows) < releases:
        rows.append({name: rate if random.random() < STAY else random.choice(RATES) for name, rate in rows[-1].items()})
    return tuple(rows)


def run_sequentially(truth: Truth, random: Random, *, sure: float = SURE) -> Scored:
    """As `--sure` does it."""
    cells = [_cell(place, ()) for place in range(len(truth))]
    places = {cell.name: place for place, cell in enumerate(cells)}
    found = find_transitions(cells, sure=sure)
    while needs := find_needs(cells, found):
        for need in needs:
            place = places[need.name]
            cells[place] = _cell(place, (*cells[place].runs, _run(truth[place], random)))
        found = find_transitions(cells, sure=sure)
    return _score(truth, cells, found)


def run_fixed(truth: Truth, random: Random, repeats: int, *, sure: float = SURE) -> Scored:
    """As `--repeats` does it: the same number of runs for each cell."""
    cells = [_cell(place, tuple(_run(rates, random) for _ in range(repeats))) for place, rates in enumerate(truth)]
    return _score(truth, cells, find_transitions(cells, sure=sure))


def total(scores: Sequence[Scored]) -> Scored:
    """All of them added up; ``false_edges`` then counts the maps that have one."""
    return Scored(
        runs=sum(score.runs for score in scores),
        false_edges=sum(score.false_edges > 0 for score in scores),
        large_edges=sum(score.large_edges for score in scores),
        missed=sum(score.missed for score in scores),
    )


def bench_certainty(repeats: int, _out: Path) -> None:
    """Maps with a false edge and large edges that were missed, with `--sure` and with fixed numbers of runs."""
    maps = 20 * repeats
    truths = [draw_truth(Random(seed)) for seed in range(maps)]  # noqa: S311 - no secret
    rows = [("--sure 0.99", total([run_sequentially(t, Random(n)) for n, t in enumerate(truths)]))]  # noqa: S311 - no secret
    for fixed in (8, 12, 16, 24, 32, 40, 48):
        scores = [run_fixed(t, Random(n), fixed) for n, t in enumerate(truths)]  # noqa: S311 - no secret
        rows.append((f"--repeats {fixed}", total(scores)))
    print(f"{maps} maps of {RELEASES} releases and {len(FINDINGS)} findings")
    print("| campaign | runs a map | maps with a false edge | large edges missed |\n| --- | --- | --- | --- |")
    for name, score in rows:
        print(f"| {name} | {score.runs / maps:.0f} | {score.false_edges} | {score.missed} of {score.large_edges} |")


def _cell(place: int, runs: tuple[RunResult, ...]) -> CellResult:
    release = f"{place}.0"
    return CellResult(
        name=release,
        spec=release,
        cell={"gunicorn": release, "worker": "gthread", "proxy": "h2o"},
        runs=runs,
        folded=combine_runs(runs),
        expected=HOLDS,
        agreement=Agreement.EXPECTED,
        released=(_FIRST_DAY + timedelta(days=place)).isoformat(),
    )


_CLEAN = RunResult(path=None, outcome=Outcome.HOLDS, recycles=8, requests=500, failed=0)


def _run(rates: dict[str, float], random: Random) -> RunResult:
    seen = tuple(finding for finding, rate in rates.items() if random.random() < rate)
    return replace(_CLEAN, outcome=Outcome.VIOLATED, findings=seen) if seen else _CLEAN


def _score(truth: Truth, cells: Sequence[CellResult], found: TransitionMap) -> Scored:
    changes = {
        (finding, place): abs(truth[place][finding] - truth[place - 1][finding])
        for place in range(1, len(truth))
        for finding in FINDINGS
    }
    claimed = {(edge.finding, int(edge.after.release.partition(".")[0])) for edge in found.supported}
    large = {edge for edge, change in changes.items() if change >= LARGE}
    return Scored(
        runs=sum(len(cell.runs) for cell in cells),
        false_edges=sum(changes[edge] == 0 for edge in claimed),
        large_edges=len(large),
        missed=len(large - claimed),
    )
