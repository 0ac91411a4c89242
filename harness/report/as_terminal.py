"""A run as text for a terminal: the answer first, then what else broke, then the evidence.

It is plain text; with ``colour`` whole lines get ANSI attributes. The caller finds out whether there is a terminal, how
wide it is, and whether NO_COLOR is set.
"""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Callable, Mapping

from harness.core.model import Json, Outcome
from harness.core.text import printable
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.fields import dig, frames, items, number, text
from harness.report.invariants import invariant_rows
from harness.report.known.causes import explain
from harness.report.ledger import ledger_alarm, ledger_lines, ledger_sentence
from harness.report.summary import Headline, Tone

_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
TONES = {Tone.BAD: "\x1b[1;31m", Tone.GOOD: "\x1b[1;32m", Tone.UNSURE: "\x1b[1;33m"}
NARROWEST = 40
MOST_LINES = 5
"""The most lines of a report on a run that never began."""


def render_terminal(stored: StoredRun, *, colour: bool, width: int) -> str:
    """The report in lines of at most ``width`` characters (40 or more).

    Raises:
        UsageError: there is no verdict.
    """
    return render_page(stored, _tell_all, colour=colour, width=width)


def render_page(
    stored: StoredRun, tell: Callable[[Page, StoredRun, Mapping[str, Json]], None], *, colour: bool, width: int
) -> str:
    """A page of the stored verdict: what ``tell`` says, or, where gunicorn was not even started, why.

    Raises:
        UsageError: there is no verdict.
    """
    page = Page(colour=colour, width=max(width, NARROWEST))
    verdict = stored.judged()
    if has_failed(verdict) and dig(stored.facts, "gunicorn") is None:
        _say_nothing_ran(page, stored, verdict)
    else:
        tell(page, stored, verdict)
    return "\n".join(page.lines) + "\n"


def has_failed(verdict: Mapping[str, Json]) -> bool:
    """Whether the harness, its surroundings or the start of the release failed, so that there is no answer."""
    return dig(verdict, "verdict") in (Outcome.ERROR.value, Outcome.UNRUNNABLE.value)


def _tell_all(page: Page, stored: StoredRun, verdict: Mapping[str, Json]) -> None:
    if has_failed(verdict):
        say_failure(page, verdict)
    else:
        _answer(page, verdict)
    say_measured(page, verdict)
    _other_findings(page, verdict)
    _causes(page, verdict)
    notes = summary.note_lines(verdict)
    if notes:
        page.title("To be known")
        page.rows(notes)
    ladder = summary.recovery_rows(verdict)
    if ladder:
        page.title("The ladder back")
        page.rows([(rung, ", ".join(filter(None, (_tell_rung(*rest), detail)))) for rung, *rest, detail in ladder])
    _story(page, verdict)
    _culprits(page, verdict)
    _evidence(page, verdict)
    _surroundings(page, stored, verdict)


def _tell_rung(healed: str, after: str, lost: str) -> str:
    when = f" after {after}" if after else ""
    return healed if healed == "not tried" else f"healed: {healed}{when}, {lost} requests lost"


class Page:
    """The lines so far, and how they are wrapped and coloured."""

    BOLD, DIM = _BOLD, _DIM

    def __init__(self, *, colour: bool, width: int) -> None:
        self.lines: list[str] = []
        self._colour = colour
        self.width = width

    def say(self, said: str, *, indent: str = "", hanging: str = "", style: str = "", most: int | None = None) -> None:
        """One paragraph, wrapped, of at most ``most`` lines; ``hanging`` is the indentation of its further lines."""
        wrapped = textwrap.wrap(
            said,
            self.width,
            initial_indent=indent,
            subsequent_indent=hanging or indent,
            max_lines=most,
            placeholder=" [...]",
            # A path or an address that is cut in two can't be pasted.
            break_long_words=most is None,
            break_on_hyphens=most is None,
        )
        for one in wrapped or [indent.rstrip()]:
            self.lines.append(f"{style}{one}{_RESET}" if self._colour and style else one)

    def title(self, said: str) -> None:
        """The head of a section."""
        self.lines.append("")
        self.say(said, style=_BOLD)

    def row(self, name: str, said: str, name_width: int, most: int | None = None) -> None:
        """A name and what belongs to it, side by side."""
        self.say(f"{name:<{name_width}}  {said}", indent="  ", hanging=" " * (name_width + 4), most=most)

    def rows(self, rows: list[tuple[str, str]]) -> None:
        """Several of them, aligned."""
        for name, said in rows:
            self.row(name, said, max(len(name) for name, _ in rows))


def say_failure(page: Page, verdict: Mapping[str, Json]) -> None:
    """Why there is no answer."""
    page.say(f"{text(verdict, 'verdict').upper()}: {summary.subject(verdict)}", style=TONES[Tone.UNSURE])
    page.rows(summary.error_lines(verdict))
    page.say(summary.setting(verdict), style=_DIM)


def _say_nothing_ran(page: Page, stored: StoredRun, verdict: Mapping[str, Json]) -> None:
    """Where gunicorn was not even started there is nothing to count: what, why and what to do, in MOST_LINES."""
    page.say(f"{text(verdict, 'verdict').upper()}: {summary.subject(verdict)}", style=TONES[Tone.UNSURE])
    what, *rest = summary.error_lines(verdict)
    rest = [*rest, ("Record", printable(str(stored.path)))][-(MOST_LINES - 2) :]
    names = max(len(name) for name, _ in (what, *rest))
    page.row(*what, names, most=MOST_LINES - len(page.lines) - len(rest))
    for name, said in rest:
        if name in ("Record", "More in"):  # as at the end of a whole report: no path is cut
            page.lines.append(f"  {name:<{names}}  {said}")
        else:
            page.row(name, said, names, most=1)


