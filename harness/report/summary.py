"""What a verdict means in a sentence: the wording that the reports share, the socket file first.

Sentences from stored JSON only; no layout, no colour, no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from harness.core.findings import FindingId, find_row
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json, Outcome, State
from harness.core.text import plural
from harness.records.stored import StoredRun
from harness.report.fields import dig, items, line, mapping, number, pairs, seconds, text, texts

SOCKET_INVARIANT = FindingId.SOCKET_DELETED.invariant
SHORT_CHARS = 45

SIGNS: Mapping[str, tuple[str, str]] = {
    Outcome.HOLDS.value: ("\N{HEAVY CHECK MARK}", "good"),
    Outcome.VIOLATED.value: ("\N{HEAVY BALLOT X}", "bad"),
    Outcome.INCONCLUSIVE.value: ("?", "unsure"),
    Outcome.UNRUNNABLE.value: ("\N{CIRCLED DIVISION SLASH}", "unsure"),
    Outcome.ERROR.value: ("!", "unsure"),
}
"""A sign and a tone for each verdict: colour alone says nothing to many readers."""


class Tone(str, Enum):
    """How a line is meant, for a reader who sees colours."""

    BAD = "bad"
    GOOD = "good"
    UNSURE = "unsure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """The first sentence of a report."""

    sentence: str
    tone: Tone


def findings(verdict: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """The findings that are objects, as stored: the socket's come first."""
    return [finding for finding in items(verdict, "findings") if isinstance(finding, Mapping)]


