"""What a verdict says against what the table expects of it. Pure: no process, no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.mutants.table import NOTHING, Fault, Mutant


def list_complaints(mutant: Mutant, said: Mapping[str, Any]) -> list[str]:
    """Each way in which a verdict is wrong, in words; none where it is right."""
    found = {finding["id"]: finding for finding in said.get("findings", ())}
    complaints = [*_judge_verdict(mutant, said.get("verdict"), found.keys())]
    only = mutant.verdicts == {"violated"}
    if only or ("violated" in mutant.verdicts and said.get("verdict") == "violated"):
        complaints += _judge_findings(mutant, found.keys())
    if mutant.culprit is not None:
        complaints += _judge_culprit(mutant, found)
    if mutant.healed_by is not None:
        complaints += _judge_recovery(mutant.healed_by, said.get("recovery"))
    noted = {note["id"] for note in said.get("notes", ())}
    complaints += [f"the note {note} is missing" for note in sorted(mutant.notes - noted)]
    if "interference" in noted:  # nobody but gunicorn does anything in these runs
        complaints.append("the note interference blames others")
    return complaints


def count_by_fault(results: Iterable[tuple[Fault, bool]]) -> dict[Fault, tuple[int, int]]:
    """How many of each class were judged rightly, and of how many."""
    score: dict[Fault, tuple[int, int]] = {}
    for fault, right in results:
        good, all_ = score.get(fault, (0, 0))
        score[fault] = (good + right, all_ + 1)
    return score


def _judge_verdict(mutant: Mutant, verdict: str | None, found: Iterable[str]) -> Iterable[str]:
    if verdict in mutant.verdicts:
        return
    # What may follow from a change that breaks no promise by itself.
    if verdict == "violated" and mutant.also and "holds" in mutant.verdicts and set(found) <= mutant.also:
        return
    shown = f" ({', '.join(sorted(found))})" if found else ""
    yield f"{verdict}{shown} instead of {' or '.join(sorted(mutant.verdicts))}"


def _judge_findings(mutant: Mutant, found: Iterable[str]) -> Iterable[str]:
    ids = set(found)
    for missing in (name for name in mutant.findings if name not in ids):
        yield f"{missing} is missing"
    if mutant.one_of and not mutant.one_of & ids:
        yield f"none of {', '.join(sorted(mutant.one_of))}"
    for extra in sorted(ids - {*mutant.findings} - mutant.one_of - mutant.also):
        yield f"{extra} is wrong"


def _judge_recovery(expected: str, recovery: Mapping[str, Any] | None) -> Iterable[str]:
    if recovery is None:
        yield "no ladder was climbed"
    elif (recovery["healed_by"] or NOTHING) != expected:
        yield f"healed by {recovery['healed_by'] or NOTHING} instead of {expected}"


def _judge_culprit(mutant: Mutant, found: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    expected = mutant.culprit
    finding = found.get(mutant.findings[0])
    if expected is None or finding is None:
        return  # its absence is told elsewhere
    named = finding.get("culprit")
    if expected.role is None:
        if named is not None:
            yield f"{named['role']} with {named['call']} is blamed, though nobody can have seen it"
        if "outside" in finding.get("detail", ""):
            yield "the outside is blamed without evidence"
    elif named is None:
        yield f"no culprit instead of {expected.role} with {expected.call}"
    elif (named["role"], named["call"]) != (expected.role, expected.call):
        yield f"{named['role']} with {named['call']} is blamed instead of {expected.role} with {expected.call}"