def _answer(page: Page, verdict: Mapping[str, Json]) -> None:
    answer = summary.answer_of(verdict)
    page.say(_headline(answer), style=TONES[answer.tone])
    page.say(f"{summary.subject(verdict)}: {text(verdict, 'verdict')}", style=_BOLD)
    page.say(summary.setting(verdict), style=_DIM)
    for said in (summary.recovery_line(verdict), summary.strength_line(verdict)):
        if said:
            page.say(said)
    alarm = ledger_alarm(verdict)
    if alarm:
        page.say(alarm, style=TONES[Tone.BAD])
    for finding in summary.findings(verdict):
        if summary.is_about_socket(finding):
            page.say(f"{text(finding, 'id')} {summary.describe(finding)}")
    if dig(verdict, "verdict") == Outcome.INCONCLUSIVE.value:
        page.title("Why there is no clear answer")
        page.rows(summary.error_lines(verdict))


def _headline(answer: Headline) -> str:
    return answer.sentence[:1].upper() + answer.sentence[1:]


def say_measured(page: Page, verdict: Mapping[str, Json]) -> None:
    """A scenario's tables and remarks."""
    for title, head, rows in summary.tables_of(verdict):
        page.title(title)
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        for first, *rest in [head, *rows]:
            numbers = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
            page.lines.append("  " + "  ".join([first.ljust(widths[0]), *numbers]))
    for note in summary.notes_of(verdict):
        page.say("")
        page.say(note)


def _other_findings(page: Page, verdict: Mapping[str, Json]) -> None:
    rest = [finding for finding in summary.findings(verdict) if not summary.is_about_socket(finding)]
    if not rest:
        return
    socket_broke = len(rest) < len(summary.findings(verdict))
    alone = "What broke" if summary.is_scenario(verdict) else "What broke (this is not the deleted socket)"
    page.title("Also broken" if socket_broke else alone)
    page.rows([(text(finding, "id"), summary.describe(finding)) for finding in rest])


def _causes(page: Page, verdict: Mapping[str, Json]) -> None:
    for one in explain(verdict):
        page.title(f"Why: {', '.join(one.findings)}")
        page.say(one.sentence, indent="  ")
        rows = [("Known", one.history)]
        if one.cause is not None:
            rows += [("Upstream", ", ".join(f"#{number}" for number in one.cause.upstream))]
            rows += [("Helps", f"{remedy.change} (costs: {remedy.cost})") for remedy in one.cause.helps]
        page.rows([row for row in rows if row[1]])


def _story(page: Page, verdict: Mapping[str, Json]) -> None:
    moments = [moment for moment in items(verdict, "story") if isinstance(moment, Mapping)]
    if not moments:
        return
    origin = "the load began" if number(verdict, "timing_s", "load") is not None else "the run began"
    page.title(f"What happened (seconds since {origin})")
    for moment in moments:
        at_s = number(moment, "at_s")
        page.row("?" if at_s is None else f"{at_s:8.3f}", text(moment, "what"), 8)


def _culprits(page: Page, verdict: Mapping[str, Json]) -> None:
    for culprit in summary.culprits(verdict):
        page.title(f"Who did it: {summary.name_culprit(culprit)}")
        for frame, source in frames(culprit):
            page.say(frame, indent="  ", hanging="    ")
            if source:
                page.say(source, indent="      ", style=_DIM)


def _evidence(page: Page, verdict: Mapping[str, Json]) -> None:
    counts = summary.count_lines(verdict)
    if counts:
        page.title(summary.name_counts(verdict))
        page.rows(counts)
    sentence = ledger_sentence(verdict)
    if sentence:
        page.title("What became of each request")
        page.say(sentence, indent="  ")
        page.rows(ledger_lines(verdict))
    invariants = invariant_rows(verdict)
    if invariants:
        page.title("Invariants")
        page.rows([(name, f"{state}{': ' if why else ''}{why}") for name, state, why in invariants])


def _surroundings(page: Page, stored: StoredRun, verdict: Mapping[str, Json]) -> None:
    settings = summary.setting_rows(stored.facts)
    if settings:
        page.title("Your settings: what you have, what was run, why")
        page.rows(
            [
                (name, yours if why.startswith("as in") else f"{yours} -> {run_with}: {why}")
                for name, yours, run_with, why in settings
            ]
        )
    changed = summary.proxy_rows(stored.facts)
    if changed:
        page.title("Your proxy configuration: what you have, what was run, why")
        page.rows([(place, f"{yours} -> {run_with}: {why}") for place, yours, run_with, why in changed])
    page.lines.append("")
    rows = [("Shims", "; ".join(summary.shim_lines(stored.facts)) or "none")]
    rows.append(("Deviations", summary.deviation_line(stored.facts)))
    if (why := summary.load_line(stored.facts)) is not None:
        rows.append(("Load", why))
    if dig(stored.facts, "python", "path") is not None:
        rows.append(("Python", f"{text(stored.facts, 'python', 'version')} ({text(stored.facts, 'python', 'path')})"))
    rows.append(("Time", summary.timing_line(verdict)))
    page.rows(rows)
    # Not wrapped: a path that is cut in two can't be pasted.
    page.lines += [
        "",
        f"  Record  {printable(str(stored.path))}",
        f"  Next    harness bundle {shlex.quote(printable(str(stored.path)))}",
    ]