def culprits(verdict: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Who did it, each once, in the order of the findings."""
    told: list[Mapping[str, Json]] = []
    for finding in findings(verdict):
        culprit = finding.get("culprit")
        if isinstance(culprit, Mapping) and culprit not in told:
            told.append(culprit)
    return told


def name_culprit(culprit: Mapping[str, Json]) -> str:
    """``worker, pid 4711, os.unlink``."""
    return f"{text(culprit, 'role')}, pid {text(culprit, 'pid')}, {text(culprit, 'call')}"


def is_about_socket(finding: Json) -> bool:
    """Whether a finding is about the socket file and not about any of the other faults."""
    row = find_row(dig(finding, "id"))
    return row is not None and row.invariant == SOCKET_INVARIANT


def is_scenario(verdict: Mapping[str, Json]) -> bool:
    """Whether this is the verdict on several runs, with an answer of its own."""
    return bool(mapping(verdict, "scenario"))


def answer_of(verdict: Mapping[str, Json]) -> Headline:
    """The first sentence: what the scenario found out, else what became of the socket file."""
    if not is_scenario(verdict):
        return socket_answer(verdict)
    tones = {Outcome.HOLDS.value: Tone.GOOD, Outcome.VIOLATED.value: Tone.BAD}
    tone = tones.get(text(verdict, "verdict"), Tone.UNSURE)
    return Headline(sentence=text(verdict, "scenario", "answer", default="no answer was recorded"), tone=tone)


def tables_of(verdict: Mapping[str, Json]) -> list[tuple[str, list[str], list[list[str]]]]:
    """(title, head, rows) of what a scenario measured; every row as wide as the head."""
    found = []
    for table in items(verdict, "scenario", "tables"):
        head = texts(table, "head")
        rows = [[line(str(cell)) for cell in items({"row": row}, "row")] for row in items(table, "rows")]
        found.append((text(table, "title", default=""), head, [(row + [""] * len(head))[: len(head)] for row in rows]))
    return [one for one in found if one[1]]


def notes_of(verdict: Mapping[str, Json]) -> list[str]:
    """What else a scenario has to say, a sentence or two each."""
    return texts(verdict, "scenario", "notes")


def socket_answer(verdict: Mapping[str, Json]) -> Headline:
    """What became of the socket file, kept apart from everything else that broke."""
    for finding in findings(verdict):
        row = find_row(finding.get("id"))
        if row is not None and row.headline is not None:
            return Headline(sentence=f"{row.headline}{_when(finding)}", tone=Tone.BAD)
    if dig(verdict, "cell", "bind") == "tcp":
        return Headline(sentence="not applicable: bound to a TCP port, so there is no socket file", tone=Tone.GOOD)
    if dig(verdict, "cell", "bind") == "abstract":
        return Headline(sentence="not applicable: an abstract socket has no file", tone=Tone.GOOD)
    state = dig(verdict, "invariants", SOCKET_INVARIANT)
    if state == State.HOLDS.value:
        seen = number(verdict, "strength", "disturbances") or number(verdict, "counts", "recycles")
        sure = dig(verdict, "verdict") in (Outcome.HOLDS.value, Outcome.VIOLATED.value) and seen
        noun = "recycle" if number(verdict, "strength", "disturbances") is None else "disturbance"
        survived = f"socket file survived {plural(seen or 0, noun)}"
        return Headline(sentence=survived, tone=Tone.GOOD if sure else Tone.UNSURE)
    if state == State.VIOLATED.value:
        return Headline(sentence="socket file did not survive", tone=Tone.BAD)
    why = text(verdict, "invariant_reasons", SOCKET_INVARIANT, default="it was not watched to the end")
    return Headline(sentence=f"socket file: unknown ({why})", tone=Tone.UNSURE)


def subject(verdict: Mapping[str, Json]) -> str:
    """What was tested: ``gunicorn 19.6.0, gthread worker``."""
    return f"gunicorn {release(verdict)}, {text(verdict, 'cell', 'worker')} worker"


def release(verdict: Mapping[str, Json]) -> str:
    """The installed version, else what was asked for."""
    return text(verdict, "cell", "gunicorn", default=text(verdict, "cell", "spec"))


def setting(verdict: Mapping[str, Json]) -> str:
    """The rest of the cell in one line."""
    cell = mapping(verdict, "cell")
    return (
        f"Python {text(cell, 'python')}, {text(cell, 'proxy')} over {text(cell, 'bind')}, {text(cell, 'load')}, "
        f"{plural(number(cell, 'workers') or 0, 'worker')} x {plural(number(cell, 'threads') or 0, 'thread')}, "
        f"max_requests {text(cell, 'max_requests')} (jitter {text(cell, 'max_requests_jitter')}), "
        f"{text(cell, 'backend')}"
    )


def describe(finding: Mapping[str, Json]) -> str:
    """A finding without its id: ``at 1.27 s: the text``."""
    at_s = number(finding, "at_s")
    return (f"at {seconds(finding, 'at_s')}: " if at_s is not None else "") + text(finding, "detail", default="")


def name_counts(verdict: Mapping[str, Json]) -> str:
    """The title over ``count_lines``; the verdict of a scenario may be about one of its runs alone."""
    return "Counts, all runs of the scenario together" if is_scenario(verdict) else "Counts"


def count_lines(verdict: Mapping[str, Json]) -> list[tuple[str, str]]:
    """(name, value) of everything that was counted; what a later version counts too is shown as it is.

    The ledger has lines of its own, see ``report.ledger``.
    """
    counts = mapping(verdict, "counts")
    return [(line(name).replace("_", " "), _counted(value)) for name, value in counts.items() if name != "ledger"]


def strength_line(verdict: Mapping[str, Json]) -> str | None:
    """How strong a ``holds`` is, in one sentence; None for other verdicts."""
    if dig(verdict, "verdict") != Outcome.HOLDS.value:
        return None
    disturbed = number(verdict, "strength", "disturbances")
    noun = "recycle" if disturbed is None else "disturbance"
    trials = number(verdict, "strength", "recycles") if disturbed is None else disturbed
    requests = number(verdict, "strength", "requests")
    requests = number(verdict, "counts", "requests") if requests is None else requests
    bound = "failure_rate_upper_95" if disturbed is None else "failure_rate_per_disturbance_upper_95"
    upper = number(verdict, "strength", bound)
    seen = f"no failure in {plural(trials or 0, noun)} and {plural(requests or 0, 'request')}"
    if upper is None:
        return seen + "; no bound of the failure rate is known"
    each = number(verdict, "strength", "failure_rate_per_request_upper_95")
    requests_too = "" if each is None else f" and fewer than {each:.2g} of all requests"
    return f"{seen}; with 95 % confidence fewer than {upper:.2%} of all {noun}s{requests_too} fail"


def recovery_line(verdict: Mapping[str, Json]) -> str | None:
    """What healed a service that stayed down, in one sentence; None where nobody asked for it."""
    if "recovery" not in verdict:
        return None
    said = text(verdict, "recovery", "said")
    asked, lost = number(verdict, "recovery", "asked"), number(verdict, "recovery", "lost")
    losses = f" ({lost} of {plural(asked, 'request')} were lost meanwhile)" if asked and lost is not None else ""
    return f"Recovery: {said}{losses}"


def recovery_rows(verdict: Mapping[str, Json]) -> list[tuple[str, str, str, str, str]]:
    """Each rung of the ladder back: (rung, healed, after, requests lost, what else was seen)."""
    rows = []
    for rung in items(verdict, "recovery", "rungs"):
        skipped = text(rung, "skipped", default="")
        healed = "not tried" if skipped else "yes" if dig(rung, "healed") is True else "no"
        after = seconds(rung, "after_s") if number(rung, "after_s") is not None else ""
        lost = f"{text(rung, 'lost')} of {text(rung, 'asked')}"
        rows.append((text(rung, "rung"), healed, after, lost, skipped or text(rung, "detail", default="")))
    return rows


def note_lines(verdict: Mapping[str, Json]) -> list[tuple[str, str]]:
    """What breaks no promise but should be known: (id, detail)."""
    return [
        (line(text(note, "id")), text(note, "detail")) for note in items(verdict, "notes") if isinstance(note, Mapping)
    ]


def timing_line(verdict: Mapping[str, Json]) -> str:
    """Where the time went: ``prepare 0.100 s, ... total 2.60 s``."""
    timing = mapping(verdict, "timing_s")
    return ", ".join(f"{line(name)} {seconds(timing, name)}" for name in timing) or "not recorded"


def shim_lines(facts: Mapping[str, Json]) -> list[str]:
    """Each shim with its reason, ``name (why)``."""
    shims = items(facts, "gunicorn", "shims")
    named = [f"{text(shim, 'name')} ({text(shim, 'why')})" for shim in shims if isinstance(shim, Mapping)]
    return named + [line(shim) for shim in shims if isinstance(shim, str)]


def setting_rows(facts: Mapping[str, Json]) -> list[tuple[str, str, str, str]]:
    """The user's own settings: (setting, yours, run with, why); none where the run had the harness's."""
    keys = ("setting", "yours", "run_with", "why")
    rows = [row for row in items(facts, "settings") if isinstance(row, Mapping)]
    return [(text(row, keys[0]), text(row, keys[1]), text(row, keys[2]), text(row, keys[3])) for row in rows]


def proxy_rows(facts: Mapping[str, Json]) -> list[tuple[str, str, str, str]]:
    """What the run changed in the user's own proxy configuration: (place, yours, run with, why)."""
    rows = [row for row in items(facts, "proxy", "own", "changes") if isinstance(row, Mapping)]
    return [
        (text(row, "place"), text(row, "yours"), text(row, "run_with", default="") or "nothing", text(row, "why"))
        for row in rows
    ]


def error_lines(verdict: Mapping[str, Json]) -> list[tuple[str, str]]:
    """(label, text) for an error, unrunnable or inconclusive verdict: what, why, what to do."""
    error = mapping(verdict, "error")
    reasons = "; ".join(texts(verdict, "reasons"))
    what = text(error, "what", default=reasons or "no reason was recorded")
    rows = [("What", what), ("Why", reasons if reasons != what else "")]
    rows += [("To do", text(error, "remedy", default="")), ("More in", text(error, "log", default=""))]
    return [(label, said) for label, said in rows if said]


def load_line(facts: Mapping[str, Json]) -> str | None:
    """Why another load than the default one was used, if the user had not asked for it."""
    return text(facts, "load", "note", default="") or None


def script_needs(cell: Cell) -> str:
    """What ``reproduce.sh`` needs, in words."""
    proxy = "" if cell.proxy == "none" else ", the proxy"
    return (
        f"a shell, Python{proxy} and wrk" if cell.load == "wrk" else f"a shell, Python{proxy}, and wrk if it is there"
    )


def deviation_line(facts: Mapping[str, Json]) -> str:
    """In which points a run differs from the original report; what each means in full is in facts.json."""
    points = [said if len(said) <= SHORT_CHARS else said.partition(":")[0] for said in texts(facts, "deviations")]
    return f"{'; '.join(points)} (in full: facts.json)" if points else "none"


def versions(stored: StoredRun) -> list[tuple[str, str]]:
    """(program, version) of what took part."""
    facts = stored.facts
    system = ", ".join(text(facts, "os", key) for key in ("distribution", "kernel", "machine"))
    cpus = number(facts, "os", "cpus")
    rows = [
        ("gunicorn", text(facts, "gunicorn", "version", default=stored.cell.gunicorn or stored.cell.spec)),
        ("Python", text(facts, "python", "version", default=stored.cell.python or "unknown")),
        (stored.cell.proxy, text(facts, "proxy", "version")),
        (stored.cell.load, text(facts, "load", "version")),
        ("system", system + (f", {plural(cpus, 'CPU')}" if cpus is not None else "")),
        ("harness", text(facts, "harness", "version")),
    ]
    return [(name, version) for name, version in rows if name != "none"]


def _when(finding: Mapping[str, Json]) -> str:
    at_s = number(finding, "at_s")
    if at_s is None:
        return ""
    return f" {seconds(finding, 'at_s')} after the load began" if at_s >= 0 else " before the load began"


def _counted(value: Json) -> str:
    if not isinstance(value, Mapping):
        return f"{value:,}" if isinstance(value, int | float) else line(str(value))
    if any(isinstance(inner, Mapping) for inner in value.values()):
        return "; ".join(f"{line(name)} ({_counted(inner)})" for name, inner in value.items())
    return pairs(value)
