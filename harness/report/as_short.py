"""A run in at most MOST_LINES lines: the answer, why, who did it, the counts, what to do, and where the rest is.

The whole text is ``as_terminal``; a run that never began says what, why and what to do there, too. ``render_line`` is
the answer in one line, for scripts.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from harness.core.model import Json, Outcome
from harness.core.text import plural, printable
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.as_terminal import TONES, Page, has_failed, render_page, say_failure, say_measured
from harness.report.fields import dig, frames, number, text
from harness.report.known.causes import Explanation, explain
from harness.report.ledger import ledger_alarm, ledger_lines
from harness.report.summary import Tone

MOST_LINES = 25
_NOT_LOST = ("answered", "under way when the load ended")
_FINDINGS, _FRAMES, _CAUSES, _REMEDIES = 3, 3, 1, 3


def render_short(stored: StoredRun, *, colour: bool, width: int) -> str:
    """The report, in lines of at most ``width`` characters (40 or more), but for paths.

    Raises:
        UsageError: there is no verdict.
    """
    return render_page(stored, _tell, colour=colour, width=width)


def _tell(page: Page, stored: StoredRun, verdict: Mapping[str, Json]) -> None:
    if has_failed(verdict):
        say_failure(page, verdict)
    else:
        _say_answer(page, verdict)
        _say_why(page, verdict)
        _say_who(page, verdict)
        say_measured(page, verdict)
    ending = _ending(stored, verdict)
    counts = count_requests(verdict)
    fates = _tell_fates(verdict)
    replaced = summary.load_line(stored.facts) or ""  # the load that was asked for is missing: other counts than usual
    ending = [row for row in (("Counts", counts), ("Load", replaced), ("Lost", fates)) if row[1]] + ending
    _close(page, ending)


def render_line(stored: StoredRun) -> str:
    """What was tested, the verdict, the findings and where the record is: one line.

    Raises:
        UsageError: there is no verdict.
    """
    verdict = stored.judged()
    found = ", ".join(dict.fromkeys(text(one, "id") for one in summary.findings(verdict)))
    what = found or (text(verdict, "error", "what", default="") if has_failed(verdict) else "")
    said = f": {what}" if what else ""
    subject = f"{summary.subject(verdict)}, {text(verdict, 'cell', 'proxy')}"
    return f"{subject}: {text(verdict, 'verdict')}{said} ({printable(str(stored.path))})\n"


def _say_answer(page: Page, verdict: Mapping[str, Json]) -> None:
    answer = summary.answer_of(verdict)
    page.say(answer.sentence[:1].upper() + answer.sentence[1:], style=TONES[answer.tone], most=2)
    page.say(f"{summary.subject(verdict)}: {text(verdict, 'verdict')}", style=Page.BOLD, most=1)
    page.say(summary.setting(verdict), style=Page.DIM, most=2)
    for said in (summary.recovery_line(verdict), summary.strength_line(verdict), ledger_alarm(verdict)):
        if said:
            page.say(said, style=TONES[Tone.BAD] if said == ledger_alarm(verdict) else "", most=2)
    found = summary.findings(verdict)
    found = sorted(found, key=lambda one: not summary.is_about_socket(one))
    for finding in found[:_FINDINGS]:
        page.say(f"{text(finding, 'id')} {summary.describe(finding)}", hanging="  ", most=2)
    if len(found) > _FINDINGS:
        page.say("and " + ", ".join(text(one, "id") for one in found[_FINDINGS:]), most=1)
    if dig(verdict, "verdict") == Outcome.INCONCLUSIVE.value:
        for name, said in summary.error_lines(verdict):
            page.row(name, said, len("To do"), most=2)


def _say_why(page: Page, verdict: Mapping[str, Json]) -> None:
    """The cause of what matters most; for further ones only that there are some."""
    known = explain(verdict)
    if not known:
        return
    page.lines.append("")
    first = known[0]
    page.row("Why", first.sentence + _more(known), len("Helps"), most=3)
    cause = first.cause
    told = "" if cause is None else ", ".join(f"#{number}" for number in cause.upstream)
    history = "; ".join(filter(None, [first.history, f"upstream {told}" if told else ""]))
    if history:
        page.row("Known", history, len("Helps"), most=2)
    if cause is None:
        return
    for remedy in cause.helps[:_REMEDIES]:
        page.row("Helps", f"{remedy.change} (costs: {remedy.cost})", len("Helps"), most=1)


def _more(known: list[Explanation]) -> str:
    rest = [name for one in known[_CAUSES:] for name in one.findings]
    return f" (Of {', '.join(rest)} the page tells.)" if rest else ""


def _say_who(page: Page, verdict: Mapping[str, Json]) -> None:
    for culprit in summary.culprits(verdict)[:1]:
        page.lines.append("")
        page.say(f"Who did it: {summary.name_culprit(culprit)}", style=Page.BOLD, most=1)
        for frame, source in frames(culprit)[-_FRAMES:]:
            page.say(f"{frame}{': ' if source else ''}{source}", indent="  ", hanging="    ", most=1)


def count_requests(verdict: Mapping[str, Json]) -> str:
    """The counts that matter, in one line."""
    requests, recycles = number(verdict, "counts", "requests"), number(verdict, "counts", "recycles")
    if not requests:
        return ""
    said = dict(summary.count_lines(verdict))
    parts = [plural(requests, "request"), said.get("statuses", ""), said.get("client errors", "")]
    return "; ".join([part for part in parts if part and part != "none"] + [plural(recycles or 0, "recycle")])


def _tell_fates(verdict: Mapping[str, Json]) -> str:
    """What became of the requests that were not answered, and whether they may be sent again."""
    lost = [(many, re.sub(r"([^(]*(?:\([^)]*\))?):.*", r"\1", said)) for many, said in ledger_lines(verdict)]
    return "; ".join(f"{many} {said}" for many, said in lost if said not in _NOT_LOST)


def _ending(stored: StoredRun, verdict: Mapping[str, Json]) -> list[tuple[str, str]]:
    """Where to go from here; the attachment is for what is not known, or for a report upstream."""
    rows = [("Page", printable(str(stored.path / "report.html")))] if (stored.path / "report.html").exists() else []
    rows = rows or [("Record", printable(str(stored.path)))]
    path = printable(shlex.quote(str(stored.path)))
    if dig(verdict, "verdict") == Outcome.VIOLATED.value:
        rows.append(("Next", f"harness bundle {path}"))
    return [*rows, ("More", f"harness report {path}, or -v")]


def _close(page: Page, rows: list[tuple[str, str]]) -> None:
    """The rows at the end, whole, whatever has to go before them; a path that is cut in two can't be pasted."""
    names = max(len(name) for name, _ in rows)
    ending = Page(colour=False, width=page.width)
    for name, said in rows:
        if name in ("Counts", "Load", "Lost"):
            ending.row(name, said, names, most=2)
        else:
            ending.lines.append(f"  {name:<{names}}  {said}")
    del page.lines[MOST_LINES - len(ending.lines) - 1 :]
    page.lines += ["", *ending.lines]
