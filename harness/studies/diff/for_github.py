"""What GitHub shows of a trial: annotations at the lines of a culprit, the job's summary, and the step's outputs.

Everything that was recorded is data: it can neither start a workflow command nor become markup.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.core.model import Json, Outcome
from harness.core.patterns import pattern
from harness.provision.spec import Tree, parse_spec
from harness.records.store import load_run
from harness.report import summary
from harness.report.fields import dig, number, text
from harness.report.github import annotate
from harness.report.templates import render
from harness.studies.diff.comparison import Difference
from harness.studies.diff.ends import End
from harness.studies.diff.outcome import REPORT, Judged, count_runs, find_witnesses
from harness.studies.diff.report import conclude, list_tables
from harness.studies.matrix.report.summary import describe_sample
from harness.studies.matrix.result import RunResult

_FRAME = pattern(r"(?P<file>[\w./-]+\.py):(?P<line>[0-9]+)(?: |$)")

SAYINGS = {
    Outcome.VIOLATED: "The change makes it worse, beyond chance",
    Outcome.HOLDS: "Nothing got worse",
    Outcome.INCONCLUSIVE: "Not known: too little was seen, or what differs may be chance",
    Outcome.UNRUNNABLE: "The changed gunicorn can't be installed or started here",
}


def render_annotations(judged: Judged, workspace: Path) -> str:
    """One line for each thing that got worse, at the innermost line of the culprit that lies in the workspace."""
    lines = []
    for one, run in find_witnesses(judged):
        verdict = _read_verdict(judged.out / str(run.path))
        title = f"{one.other.worker}, {one.other.disturb}: {one.finding}"
        said = f"{_describe_change(one)}. {_detail(verdict, one.finding)}"
        lines.append(annotate("error", title, said, place=_find_line(judged, verdict, one.finding, workspace)))
    if not lines and judged.outcome is not Outcome.HOLDS:
        lines.append(annotate("warning", "recycle-harness", f"{SAYINGS[judged.outcome]}. {conclude(judged.found)}."))
    return "".join(lines)


def render_summary(judged: Judged) -> str:
    """The job's page: the answer, what differs as a table, the run that shows it as a picture, and every run."""
    tables = [(title, heads, rows) for title, heads, rows in list_tables(judged.found) if rows]
    rows = [
        (place.worker, place.disturb, *(_list_runs(runs[end]) for end in End))
        for place, runs in count_runs(judged).items()
    ]
    pictures = [
        (one.finding, draw_course(_read_verdict(judged.out / str(run.path)))) for one, run in find_witnesses(judged)
    ]
    return render(
        "trial.md.j2",
        saying=SAYINGS[judged.outcome],
        conclusion=conclude(judged.found),
        labels=judged.runs.labels,
        tables=tables,
        rows=rows,
        picture=next(iter(pictures), None),
    )


def draw_course(verdict: dict[str, Json]) -> str:
    """The course of a run as a Mermaid gantt chart, which GitHub draws; times in milliseconds from the load's begin."""
    load_ms, settle_ms = (round(1000 * float(number(verdict, "timing_s", name) or 0)) for name in ("load", "settle"))
    end_ms = max(load_ms + settle_ms, 1)
    lines = [
        "gantt",
        "  dateFormat x",
        "  axisFormat %S.%L s",
        "  section Phases",
        f"  load :done, 0, {max(load_ms, 1)}",
    ]
    lines += [f"  settle :active, {load_ms}, {end_ms}"] if settle_ms else []
    lines.append("  section Found")
    for finding in summary.findings(verdict):
        at_ms = round(1000 * float(number(finding, "at_s") or 0))
        lines.append(f"  {text(finding, 'id')} :crit, {at_ms}, {max(end_ms, at_ms + 1)}")
    return "\n".join(lines)


def list_outputs(judged: Judged) -> dict[str, str]:
    """The outputs of the action."""
    return {"verdict": judged.outcome.value, "report": str(judged.out / REPORT)}


def tell(judged: Judged) -> None:
    """Write all of it to where GitHub wants it, as far as it says so."""
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    print(render_annotations(judged, workspace), end="")
    _append("GITHUB_STEP_SUMMARY", render_summary(judged))
    _append("GITHUB_OUTPUT", "".join(f"{name}={value}\n" for name, value in list_outputs(judged).items()))


def _append(variable: str, said: str) -> None:
    named = os.environ.get(variable)
    if named:
        with Path(named).open("a", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(said)


def _read_verdict(path: Path) -> dict[str, Json]:
    with load_run(path) as stored:
        return dict(stored.judged())


def _detail(verdict: dict[str, Json], finding: str) -> str:
    found = (one for one in summary.findings(verdict) if text(one, "id") == finding)
    return next((summary.describe(one) for one in found), "")


def _describe_change(one: Difference) -> str:
    sides = [describe_sample(one.measure, sample) for sample in (one.before, one.after)]
    return f"{sides[0]} before, {sides[1]} now"


def _find_line(judged: Judged, verdict: dict[str, Json], finding: str, workspace: Path) -> tuple[str, int] | None:
    """Where in the checkout under test the culprit's innermost frame stands; None where it stands elsewhere."""
    parsed = parse_spec(judged.runs.trial.specs[End.SUBJECT])
    if not isinstance(parsed, Tree):
        return None
    tree = parsed.path.resolve()
    for frame in reversed(list(_list_frames(verdict, finding))):
        named = _FRAME.match(frame)
        if named is None or not (tree / named["file"]).is_file():
            continue
        file = tree / named["file"]
        if file.is_relative_to(workspace.resolve()):
            return str(file.relative_to(workspace.resolve())), int(named["line"])
    return None


def _list_frames(verdict: dict[str, Json], finding: str) -> Iterator[str]:
    for one in summary.findings(verdict):
        stack = dig(one, "culprit", "stack")
        if text(one, "id") == finding and isinstance(stack, list):
            yield from map(str, stack)


def _list_runs(runs: Sequence[RunResult]) -> str:
    counted = Counter(", ".join(run.findings) or run.outcome.value for run in runs)
    return "; ".join(f"{count} of {len(runs)}: {what}" for what, count in counted.items()) or "none"
