"""What a bisection found, and ``bisect.json``."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.studies.bisect.proof import ProofPart, ProofVerdict
from harness.studies.bisect.repository import CommitNote
from harness.studies.bisect.search import Direction

SCHEMA = 1
FILE = "bisect.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A change and how probable it is that it was the one."""

    id: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectStep:
    """One run: of what, what it said, and which change was the most probable afterwards (None: not known yet)."""

    id: str
    kind: str
    said: str
    took_s: float
    record: str | None
    best: Suspect | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Both experiments on the change."""

    verdict: ProofVerdict
    revert: ProofPart
    transplant: ProofPart


@dataclass(frozen=True, slots=True, kw_only=True)
class BisectResult:
    """``first`` is None where no single change reached the confidence; ``between``: the ends of the last search."""

    finding: str
    direction: Direction
    kind: str
    first: str | None
    posterior: float
    confidence: float
    suspects: tuple[Suspect, ...]
    profile: tuple[Suspect, ...]  # every change in its order, for the picture
    between: tuple[str, str]
    releases: tuple[str, str] | None  # the releases next to the change
    good: str
    bad: str
    worker: str
    settings: tuple[str, ...]  # the options of the runs
    python: str | None
    rates: Mapping[str, tuple[int, int]]  # "before" and "after": (with the finding, without it)
    steps: tuple[BisectStep, ...]
    took_s: float
    note: CommitNote | None = None
    proof: Proof | None = None
    why_no_proof: str = ""


def result_to_json(result: BisectResult) -> dict[str, Json]:
    """The content of ``bisect.json``."""
    return {
        "schema": SCHEMA,
        "finding": result.finding,
        "direction": result.direction.value,
        "kind": result.kind,
        "first": result.first,
        "posterior": round(result.posterior, 6),
        "confidence": result.confidence,
        "suspects": [_suspect(one) for one in result.suspects],
        "runs": len(result.steps),
        "steps": [_step(number, step) for number, step in enumerate(result.steps, 1)],
        "proof": _proof(result),
        "good": result.good,
        "bad": result.bad,
        "between": list(result.between),
        "releases": None if result.releases is None else list(result.releases),
        "worker": result.worker,
        "settings": list(result.settings),
        "python": result.python,
        "rates": {name: {"shown": shown, "runs": shown + absent} for name, (shown, absent) in result.rates.items()},
        "commit": None
        if result.note is None
        else {"subject": result.note.subject, "day": result.note.day, "author": result.note.author},
        "changes": [_suspect(one) for one in result.profile],
        "took_s": round(result.took_s, 1),
    }


def _suspect(suspect: Suspect) -> dict[str, Json]:
    return {"id": suspect.id, "probability": round(suspect.probability, 6)}


def _step(number: int, step: BisectStep) -> dict[str, Json]:
    return {
        "run": number,
        "id": step.id,
        "kind": step.kind,
        "said": step.said,
        "took_s": round(step.took_s, 2),
        "record": step.record,
        "best": None if step.best is None else _suspect(step.best),
    }


def _proof(result: BisectResult) -> Json:
    if result.proof is None:
        return {
            "verdict": ProofVerdict.UNTESTABLE.value,
            "why": result.why_no_proof,
            "revert": None,
            "transplant": None,
        }
    return {
        "verdict": result.proof.verdict.value,
        "revert": _part(result.proof.revert),
        "transplant": _part(result.proof.transplant),
    }


def _part(part: ProofPart) -> dict[str, Json]:
    runs = part.shown + part.absent
    return {"verdict": part.verdict.value, "done": part.done, "shown": part.shown, "runs": runs}
