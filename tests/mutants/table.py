"""The table of mutants as values: what each row says, checked for what can be checked without running it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HERE = Path(__file__).resolve().parent
TABLE = HERE / "mutants.toml"
SCHEMA = 1
VERDICTS = frozenset({"holds", "violated", "inconclusive", "unrunnable", "error"})
WORKERS = frozenset({"sync", "gthread", "gevent", "eventlet", "tornado", "asgi"})
# Written down here and not taken from the judge: the table must not follow a judge that loses one.
FINDINGS = frozenset(
    {
        "socket-deleted",
        "socket-replaced",
        "permanent-outage",
        "failed-responses",
        "workers-not-respawned",
        "max-requests-ignored",
        "recycled-early",
        "worker-crashed",
        "memory-unbounded",
        "capacity-lost",
        "recycled-late",
        "wrong-answers",
        "executed-twice",
        "workers-idle",
        "workers-surplus",
        "socket-unreachable",
        "socket-left-behind",
        "processes-left-behind",
        "stop-overdue",
        "descriptors-leaked",
        "signal-ignored",
        "arbiter-crashed",
    }
)

_REQUIRED = {"name", "patch", "release", "fault", "worker", "verdict", "why"}
_OPTIONAL = {"options", "settings", "findings", "one_of", "also", "culprit", "notes", "healed_by"}
RUNGS = frozenset({"wait", "reload", "upgrade", "restart"})
NOTHING = "nothing"
"""What healed it, in a row, where no rung of the ladder back did."""


class TableError(ValueError):
    """A row that says something impossible, or leaves something out."""


class Fault(Enum):
    """The class of a fault; the score is counted by it."""

    ANSWERS = "answers"
    WORKERS = "workers"
    LIMITS = "limits"
    PATH = "path"
    LEAKS = "leaks"
    STOP = "stop"
    DISTURBANCES = "disturbances"
    TIME = "time"
    CONNECTIONS = "connections"
    RECORDS = "records"  # the accounts of a run contradict each other
    HARMLESS = "harmless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Culprit:
    """Who the verdict must name. ``role`` None: nobody could be seen, and nobody may be blamed."""

    role: str | None
    call: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One patch and what the harness must say of the release that has it."""

    name: str
    patch: Path
    release: str
    fault: Fault
    worker: str
    options: tuple[str, ...]
    settings: Mapping[str, int | str]  # lines of a settings file, for what has no option
    verdicts: frozenset[str]  # any of these
    findings: tuple[str, ...]  # all of these; the culprit is that of the first
    one_of: frozenset[str]  # at least one of these, where there are any
    also: frozenset[str]  # further ones that follow from the fault now and then
    culprit: Culprit | None  # None: not looked at
    notes: frozenset[str]  # all of these
    healed_by: str | None  # the rung of the ladder back, or ``NOTHING``; None: not looked at
    why: str


def load_table(path: Path = TABLE) -> tuple[Mutant, ...]:
    """All rows, in the table's order. TableError names the first row that can't be right."""
    document = tomllib.loads(path.read_text(encoding="utf-8"))
    if document.get("schema") != SCHEMA:
        raise TableError(f"{path.name} has schema {document.get('schema')!r}, not {SCHEMA}")
    mutants = tuple(parse_row(row) for row in document["mutant"])
    names = [mutant.name for mutant in mutants]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise TableError(f"two rows have the name {', '.join(doubled)}")
    return mutants


def parse_row(row: Mapping[str, Any]) -> Mutant:
    """One row as a value."""
    name = str(row.get("name", "?"))
    _refuse(name, "lacks", _REQUIRED - row.keys())
    _refuse(name, "has the unknown", row.keys() - _REQUIRED - _OPTIONAL)
    said = row["verdict"]
    mutant = Mutant(
        name=name,
        patch=HERE / row["patch"],
        release=row["release"],
        fault=Fault(row["fault"]),
        worker=row["worker"],
        options=tuple(row.get("options", ())),
        settings=dict(row.get("settings", {})),
        verdicts=frozenset({said} if isinstance(said, str) else said),
        findings=tuple(row.get("findings", ())),
        one_of=frozenset(row.get("one_of", ())),
        also=frozenset(row.get("also", ())),
        culprit=_parse_culprit(row.get("culprit")),
        notes=frozenset(row.get("notes", ())),
        healed_by=row.get("healed_by"),
        why=row["why"],
    )
    _check(mutant)
    return mutant


def _parse_culprit(said: Mapping[str, Any] | None) -> Culprit | None:
    if said is None:
        return None
    if said.get("seen") is False:
        return Culprit(role=None, call=None)
    return Culprit(role=said["role"], call=said["call"])


def _check(mutant: Mutant) -> None:
    _refuse(mutant.name, "expects the unknown verdict", mutant.verdicts - VERDICTS)
    _refuse(mutant.name, "expects the unknown finding", {*mutant.findings, *mutant.one_of, *mutant.also} - FINDINGS)
    _refuse(mutant.name, "runs the unknown worker class", {mutant.worker} - WORKERS)
    healed = set() if mutant.healed_by is None else {mutant.healed_by}
    _refuse(mutant.name, "is healed by the unknown", healed - RUNGS - {NOTHING})
    required = (*mutant.findings, *mutant.one_of)
    if ("violated" in mutant.verdicts) != bool(required):
        raise TableError(f"{mutant.name}: `violated` needs a finding, and a finding needs `violated`")
    if mutant.fault is Fault.HARMLESS and (mutant.verdicts != {"holds"} or mutant.also):
        raise TableError(f"{mutant.name}: a harmless change holds, whatever the run looks like")
    if mutant.culprit is not None and not mutant.findings:
        raise TableError(f"{mutant.name}: a culprit belongs to a finding")
    if not mutant.why.strip():
        raise TableError(f"{mutant.name}: does not say why")


def _refuse(name: str, what: str, wrong: set[str] | frozenset[str]) -> None:
    if wrong:
        raise TableError(f"{name}: {what} {', '.join(sorted(wrong))}")
