"""The smallest case for a reader: text, Markdown for an issue, and a page."""

from __future__ import annotations

import shlex

from harness.core.frozen import dataclass
from harness.core.text import plural
from harness.report.templates import render
from harness.studies.minimise.case import write_field
from harness.studies.minimise.result import MinimiseResult, Necessity
from harness.studies.minimise.weighing import Sightings

NECESSITY_HEAD = ("setting", "is", "without it", "necessary", "the finding then", "what the runs then ended with")


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimiseView:
    """What the templates print; all of it texts."""

    answer: str
    facts: tuple[tuple[str, str], ...]
    necessities: tuple[tuple[str, ...], ...]
    removals: tuple[tuple[str, str, str], ...]
    steps: tuple[tuple[str, str, str, str], ...]
    statements: str
    script: str
    head: tuple[str, ...] = NECESSITY_HEAD


def render_terminal(result: MinimiseResult) -> str:
    """The answer first, then what it rests on."""
    view = make_view(result)
    lines = [view.answer, *(f"  {name:<10} {value}" for name, value in view.facts)]
    lines += ["Without it:"] if view.necessities else []
    for setting, value, without, necessary, seen, said in view.necessities:
        lines.append(
            f"  {setting:<16} {value} -> {without}: {seen}{', so necessary' if necessary == 'yes' else ''} ({said})"
        )
    lines.append(
        f"Not necessary: {'; '.join(f'{name} {one} -> {two}' for name, one, two in view.removals) or 'nothing'}"
    )
    return "\n".join(lines) + "\n"


def render_markdown(result: MinimiseResult) -> str:
    """For an issue."""
    return render("minimise.md.j2", view=make_view(result))


def render_html(result: MinimiseResult) -> str:
    """One file, no network."""
    return render("minimise.html.j2", view=make_view(result))


def make_view(result: MinimiseResult) -> MinimiseView:
    """Everything as texts."""
    return MinimiseView(
        answer=describe_answer(result),
        facts=tuple(_list_facts(result)),
        necessities=tuple(_make_row(one) for one in result.necessities),
        removals=tuple((one.setting, one.before, one.after) for one in result.removals),
        steps=tuple(
            (str(number), step.change, _count(step.tally), "kept" if step.kept else "gone")
            for number, step in enumerate(result.steps, 1)
        ),
        statements="\n".join(result.case.statements),
        script="" if result.script is None or not result.script.is_short else result.script.text,
    )


def describe_answer(result: MinimiseResult) -> str:
    """One sentence."""
    values = {"max_requests": write_field(result.case.cell, "max_requests")}  # which came down after the table
    needed = [f"{one.setting} {values.get(one.setting, one.value)}" for one in result.necessities if one.necessary]
    what = f"{result.finding} in {result.spec} needs {', '.join(needed) or 'none of the settings'}"
    open_ones = [one.setting for one in result.necessities if not one.necessary]
    return f"{what}; not decided: {', '.join(open_ones)}" if open_ones else what


def _list_facts(result: MinimiseResult) -> list[tuple[str, str]]:
    facts = [
        ("smallest", shlex.join(result.command)),
        ("seen", f"{_count(result.tally)} there, {_count(result.start_tally)} of the case as it was"),
        ("a run", f"{result.run_s:.1f} s, on Python {result.python or 'unknown'}"),
        ("search", f"{plural(result.runs, 'run')} in {result.took_s:.0f} s"),
    ]
    if result.necessities and result.table_limit != result.case.cell.max_requests:
        why = "with fewer, the harness's own probes keep its worker restarting"
        facts.append(("the table", f"of runs with max_requests {result.table_limit}: {why}"))
    script = result.script
    if script is not None:
        tried = "" if script.took_s is None else f", took {script.took_s:.1f} s here and said it is "
        tried += "" if script.took_s is None else "REPRODUCED" if script.reproduced else "NOT REPRODUCED"
        facts.append(("script", f"reproduce.sh, {script.lines} lines{tried}{f'; {script.why}' if script.why else ''}"))
    return facts


def _make_row(one: Necessity) -> tuple[str, ...]:
    necessary = "yes" if one.necessary else "not decided"
    return one.setting, one.value, one.without, necessary, _count(one.tally), one.said


def _count(tally: Sightings) -> str:
    if not tally.runs:
        return "could not be run"
    return f"in {tally.shown} of {plural(tally.runs, 'run')}"
