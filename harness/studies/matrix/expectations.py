"""What is known of each cell: read from ``expectations.toml``, and compared with what the runs showed.

Pure but for reading that file. A release without an entry must hold everything; where the catalogue says that a
release has no such worker class, ``unrunnable`` is expected.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from harness.core.errors import UsageError
from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.model import Cell, Outcome
from harness.disturb import DISTURBANCES, RECYCLE
from harness.judge.restarts import BY_CHANCE, chance_of
from harness.provision.specifiers import as_version
from harness.studies.matrix.result import UNDECIDED, Agreement, Expected, RunResult, combine_runs

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FLUKE = 0.01
"""The share of runs in which a finding that is expected in each may be missing: a busy machine, a lucky moment."""

SCHEMA = 1
PACKED = Path(__file__).with_name("expectations.toml")
HOLDS = Expected(outcome=Outcome.HOLDS)
_KEYS = {
    "releases",
    "workers",
    "proxies",
    "binds",
    "disturbances",
    "verdict",
    "findings",
    "sometimes",
    "reason",
    "upstream",
}
_FINDINGS = {finding.value for finding in FindingId}
_REMEDY = "See docs/matrix.md for the form of an entry."


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One row of the file: the cells that it is about (none named: all), and what is expected of them."""

    releases: SpecifierSet
    workers: tuple[str, ...]
    proxies: tuple[str, ...]
    binds: tuple[str, ...]
    disturbances: tuple[str, ...]  # none named: workers that restart by themselves, and nothing else
    expected: Expected

    def covers(self, release: str, cell: Cell) -> bool:
        """Whether the row speaks of this cell; an unknown release is covered by no row."""
        version = as_version(release)
        disturbances = self.disturbances or (RECYCLE,)
        named = (
            (self.workers, cell.worker),
            (self.proxies, cell.proxy),
            (self.binds, cell.bind),
            (disturbances, cell.disturb),
        )
        return (
            version is not None
            and self.releases.contains(version, prereleases=True)
            and all(not names or name in names for names, name in named)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """All rows: ``entries``, of which one at most speaks of a cell, and ``common``, each of which adds to that one.

    ``origin``: the file, for messages.
    """

    entries: tuple[Expectation, ...]
    origin: str
    common: tuple[Expectation, ...] = ()

    def expect(self, release: str, cell: Cell, *, gap: str | None = None) -> Expected:
        """What a cell should show. ``gap``: why the release can't run this worker class at all, if it can't.

        Raises:
            UsageError: two rows speak of the same cell.
        """
        found = [entry for entry in self.entries if entry.covers(release, cell)]
        if len(found) > 1:
            raise UsageError(
                what=f"{self.origin} has {len(found)} entries for gunicorn {release}, {cell.worker}, {cell.proxy}, "
                f"{cell.disturb}.",
                remedy="Leave one; the others' releases, workers or proxies must not cover this cell.",
            )
        if not found and gap is not None:
            return Expected(outcome=Outcome.UNRUNNABLE, reason=gap)
        expected = found[0].expected if found else HOLDS
        if cell.disturb != RECYCLE:
            expected = replace(expected, reason=" ".join(filter(None, (_tell_promise(cell.disturb), expected.reason))))
        for row in self.common:
            if row.covers(release, cell):
                expected = _add(expected, row.expected)
        return expected


def _tell_promise(disturb: str) -> str:
    """What the measure of a disturbed cell is: gunicorn's own promise, or ours alone."""
    row = DISTURBANCES.get(disturb)
    if row is None or row.PROMISE is None:
        return "Not promised by gunicorn; the measure is what docs/disturbances.md says."
    return f"Promised in {row.PROMISE}."


def _add(expected: Expected, more: Expected) -> Expected:
    """Both together; what can't be run can't show anything else."""
    if expected.outcome not in (Outcome.HOLDS, Outcome.VIOLATED):
        return expected
    findings = (*expected.findings, *more.findings)
    return Expected(
        outcome=Outcome.VIOLATED if Outcome.VIOLATED in (expected.outcome, more.outcome) else Outcome.HOLDS,
        findings=findings,
        sometimes=tuple(name for name in (*expected.sometimes, *more.sometimes) if name not in findings),
        reason=" ".join(filter(None, (expected.reason, more.reason))),
        upstream=(*expected.upstream, *more.upstream),
        titles=(*expected.titles, *more.titles),
    )


def load_expectations(path: Path | None = None) -> Expectations:
    """The expectations in a file (None: those that are packed with the harness).

    Raises:
        UsageError: it is at fault.
    """
    source = path or PACKED
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise UsageError(what=f"{source} can't be read: {problem}.", remedy="Name another --expectations.") from problem
    return parse_expectations(text, origin=source.name if path is None else str(source))


def parse_expectations(text: str, *, origin: str) -> Expectations:
    """The expectations from the text of a file.

    Raises:
        UsageError: an entry is wrong; the error names the entry and its fault.
    """
    try:
        data: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(what=f"{origin} is no TOML: {problem}.", remedy=_REMEDY) from problem
    if data.get("schema") != SCHEMA:
        raise UsageError(what=f"{origin} has schema {data.get('schema')!r}, not {SCHEMA}.", remedy=_REMEDY)
    titles = _parse_titles(data.get("titles", {}), origin)
    entries, common = (
        tuple(
            _parse_entry(row, titles, f"{origin}, {called} {place}")
            for place, row in enumerate(data.get(table, []), start=1)
        )
        for table, called in (("expect", "entry"), ("also", "common entry"))
    )
    return Expectations(entries=entries, origin=origin, common=common)


def compare(runs: Sequence[RunResult], expected: Expected, blind: Sequence[str] = ()) -> Agreement:
    """Whether the runs of a cell showed what was expected, in both directions.

    A finding that is not expected makes a difference once it is seen: chance can hide a fault, but not make one. One
    that is expected in each run may be missing where that may be chance; those of ``sometimes`` may be in any number
    of runs, but where ``violated`` is expected each run has at least one.
    """
    folded = combine_runs(runs, blind)
    if folded.outcome in UNDECIDED:
        return Agreement.EXPECTED if folded.outcome is expected.outcome else Agreement.UNDECIDED
    if expected.outcome in (Outcome.HOLDS, Outcome.VIOLATED):
        judged = folded.outcome in (Outcome.HOLDS, Outcome.VIOLATED)
        unknown = set(folded.findings) - {*expected.findings, *expected.sometimes}
        same = judged and not unknown and not any(_is_lacking(runs, name) for name in _needed(expected))
    else:
        same = folded.outcome is expected.outcome
    return Agreement.EXPECTED if same else Agreement.DIFFERENT


def _needed(expected: Expected) -> set[str]:
    """What each run must show: every finding, and, where it is expected to be violated, any finding at all."""
    violated = {Outcome.VIOLATED.value} if expected.outcome is Outcome.VIOLATED else set[str]()
    return violated | set(expected.findings)


def _is_lacking(runs: Sequence[RunResult], name: str) -> bool:
    """Whether more runs lack it than chance explains, if it is in all but a ``FLUKE`` of them."""
    judged = [run for run in runs if run.outcome in (Outcome.HOLDS, Outcome.VIOLATED)]
    missed = sum(name not in (run.outcome.value, *run.findings, *run.untold) for run in judged)
    return missed > 0 and chance_of(missed, len(judged), FLUKE) <= BY_CHANCE


def describe(outcome: Outcome, findings: Iterable[str], rates: Mapping[str, str] | None = None) -> str:
    """A verdict in a line: ``violated: socket-deleted, failed-responses (2 of 3)``."""
    counted = rates or {}

    def counting(name: str) -> str:
        return f"{name} ({counted[name]})" if name in counted else name

    named = ", ".join(counting(finding) for finding in findings)
    return counting(outcome.value) + (f": {named}" if named else "")


def describe_expected(expected: Expected) -> str:
    """An expectation in a line: ``violated: worker-crashed, sometimes failed-responses``."""
    sometimes = [f"sometimes {finding}" for finding in expected.sometimes]
    if expected.outcome is Outcome.HOLDS and sometimes:
        return f"{', '.join(sometimes)}; holds in the other runs"
    return describe(expected.outcome, [*expected.findings, *sometimes])


def _parse_titles(table: Mapping[str, Any], origin: str) -> dict[int, str]:
    """The titles of upstream's issues by their numbers."""
    if not all(number.isdigit() and isinstance(title, str) for number, title in table.items()):
        raise UsageError(what=f"{origin}: titles is no table of issue numbers and texts.", remedy=_REMEDY)
    return {int(number): title for number, title in table.items()}


def _parse_entry(row: Mapping[str, Any], titles: Mapping[int, str], where: str) -> Expectation:
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        raise UsageError(what=f"{where}: {', '.join(unknown)} is no key of an entry.", remedy=_REMEDY)
    for key in ("releases", "reason"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            raise UsageError(what=f"{where}: {key} is missing or no text.", remedy=_REMEDY)
    try:
        releases = SpecifierSet(row["releases"])
    except InvalidSpecifier as problem:
        raise UsageError(what=f"{where}: releases: {problem}.", remedy=_REMEDY) from problem
    return Expectation(
        releases=releases,
        workers=_texts(row, "workers", where),
        proxies=_texts(row, "proxies", where),
        binds=_texts(row, "binds", where),
        disturbances=_disturbances(row, where),
        expected=_parse_expected(row, titles, where),
    )


def _disturbances(row: Mapping[str, Any], where: str) -> tuple[str, ...]:
    named = _texts(row, "disturbances", where)
    unknown = sorted(set(named) - set(DISTURBANCES))
    if unknown:
        raise UsageError(
            what=f"{where}: {', '.join(unknown)} is no disturbance.", remedy=f"There are {', '.join(DISTURBANCES)}."
        )
    return named


def _parse_expected(row: Mapping[str, Any], titles: Mapping[int, str], where: str) -> Expected:
    findings, sometimes = _texts(row, "findings", where), _texts(row, "sometimes", where)
    unknown = sorted({*findings, *sometimes} - _FINDINGS)
    if unknown:
        raise UsageError(
            what=f"{where}: {', '.join(unknown)} is no finding.", remedy=f"There are {', '.join(sorted(_FINDINGS))}."
        )
    default = Outcome.VIOLATED if findings else Outcome.HOLDS
    try:
        outcome = Outcome(row.get("verdict", default.value))
    except ValueError as problem:
        raise UsageError(what=f"{where}: {problem}.", remedy=_REMEDY) from problem
    upstream = row.get("upstream", [])
    if not isinstance(upstream, list) or not all(isinstance(number, int) for number in upstream):
        raise UsageError(what=f"{where}: upstream is no list of issue numbers.", remedy=_REMEDY)
    named = findings or sometimes
    if (findings and outcome is not Outcome.VIOLATED) or (outcome is Outcome.VIOLATED and not named):
        raise UsageError(what=f"{where}: findings and the verdict {outcome.value} don't go together.", remedy=_REMEDY)
    return Expected(
        outcome=outcome,
        findings=findings,
        sometimes=sometimes,
        reason=" ".join(row["reason"].split()),
        upstream=tuple(upstream),
        titles=tuple(titles.get(number, "") for number in upstream) if titles else (),
    )


def _texts(row: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = row.get(key, [])
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(what=f"{where}: {key} is no list of texts.", remedy=_REMEDY)
    return tuple(value)
