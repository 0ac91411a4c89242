"""A bisection for a reader: text, Markdown for an issue, and a page with the probabilities as a picture."""

from __future__ import annotations

from harness.core.frozen import dataclass
from harness.core.text import plural
from harness.report.templates import render
from harness.studies.bisect.proof import PartVerdict, ProofPart
from harness.studies.bisect.repository import short
from harness.studies.bisect.result import BisectResult, Suspect
from harness.studies.bisect.stages import COMMIT, RELEASE

WIDTH, HEIGHT = 720, 160
SHOWN_SUSPECTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One change in the picture."""

    name: str
    percent: str
    x: float
    width: float
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectView:
    """What the templates print; all of it texts."""

    answer: str
    facts: tuple[tuple[str, str], ...]
    suspects: tuple[tuple[str, str], ...]
    steps: tuple[tuple[str, str, str, str, str], ...]
    bars: tuple[Bar, ...]
    width: int = WIDTH
    height: int = HEIGHT


def render_terminal(result: BisectResult) -> str:
    """The answer first, then what it rests on."""
    view = make_view(result)
    lines = [view.answer, *(f"  {name:<12} {value}" for name, value in view.facts)]
    if result.first is None:
        lines += ["Suspects:", *(f"  {name:<12} {chance}" for name, chance in view.suspects)]
    return "\n".join(lines) + "\n"


def render_markdown(result: BisectResult) -> str:
    """For an issue."""
    return render("bisect.md.j2", view=make_view(result))


def render_html(result: BisectResult) -> str:
    """One file, no network."""
    return render("bisect.html.j2", view=make_view(result))


def make_view(result: BisectResult) -> BisectView:
    """Everything as texts."""
    return BisectView(
        answer=describe_answer(result),
        facts=tuple(_list_facts(result)),
        suspects=tuple((_name(result, one), f"{one.probability:.1%}") for one in result.suspects[:SHOWN_SUSPECTS]),
        steps=tuple(
            (
                str(number),
                step.id if step.kind == RELEASE else short(step.id),
                step.said,
                f"{step.took_s:.1f} s",
                "" if step.best is None else f"{_name(result, step.best)} {step.best.probability:.0%}",
            )
            for number, step in enumerate(result.steps, 1)
        ),
        bars=tuple(_draw(result)),
    )


def describe_answer(result: BisectResult) -> str:
    """One sentence."""
    what = f"{result.finding} ({result.worker}) was {result.direction.value}"
    if result.first is None:
        return f"{what} by one of {plural(len(result.suspects), 'suspect')}, which these runs can't tell apart"
    if result.kind == RELEASE:
        return f"{what} in {result.first}; probability {result.posterior:.1%}"
    between = "" if result.releases is None else f", between {result.releases[0]} and {result.releases[1]}"
    subject = "" if result.note is None else f' "{result.note.subject}"'
    return f"{what} by commit {short(result.first)}{subject}{between}; probability {result.posterior:.1%}"


def _list_facts(result: BisectResult) -> list[tuple[str, str]]:
    rates = [f"{shown} of {shown + absent} runs" for shown, absent in result.rates.values()]
    facts = [("seen", f"before the change in {rates[0]}, from it on in {rates[1]}")]
    if result.note is not None:
        facts.insert(0, ("commit", f"{result.note.id}, {result.note.day}, {result.note.author}"))
    facts.append(("runs", f"{len(result.steps)}, in {result.took_s:.0f} s"))
    facts.append(("settings", " ".join(result.settings) or "those of the original report"))
    if result.proof is None:
        facts.append(("proof", f"not testable: {result.why_no_proof}"))
    else:
        facts.append(("proof", result.proof.verdict.value))
        facts += [("", _describe_part(part)) for part in (result.proof.revert, result.proof.transplant)]
    return facts


def _describe_part(part: ProofPart) -> str:
    if part.verdict is PartVerdict.UNTESTABLE:
        return f"{part.done}; {part.verdict.value}"
    return (
        f"{part.done}: the finding in {part.shown} of {plural(part.shown + part.absent, 'run')}; {part.verdict.value}"
    )


def _name(result: BisectResult, suspect: Suspect) -> str:
    return short(suspect.id) if result.kind == COMMIT else suspect.id


def _draw(result: BisectResult) -> list[Bar]:
    step = WIDTH / max(len(result.profile), 1)
    return [
        Bar(
            name=_name(result, one),
            percent=f"{one.probability:.1%}",
            x=round(place * step, 2),
            width=round(max(step * 0.9, 0.5), 2),
            y=round(HEIGHT * (1 - one.probability), 2),
            height=round(max(HEIGHT * one.probability, 0.5), 2),
        )
        for place, one in enumerate(result.profile)
    ]
