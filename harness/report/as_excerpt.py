"""The lines of a run that matter beside a failed test, at most MOST_LINES: what, by whom, why, how much, and where."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from harness.core.model import Json
from harness.core.text import printable
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.as_short import count_requests
from harness.report.fields import frames, text
from harness.report.known.causes import explain

MOST_LINES = 10
_FINDINGS, _FRAMES = 3, 2


def render_excerpt(stored: StoredRun) -> str:
    """The lines, whole: a terminal wraps them, and a log can be searched for them.

    Raises:
        UsageError: there is no verdict.
    """
    verdict = stored.judged()
    lines = [f"{summary.subject(verdict)}: {text(verdict, 'verdict')}", summary.setting(verdict)]
    lines += _list_findings(verdict)
    for culprit in summary.culprits(verdict)[:1]:
        lines += [f"  {place}{': ' if code else ''}{code}" for place, code in frames(culprit)[-_FRAMES:]]
    lines += [f"why: {one.sentence}" for one in explain(verdict)[:1]]
    counts = count_requests(verdict)
    lines += [f"counts: {counts}"] if counts else []
    path = printable(str(stored.path))
    return "\n".join([*map(printable, lines), f"record: {path}", f"more: harness report {shlex.quote(path)}"])


def _list_findings(verdict: Mapping[str, Json]) -> list[str]:
    """A line each, the socket's first; without any, why there is no verdict."""
    found = sorted(summary.findings(verdict), key=lambda one: not summary.is_about_socket(one))
    said = [f"{text(one, 'id')} {summary.describe(one)}" for one in found]
    if len(said) > _FINDINGS:
        rest = ", ".join(text(one, "id") for one in found[_FINDINGS - 1 :])
        said = [*said[: _FINDINGS - 1], f"and {rest}"]
    return said or [line for _, line in summary.error_lines(verdict)][:_FINDINGS]
