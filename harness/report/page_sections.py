"""What the report's page says, section by section, from the verdict down to how the run is repeated.

Each section is made of stored texts through ``markup``, which escapes them. Timeline and scripts are ``as_html``'s.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from harness.core.events.servers import TracedRemoval
from harness.core.model import Json, Outcome
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.configuration import config_files
from harness.report.excerpts import Excerpt
from harness.report.fields import frames, items, line, mapping, number, text, texts
from harness.report.ledger import ledger_alarm, ledger_lines, ledger_sentence
from harness.report.markup import block, bullets, esc, folded, numbered, section, table
from harness.report.repeat import repeat_stored

SIGNS: Mapping[str, tuple[str, str]] = {
    Outcome.HOLDS.value: ("\N{HEAVY CHECK MARK}", "good"),
    Outcome.VIOLATED.value: ("\N{HEAVY BALLOT X}", "bad"),
    Outcome.INCONCLUSIVE.value: ("?", "unsure"),
    Outcome.UNRUNNABLE.value: ("\N{CIRCLED DIVISION SLASH}", "unsure"),
    Outcome.ERROR.value: ("!", "unsure"),
}
"""A sign and a tone for each verdict: colour alone says nothing to many readers."""


def heading(stored: StoredRun, verdict: Mapping[str, Json]) -> str:
    """The verdict, the findings and how strong a ``holds`` is: what the reader came for."""
    outcome = text(verdict, "verdict")
    sign, tone = SIGNS.get(outcome, ("?", "unsure"))
    answer = summary.answer_of(verdict).sentence
    failed = outcome in (Outcome.ERROR.value, Outcome.UNRUNNABLE.value)
    headline = f"{summary.subject(verdict)}: {outcome if failed else answer}"
    parts = [
        f'<p><span class="verdict {tone}"><span aria-hidden="true">{sign}</span> {esc(outcome)}</span></p>',
        f"<h1>{esc(headline)}</h1>",
        f'<p class="soft">{esc(summary.setting(verdict))}. Run {esc(stored.run_id)}.</p>',
        *_findings(verdict),
    ]
    alarm = ledger_alarm(verdict)
    if alarm:
        parts.append(f"<p><strong>{esc(alarm)}.</strong></p>")
    if tone == "unsure":
        parts.append(table(("", "why there is no clear answer"), summary.error_lines(verdict)))
    strength = summary.strength_line(verdict)
    return "\n".join([*parts, f"<p>How strong this is: {esc(strength)}.</p>" if strength else ""])


def _findings(verdict: Mapping[str, Json]) -> Iterator[str]:
    rows = [
        f"<li><strong>{esc(text(one, 'id'))}</strong> {esc(summary.describe(one))}</li>"
        for one in summary.findings(verdict)
    ]
    if rows:
        yield f'<ul class="findings">{"".join(rows)}</ul>'
    elif text(verdict, "verdict") == Outcome.HOLDS.value and not summary.is_scenario(verdict):
        yield "<p>Nothing broke while workers were recycled.</p>"


def measured(verdict: Mapping[str, Json]) -> str:
    """A scenario's tables and remarks; nothing for a single run."""
    parts: list[str] = []
    for title, head, rows in summary.tables_of(verdict):
        parts += [f"<h3>{esc(title)}</h3>", table(head, rows)]
    parts += [f"<p>{esc(note)}</p>" for note in summary.notes_of(verdict)]
    return section("measured", "What was measured", parts) if parts else ""


def moments(verdict: Mapping[str, Json]) -> str:
    """The list that the numbers in the timeline mean."""
    story = [one for one in items(verdict, "story") if isinstance(one, Mapping)]
    rows = [(str(at), f"{number(one, 'at_s') or 0:.3f}", text(one, "what")) for at, one in enumerate(story, start=1)]
    return table(("no.", "s since the load began", "what happened"), rows) if rows else ""


def culprits(verdict: Mapping[str, Json], removals: Sequence[TracedRemoval]) -> str:
    """The stack of each culprit, outermost call first, with the source lines around the innermost calls."""
    parts: list[str] = []
    for culprit in summary.culprits(verdict):
        who = f"{text(culprit, 'role')} {text(culprit, 'pid')} called {text(culprit, 'call')}"
        parts += [f"<h3>{esc(who)}</h3>", _stack(culprit, _around(culprit, removals))]
    return section("culprit", "Who did it", parts) if parts else ""


def _around(culprit: Mapping[str, Json], removals: Sequence[TracedRemoval]) -> Sequence[Json]:
    """The tracer's source lines of this culprit's frames, innermost first; none in records of older tracers."""
    innermost = texts(culprit, "stack")[-1:]
    for event in removals:
        if event.pid == culprit.get("pid") and innermost == _innermost(event):
            return event.around
    return ()


