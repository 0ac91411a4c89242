"""A run as Markdown, in the order of the fields of gunicorn's bug form, ready to be pasted.

Everything that came out of logs or records is escaped or fenced: it may hold pipes, HTML, backticks or worse.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

from harness.core.model import Json, Outcome
from harness.records.redaction import current_identity, make_scrubber
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.configuration import config_files
from harness.report.excerpts import Excerpt, excerpts
from harness.report.fields import clean, dig, frames, items, line, mapping, number, text, texts
from harness.report.ledger import ledger_alarm, ledger_lines, ledger_sentence
from harness.report.repeat import repeat_stored

DRAWN = ("timeline.svg", "timeline.png")
"""What the timeline is called where it was drawn for this report, the better one first."""

_TO_REMEDY = {Outcome.ERROR.value, Outcome.UNRUNNABLE.value, Outcome.INCONCLUSIVE.value}
_CODE = {".py": "python", ".conf": "yaml"}


def render_markdown(stored: StoredRun, logs: Sequence[Excerpt] | None = None) -> str:
    """The report; UsageError where the run has no verdict. Every verdict gets one, an error too.

    ``logs`` are the run's excerpts, where the caller has them already.
    """
    verdict = stored.judged()
    sections = [
        ("Description", [*_description(verdict), *_picture(stored)]),
        ("Gunicorn version", _gunicorn(stored, verdict)),
        ("Python version", [escape(dict(summary.versions(stored))["Python"])]),
        ("Worker class", _worker(verdict)),
        ("Operating system", _system(stored)),
        ("Steps to reproduce", _steps(stored)),
        ("Configuration", _configuration(stored)),
        ("Relevant logs", _logs(excerpts(stored) if logs is None else logs)),
        ("Additional context", _context(stored, verdict)),
    ]
    title = f"# {escape(summary.subject(verdict))}: {escape(_headline(verdict))}"
    parts = [title, *(f"## {name}\n\n" + "\n\n".join(paragraphs) for name, paragraphs in sections)]
    return _without_private_names("\n\n".join(parts) + "\n")


def escape(raw: str) -> str:
    """One line of text in which Markdown and HTML mean nothing, also inside a table's cell."""
    bare = line(raw).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", bare)


