"""What a trial of two ends leaves in its folder: both tables, what differs, and the attachments of what got worse."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness import __version__
from harness.core.errors import HarnessError
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome
from harness.records.store import RunFolder, load_run
from harness.studies.diff.comparison import Comparison, Difference
from harness.studies.diff.ends import End, Place, judge_ends, list_cells, place_of
from harness.studies.diff.report import comparison_to_json, render_markdown
from harness.studies.diff.running import TrialRuns
from harness.studies.matrix.document import FILE, Matrix, matrix_to_json
from harness.studies.matrix.result import RunResult

REPORT = "diff.md"
MOST_BUNDLES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A finished trial."""

    runs: TrialRuns
    found: Comparison
    outcome: Outcome

    @property
    def out(self) -> Path:
        """Where everything lies."""
        return self.runs.trial.out


def conclude_trial(runs: TrialRuns) -> Judged:
    """Judge and store: ``baseline/`` and ``subject/`` are matrices, which `harness diff` compares in the same way."""
    found = runs.compare()
    judged = Judged(runs=runs, found=found, outcome=judge_ends(runs.trial.places, runs.runs, found))
    for end in End:
        (judged.out / end.value).mkdir(parents=True, exist_ok=True)
        RunFolder(path=judged.out / end.value).write_json(FILE, matrix_to_json(_table(judged, end)))
    folder = RunFolder(path=judged.out)
    folder.write_text(REPORT, render_markdown(found))
    folder.write_json("diff.json", describe_trial(judged))
    _bundle(judged)
    return judged


def describe_trial(judged: Judged) -> dict[str, Json]:
    """The content of ``diff.json``: that of a comparison, with the verdict on it."""
    return {"verdict": judged.outcome.value, **comparison_to_json(judged.found)}


def find_witnesses(judged: Judged) -> Iterator[tuple[Difference, RunResult]]:
    """For each thing that got worse a run of the subject that shows it, the first."""
    for one in judged.found.worse:
        shown = (run for run in judged.runs.runs[End.SUBJECT, place_of(one)] if one.finding in run.findings)
        run = next(shown, None)
        if run is not None and run.path is not None:
            yield one, run


def count_runs(judged: Judged) -> Mapping[Place, Mapping[End, tuple[RunResult, ...]]]:
    """The runs at each place and end."""
    places = judged.runs.trial.places
    return {place: {end: tuple(judged.runs.runs[end, place]) for end in End} for place in places}


def _table(judged: Judged, end: End) -> Matrix:
    runs = judged.runs
    cells = {key: request.cell for key, request in runs.requests.items()}
    return Matrix(
        made_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        harness=__version__,
        profile=runs.trial.profile,
        repeats=max((len(found) for found in runs.runs.values()), default=0),
        cells=tuple(list_cells(end, cells, runs.runs, runs.labels[end])),
        interrupted=runs.interrupted,
    )


def _bundle(judged: Judged) -> None:
    from harness.report.attachment import bundle

    folder = judged.out / "bundles"
    for path in list(dict.fromkeys(str(run.path) for _, run in find_witnesses(judged)))[:MOST_BUNDLES]:
        folder.mkdir(exist_ok=True)
        try:
            with load_run(judged.out / path) as stored:
                bundle(stored, folder / f"{Path(path).parent.name}.zip", force=False, say=lambda _line: None)
        except HarnessError as problem:  # the record itself is there; nothing else may be lost by it
            print(f"no attachment of {path}: {problem}", file=sys.stderr)