def _innermost(event: TracedRemoval) -> list[str]:
    """The innermost frame as a culprit names it."""
    return [line(f"{file}:{at} {name}") for file, at, name, _ in event.stack[-1:]]


def _stack(culprit: Mapping[str, Json], around: Sequence[Json]) -> str:
    shown = []
    calls = frames(culprit)
    for at, (frame, source) in enumerate(calls):
        depth = len(calls) - 1 - at
        kind = ' class="last"' if depth == 0 else ""
        inner = _source(frame, source, around[depth] if depth < len(around) else None)
        shown.append(f"<li{kind}><code>{esc(frame)}</code>{inner}</li>")
    return f'<ol class="frames">{"".join(shown)}</ol>'


def _source(frame: str, source: str, around: Json) -> str:
    first, lines = number(around, "first"), items(around, "lines")
    place = frame.partition(" ")[0].rpartition(":")[2]
    current = int(place) if place.isascii() and place.isdigit() else 0
    if first is None or not lines:
        return f'<br><code class="soft">{esc(source)}</code>' if source else ""
    start = int(first)
    return numbered((start + at, str(one), start + at == current) for at, one in enumerate(lines))


def counts(verdict: Mapping[str, Json]) -> str:
    """What was counted, and what each invariant says."""
    states = mapping(verdict, "invariants")
    rows = [(name, text(states, name), text(verdict, "invariant_reasons", name, default="")) for name in states]
    bad = [at for at, row in enumerate(rows) if row[1] == "violated"]
    parts = [table(("what", "how many"), summary.count_lines(verdict))]
    sentence = ledger_sentence(verdict)
    if sentence:
        parts += ["<h3>What became of each request</h3>", f"<p>{esc(sentence)}.</p>"]
        parts.append(table(("how many", "what became of them"), ledger_lines(verdict)))
    if rows:
        parts += ["<h3>Invariants</h3>", table(("invariant", "state", "why"), rows, bad=bad)]
    return section("counts", "Counts", parts)


def logs(found: Sequence[Excerpt]) -> str:
    """The lines of the logs around the event, those that tell of it marked."""
    parts = []
    for one in found:
        parts.append(f"<h3>{esc(one.log)}, {esc(one.title)}</h3>")
        parts.append(numbered(zip(one.numbers, one.lines, one.marked, strict=True)))
    return section("logs", "Logs around the event", parts or ["<p>No server wrote an error log in this run.</p>"])


def configuration(stored: StoredRun) -> str:
    """Every file that was handed to a server, on demand."""
    files = config_files(stored)
    parts = [folded(one.name, f'<pre tabindex="0">{block(one.text)}</pre>') for one in files if one.text is not None]
    rest = [one.name for one in files if one.text is None]
    parts += [f'<p class="soft">In the record, too: {esc(", ".join(rest))}.</p>'] if rest else []
    return section("configuration", "Configuration", parts or ["<p>No server was configured in this run.</p>"])


def environment(stored: StoredRun, verdict: Mapping[str, Json]) -> str:
    """What took part, in which version, and in which points the run differs from the original report."""
    freeze = texts(stored.facts, "gunicorn", "freeze")
    parts = [table(("program", "version"), summary.versions(stored))]
    if (why := summary.load_line(stored.facts)) is not None:
        parts.append(f'<p class="soft">Load: {esc(why)}.</p>')
    if freeze:
        parts.append(folded(f"{len(freeze)} packages beside gunicorn", f"<pre>{block(chr(10).join(freeze))}</pre>"))
    parts += ["<h3>Deviations from the original report's settings</h3>", bullets(texts(stored.facts, "deviations"))]
    parts += ["<h3>Shims</h3>", bullets(summary.shim_lines(stored.facts))]
    parts.append(f'<p class="soft">Timing: {esc(summary.timing_line(verdict))}.</p>')
    return section("environment", "Environment", parts)


def repeating(stored: StoredRun) -> str:
    """The commands that repeat this run, with the harness and without it."""
    command = shlex.join(repeat_stored(stored))
    parts = ["<p>With the harness:</p>", f'<pre tabindex="0">{block(command)}</pre>']
    if (stored.path / "reproduce.sh").is_file():
        needs = esc(summary.script_needs(stored.cell))
        parts += [f"<p>Without it, with {needs}, from the run's folder or attachment:</p>"]
        parts += ["<pre>sh reproduce.sh</pre>"]
    argv = texts(stored.facts, "gunicorn", "command")
    if argv:
        parts += ["<p>gunicorn was started as:</p>", f'<pre tabindex="0">{block(shlex.join(argv))}</pre>']
    parts += ["<p>To judge the record again, from its events alone:</p>"]
    judging = shlex.join(["harness", "judge", f"{stored.run_id}.zip"])
    parts += [f'<pre tabindex="0">{block(judging)}</pre>']
    return section("repeat", "How to repeat this", parts)
