"""What healed a service that stayed down: the rungs of the ladder back, judged from what a client saw on each. Pure.

It changes no verdict: the window is closed before the first rung.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.core.events.recovery import RungBegan, RungEnded
from harness.core.frozen import dataclass
from harness.core.model import Json, is_success
from harness.core.observations import Observations

ENOUGH_ANSWERS = 10
"""So many answers of success in a row, the last that were asked for on a rung, mean that it healed the service."""

WAIT, RELOAD, UPGRADE, RESTART = "wait", "reload", "upgrade", "restart"

NAMES: Mapping[str, str] = {
    WAIT: "waiting",
    RELOAD: "a reload",
    UPGRADE: "an upgrade",
    RESTART: "a restart",
}
"""The rungs in their order, as a report names them."""

NOT_NEEDED = "not needed: the service answered again by itself"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rung as it was climbed. ``after_s``: from its begin to the first answer of success that others followed."""

    name: str
    took_s: float
    asked: int
    lost: int
    after_s: float | None
    skipped: str | None
    detail: str | None


def is_healed(answers: Sequence[tuple[int, str]]) -> bool:
    """Whether the last answers of a rung are all of success, and enough."""
    last = answers[-ENOUGH_ANSWERS:]
    return len(last) == ENOUGH_ANSWERS and all(is_success(outcome) for _, outcome in last)


def find_recovery(observations: Observations) -> dict[str, Json] | None:
    """``recovery`` of verdict.json; None where it was not asked for, or the run did not come so far."""
    if not observations.cell.recover or observations.fault is not None or "closed" not in observations.phases:
        return None
    if "recover" not in observations.phases:
        return {"needed": False, "healed_by": None, "said": NOT_NEEDED, "rungs": []}
    rungs = [_read_rung(event, observations.rungs) for event in observations.rungs if isinstance(event, RungEnded)]
    healer = next((rung for rung in rungs if rung.after_s is not None), None)
    return {
        "needed": True,
        "healed_by": None if healer is None else healer.name,
        "after_s": None if healer is None else healer.after_s,
        "asked": sum(rung.asked for rung in rungs),
        "lost": sum(rung.lost for rung in rungs),
        "said": describe(rungs),
        "rungs": [_to_json(rung) for rung in rungs],
    }


def describe(rungs: Sequence[Rung]) -> str:
    """In a sentence: ``healed by a reload after 0.4 s; a restart was not needed``."""
    healer = next((rung for rung in rungs if rung.after_s is not None), None)
    failed = [NAMES[rung.name] for rung in rungs if rung is not healer and rung.skipped is None]
    skipped = [NAMES[rung.name] for rung in rungs if rung.skipped is not None]
    impossible = [f"{_join(skipped, 'and')} could not be tried ({_why_skipped(rungs)})"] if skipped else []
    if healer is None:
        missing = [] if rungs and rungs[-1].name == RESTART else ["the ladder was not climbed to its end"]
        return "; ".join([f"nothing healed it: not {_join(failed, 'nor')}", *impossible, *missing])
    first = f"healed by {NAMES[healer.name]}" if healer.name != WAIT else "healed by itself"
    parts = [f"{first} after {healer.after_s:.1f} s"]
    helpless = [name for name in failed if name != NAMES[WAIT] or healer.name == RELOAD]
    if helpless:
        parts.append(f"{_join(helpless, 'and')} did not help")
    needless = [name for name in NAMES if list(NAMES).index(name) > list(NAMES).index(healer.name)]
    if needless:
        parts.append(f"{NAMES[needless[-1]]} was not needed")
    return "; ".join([*parts, *impossible])


def _why_skipped(rungs: Sequence[Rung]) -> str:
    return next(rung.skipped for rung in rungs if rung.skipped is not None) or ""


def _join(names: Sequence[str], last: str) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f" {last} ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def _read_rung(ended: RungEnded, events: Sequence[RungBegan | RungEnded]) -> Rung:
    begun = (one.at_ns for one in events if isinstance(one, RungBegan) and one.name == ended.name)
    began_ns = next(begun, ended.at_ns)
    return Rung(
        name=ended.name,
        took_s=round((ended.at_ns - began_ns) / 1e9, 3),
        asked=len(ended.answers),
        lost=sum(not is_success(outcome) for _, outcome in ended.answers),
        after_s=_find_healing_s(ended.answers),
        skipped=ended.skipped,
        detail=ended.detail,
    )


def _find_healing_s(answers: Sequence[tuple[int, str]]) -> float | None:
    """When the unbroken row of successes began with which the rung ended; None where it did not heal."""
    if not is_healed(answers):
        return None
    first_ns = answers[-1][0]
    for at_ns, outcome in reversed(answers):
        if not is_success(outcome):
            break
        first_ns = at_ns
    return round(first_ns / 1e9, 3)


def _to_json(rung: Rung) -> dict[str, Json]:
    optional: dict[str, Json] = {"skipped": rung.skipped, "detail": rung.detail}
    return {
        "rung": rung.name,
        "healed": rung.after_s is not None,
        "after_s": rung.after_s,
        "took_s": rung.took_s,
        "asked": rung.asked,
        "lost": rung.lost,
        **{name: value for name, value in optional.items() if value is not None},
    }
