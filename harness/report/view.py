"""A run as its reports show it: each text and each row, read once from what was stored, for HTML and Markdown alike.

No layout: what stands where is said by the templates, and what escapes a text by ``templates``.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from harness.core.events.servers import TracedRemoval
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json, Outcome
from harness.core.text import plural
from harness.records.stored import StoredRun
from harness.report import summary
from harness.report.configuration import ConfigFile, config_files
from harness.report.excerpts import Excerpt
from harness.report.fields import frames, items, line, mapping, number, text, texts
from harness.report.invariants import invariant_rows
from harness.report.known.causes import Explanation, explain
from harness.report.ledger import ledger_alarm, ledger_lines, ledger_sentence
from harness.report.repeat import repeat_stored
from harness.stack.workers import find_worker

DRAWN = ("timeline.svg", "timeline.png")
"""What the timeline is called where it was drawn for this report, the better one first."""

Rows = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackCall:
    """One call of a stack; ``around`` are the source lines around it that the tracer kept."""

    place: str
    source: str
    around: Sequence[tuple[int, str, bool]]  # number, text, whether it is the call


@dataclass(frozen=True, slots=True, kw_only=True)
class CulpritView:
    """Who did it, and the stack, outermost call first."""

    role: str
    pid: str
    call: str
    stack: Sequence[StackCall]

    @property
    def trace(self) -> str:
        """The stack as text, each source line below its call."""
        return "\n".join(f"{one.place}\n    {one.source}" if one.source else one.place for one in self.stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """All that a report of one run may show. Texts are as recorded; "" and empty rows where there is nothing."""

    cell: Cell
    run_id: str
    # the answer
    subject: str
    outcome: str
    answer: str
    sign: str
    tone: str
    setting: str
    alarm: str | None
    strength: str | None
    recovery: str | None
    ladder: Rows  # rung, healed, after, lost, what else
    reasons: Rows  # label, text: why there is no clear answer
    findings: Rows  # id, text
    causes: Sequence[Explanation]
    to_be_known: Rows  # id, text: the verdict's notes
    is_scenario: bool
    tables: Sequence[tuple[str, list[str], list[list[str]]]]
    notes: Sequence[str]
    # the evidence
    moments: Rows  # seconds, text
    culprits: Sequence[CulpritView]
    counts_title: str
    counts: Rows
    ledger: str | None
    requests: Rows  # how many, what became of them
    invariants: Rows  # name, state, why
    logs: Sequence[Excerpt]
    # the surroundings
    release: str
    spec: str
    revision: str
    workers: str
    versions: Rows  # program, version
    load_note: str | None
    packages: Sequence[str]
    settings: Rows  # setting, yours, run with, why
    proxy_changes: Rows  # place in the user's own configuration, yours, run with, why
    config: Sequence[ConfigFile]
    deviations: Sequence[str]
    shims: Sequence[str]
    timing: str
    # the way to repeat it
    command: str
    repeat: str
    judge_again: str
    has_script: bool
    script_needs: str
    picture: str

    @property
    def failed(self) -> bool:
        """Whether there is no answer because nothing could be tried."""
        return self.outcome in (Outcome.ERROR.value, Outcome.UNRUNNABLE.value)

    @property
    def numbered_moments(self) -> Rows:
        """Number, seconds, text: the numbers are those in the timeline."""
        return [(str(at), *moment) for at, moment in enumerate(self.moments, start=1)]

    @property
    def is_calm(self) -> bool:
        """Whether a single run found nothing, and may say so."""
        return self.outcome == Outcome.HOLDS.value and not self.is_scenario and not self.findings


def view_run(stored: StoredRun, *, logs: Sequence[Excerpt] = (), removals: Sequence[TracedRemoval] = ()) -> RunView:
    """The view; ``removals`` are the tracer's events, which have the source lines around each call.

    Raises:
        UsageError: the run has no verdict.
    """
    verdict, facts = stored.judged(), stored.facts
    outcome = text(verdict, "verdict")
    sign, tone = summary.SIGNS.get(outcome, ("?", "unsure"))
    return RunView(
        cell=stored.cell,
        run_id=stored.run_id,
        subject=summary.subject(verdict),
        outcome=outcome,
        answer=summary.answer_of(verdict).sentence,
        sign=sign,
        tone=tone,
        setting=summary.setting(verdict),
        alarm=ledger_alarm(verdict),
        strength=summary.strength_line(verdict),
        recovery=summary.recovery_line(verdict),
        ladder=summary.recovery_rows(verdict),
        reasons=summary.error_lines(verdict),
        findings=[(text(one, "id"), summary.describe(one)) for one in summary.findings(verdict)],
        causes=explain(verdict),
        to_be_known=summary.note_lines(verdict),
        is_scenario=summary.is_scenario(verdict),
        tables=summary.tables_of(verdict),
        notes=summary.notes_of(verdict),
        moments=_moments(verdict),
        culprits=[_culprit(one, removals) for one in summary.culprits(verdict)],
        counts_title=summary.name_counts(verdict),
        counts=summary.count_lines(verdict),
        ledger=ledger_sentence(verdict),
        requests=ledger_lines(verdict),
        invariants=invariant_rows(verdict),
        logs=logs,
        release=summary.release(verdict),
        spec=text(facts, "gunicorn", "spec", default=stored.cell.spec),
        revision=text(facts, "gunicorn", "revision", default=""),
        workers=_workers(verdict, has_own=bool(items(facts, "settings"))),
        versions=summary.versions(stored),
        load_note=summary.load_line(facts),
        settings=summary.setting_rows(facts),
        proxy_changes=summary.proxy_rows(facts),
        packages=texts(facts, "gunicorn", "freeze"),
        config=config_files(stored),
        deviations=texts(facts, "deviations"),
        shims=summary.shim_lines(facts),
        timing=summary.timing_line(verdict),
        command=shlex.join(texts(facts, "gunicorn", "command")),
        repeat=shlex.join(repeat_stored(stored)),
        judge_again=shlex.join(["harness", "judge", f"{stored.run_id}.zip"]),
        has_script=(stored.path / "reproduce.sh").is_file(),
        script_needs=summary.script_needs(stored.cell),
        picture=next((name for name in DRAWN if (stored.path / name).is_file()), ""),
    )


def _moments(verdict: Mapping[str, Json]) -> Rows:
    story = [one for one in items(verdict, "story") if isinstance(one, Mapping)]
    return [(f"{number(one, 'at_s') or 0:.3f}", text(one, "what")) for one in story]


def _workers(verdict: Mapping[str, Json], *, has_own: bool) -> str:
    cell = mapping(verdict, "cell")
    workers, threads = number(cell, "workers") or 0, number(cell, "threads") or 0
    fleet = f"{plural(workers, 'worker')}, {plural(threads, 'thread')}"
    named = find_worker(text(cell, "worker")).named_with_threads if threads > 1 and not has_own else None
    how = f" (asked for as worker_class '{named}' with several threads)" if named else ""
    limits = f"max_requests {text(cell, 'max_requests')}, jitter {text(cell, 'max_requests_jitter')}"
    return f"{text(cell, 'worker')}{how}: {fleet}, {limits}"


def _culprit(culprit: Mapping[str, Json], removals: Sequence[TracedRemoval]) -> CulpritView:
    around, calls = _around(culprit, removals), frames(culprit)
    stack = [
        StackCall(place=place, source=source, around=_numbered(place, around[depth] if depth < len(around) else None))
        for depth, (place, source) in zip(reversed(range(len(calls))), calls, strict=True)
    ]
    return CulpritView(role=text(culprit, "role"), pid=text(culprit, "pid"), call=text(culprit, "call"), stack=stack)


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


def _numbered(place: str, around: Json) -> list[tuple[int, str, bool]]:
    """The lines around a call with their numbers, and which of them is the call."""
    first, lines = number(around, "first"), items(around, "lines")
    if first is None or not lines:
        return []
    at = place.partition(" ")[0].rpartition(":")[2]
    current = int(at) if at.isascii() and at.isdigit() else 0
    return [(at_line, str(one), at_line == current) for at_line, one in enumerate(lines, start=int(first))]