def fence(raw: str, language: str = "") -> str:
    """A code block that its content can't end: its fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall(r"`+", raw)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}{language}\n{clean(raw).rstrip(chr(10))}\n{marks}"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of texts, escaped."""
    lines = [head, tuple("---" for _ in head), *(tuple(escape(cell) for cell in row) for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _without_private_names(report: str) -> str:
    """The report is made to be pasted: home folders and names go, as they do from the attachment."""
    scrub = make_scrubber(current_identity())
    return "".join(scrub(one.encode()).decode() for one in report.splitlines(keepends=True))


def _headline(verdict: Mapping[str, Json]) -> str:
    if dig(verdict, "verdict") in (Outcome.ERROR.value, Outcome.UNRUNNABLE.value):
        return text(verdict, "verdict")
    return summary.answer_of(verdict).sentence


def _description(verdict: Mapping[str, Json]) -> list[str]:
    outcome = text(verdict, "verdict")
    paragraphs = [f"Verdict: **{escape(outcome)}**. {escape(summary.setting(verdict))}."]
    alarm = ledger_alarm(verdict)
    paragraphs += [f"**{escape(alarm)}.**"] if alarm else []
    if outcome in _TO_REMEDY:
        rows = summary.error_lines(verdict)
        paragraphs.append("\n".join(f"- {label}: {escape(said)}" for label, said in rows))
    broken = summary.findings(verdict)
    if broken:
        paragraphs.append(
            "\n".join(f"- **{escape(text(finding, 'id'))}** {escape(summary.describe(finding))}" for finding in broken)
        )
    elif outcome == Outcome.HOLDS.value and not summary.is_scenario(verdict):
        paragraphs.append("Nothing broke while workers were recycled behind the proxy.")
    return [*paragraphs, *_measured(verdict)]


def _measured(verdict: Mapping[str, Json]) -> list[str]:
    """A scenario's tables and remarks."""
    parts: list[str] = []
    for title, head, rows in summary.tables_of(verdict):
        parts += [f"### {escape(title)}", table(tuple(map(escape, head)), [tuple(row) for row in rows])]
    return parts + [escape(note) for note in summary.notes_of(verdict)]


def _picture(stored: StoredRun) -> list[str]:
    """The timeline, where somebody had it drawn: `harness report RUN --format svg,md`."""
    drawn = [name for name in DRAWN if (stored.path / name).is_file()]
    return [f"![Timeline of the run: socket file, workers, answers, probes]({drawn[0]})"] if drawn else []


def _gunicorn(stored: StoredRun, verdict: Mapping[str, Json]) -> list[str]:
    spec = text(stored.facts, "gunicorn", "spec", default=stored.cell.spec)
    revision = text(stored.facts, "gunicorn", "revision", default="")
    more = f" (asked for as {escape(spec)}{', revision ' + escape(revision) if revision else ''})"
    return [escape(summary.release(verdict)) + (more if spec != summary.release(verdict) or revision else "")]


def _worker(verdict: Mapping[str, Json]) -> list[str]:
    cell = mapping(verdict, "cell")
    started = f"{text(cell, 'worker')}: {text(cell, 'workers')} workers, {text(cell, 'threads')} threads"
    recycling = f"max_requests {text(cell, 'max_requests')}, jitter {text(cell, 'max_requests_jitter')}"
    return [escape(f"{started}, {recycling}")]


def _system(stored: StoredRun) -> list[str]:
    rows = [(name, version) for name, version in summary.versions(stored) if name not in ("gunicorn", "Python")]
    why = summary.load_line(stored.facts)
    return [table(("program", "version"), rows), *([escape(f"Load: {why}.")] if why else [])]


def _steps(stored: StoredRun) -> list[str]:
    cell = stored.cell
    if cell.scenario is not None:
        again = fence(shlex.join(repeat_stored(stored)), "sh")
        return [again, "Each of its runs, with a `reproduce.sh` that needs no harness, lies in the record's `arms/`."]
    if (stored.path / "reproduce.sh").is_file():
        needs = summary.script_needs(cell)
        first = f"Run `sh reproduce.sh` (in the attachment): it needs {needs}, not the harness."
    else:
        first = "There is no `reproduce.sh`: the run ended before the servers were configured."
    by_hand = (
        "By hand: install the packages below into a virtual environment, start gunicorn with `config/config.py`"
        + ("" if cell.proxy == "none" else f" and {escape(cell.proxy)} with its file in `config/`")
        + f", then load it with {cell.connections} connections for {cell.duration_s:g} s."
    )
    paragraphs = [f"1. {first}\n2. {by_hand}"]
    argv = texts(stored.facts, "gunicorn", "command")
    if argv:
        paragraphs += ["gunicorn was started as:", fence(shlex.join(argv), "sh")]
    freeze = texts(stored.facts, "gunicorn", "freeze")
    if freeze:
        paragraphs += ["Installed packages:", fence("\n".join(freeze))]
    return paragraphs


def _configuration(stored: StoredRun) -> list[str]:
    files = config_files(stored)
    if not files:
        return ["No server was configured in this run."]
    parts: list[str] = []
    for one in files:
        if one.text is not None:
            parts += [f"{escape(one.name)}:", fence(one.text, _CODE.get(one.suffix, ""))]
    rest = [escape(one.name) for one in files if one.text is None]
    return parts + ([f"Not shown here, but in the record: {', '.join(rest)}."] if rest else [])


def _logs(found: Sequence[Excerpt]) -> list[str]:
    parts = []
    for excerpt in found:
        parts += [f"{escape(excerpt.log)}, {escape(excerpt.title)}:", fence("\n".join(excerpt.lines))]
    return parts or ["No server wrote an error log in this run."]


def _context(stored: StoredRun, verdict: Mapping[str, Json]) -> list[str]:
    parts = [*_invariants(verdict), *_culprits(verdict), *_story(verdict)]
    counts = summary.count_lines(verdict)
    if counts:
        parts += ["### Counts", table(("what", "how many"), counts)]
    sentence = ledger_sentence(verdict)
    if sentence:
        parts += ["### What became of each request", escape(sentence) + "."]
        parts.append(table(("how many", "what became of them"), ledger_lines(verdict)))
    strength = summary.strength_line(verdict)
    if strength:
        parts += ["### Strength", escape(strength) + "."]
    parts += ["### Deviations from the original report's settings", _bullets(texts(stored.facts, "deviations"))]
    parts += ["### Shims", _bullets(summary.shim_lines(stored.facts))]
    parts += [f"Timing: {escape(summary.timing_line(verdict))}.", f"Run: {escape(stored.run_id)}."]
    return parts


def _invariants(verdict: Mapping[str, Json]) -> list[str]:
    states = mapping(verdict, "invariants")
    rows = [(name, text(states, name), text(verdict, "invariant_reasons", name, default="")) for name in states]
    return ["### Verdict", table(("invariant", "state", "why"), rows)] if rows else []


def _culprits(verdict: Mapping[str, Json]) -> list[str]:
    parts: list[str] = []
    for culprit in summary.culprits(verdict):
        stack = "\n".join(f"{frame}\n    {source}" if source else frame for frame, source in frames(culprit))
        parts += [f"### Who did it: {escape(summary.name_culprit(culprit))}", fence(stack)]
    return parts


def _story(verdict: Mapping[str, Json]) -> list[str]:
    moments = [moment for moment in items(verdict, "story") if isinstance(moment, Mapping)]
    rows = [(f"{number(moment, 'at_s') or 0:.3f}", text(moment, "what")) for moment in moments]
    return ["### What happened", table(("s since the load began", "what"), rows)] if rows else []


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {escape(one)}" for one in lines) or "None."
