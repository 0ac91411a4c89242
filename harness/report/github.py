"""What GitHub shows of a run under Actions: annotations on the job, and a summary on the job's page.

Annotations are workflow commands, one line each on standard error: standard output belongs to the results. Text that
was recorded can neither start a command of its own nor become markup.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.core.model import Json
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.fields import clean, text
from harness.report.templates import render
from harness.report.view import view_run

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render_annotations(stored: StoredRun, *, as_expected: bool) -> str:
    """One annotation a finding, or one for a verdict without any: notices where the exit code is 0, else errors."""
    verdict = stored.judged()
    level = "notice" if as_expected else "error"
    return "".join(annotate(level, title, said) for title, said in _annotations(verdict))


def annotate(level: str, title: str, said: str, *, place: tuple[str, int] | None = None) -> str:
    """One workflow command; ``place``: a file of the repository and its line."""
    at = "" if place is None else f"file={_property(place[0])},line={place[1]},"
    return f"::{level} {at}title={_property(title)}::{_data(said)}\n"


def _annotations(verdict: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    found = summary.findings(verdict)
    for finding in found:
        yield f"{summary.subject(verdict)}: {text(finding, 'id')}", summary.describe(finding)
    if not found:
        said = summary.strength_line(verdict) or "; ".join(said for _, said in summary.error_lines(verdict))
        yield f"{summary.subject(verdict)}: {text(verdict, 'verdict')}", said


def _data(raw: str) -> str:
    return clean(raw).translate(_DATA)


def _property(raw: str) -> str:
    return clean(raw).translate(_PROPERTY)


def render_job_summary(stored: StoredRun) -> str:
    """A few lines of Markdown: the verdict, the findings and the counts; the whole report is the record's business."""
    return render("job_summary.md.j2", run=view_run(stored))
