"""The records of a matrix: ``OUT/<cell>/<run>/``, found again for resuming, merging and counting.

A record counts once it has a verdict; one whose run was interrupted or killed does not, and is left where it is.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.findings import FindingId
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome, State, is_failure
from harness.judge.invariants.requests_answered import NO_DISTURBANCE
from harness.records.event_file import parse_json
from harness.records.store import load_run
from harness.report import summary
from harness.report.fields import UNKNOWN, dig
from harness.studies.matrix.result import RunResult

VERDICT = "verdict.json"
_INTERRUPTED = json.dumps({"kind": "interrupted"})[1:-1].encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One finished run of a cell. ``cell``: the contract's cell with the versions that were installed."""

    path: Path
    cell: Mapping[str, Json]
    result: RunResult


def find_records(root: Path, name: str, known: MutableMapping[Path, Record] | None = None) -> tuple[Record, ...]:
    """The finished records of one cell below ``root``, oldest first.

    ``known`` keeps what was read, by the path of the verdict: a finished record does not change, and is large.
    """
    return _read_all(root, (root / name).glob(f"*/{VERDICT}"), {} if known is None else known)


def find_all_records(roots: Iterable[Path]) -> dict[str, tuple[Record, ...]]:
    """All finished records anywhere below ``roots``, by the name of their cell, oldest first."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for root in roots:
        for record in _read_all(root, root.rglob(VERDICT), {}):
            found[record.path.parent.name].append(record)
    return {name: tuple(sorted(records, key=_age)) for name, records in found.items()}


def read_versions(records: Iterable[Record]) -> dict[str, tuple[str, ...]]:
    """The versions of the programs that took part, by name: more than one where records come from several machines."""
    found: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        with load_run(record.path) as stored:
            for name, version in _versions(summary.versions(stored)):
                found[name][version] = None
    return {name: tuple(versions) for name, versions in found.items()}


def _versions(known: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without those that belong to each cell, and without what an unrunnable cell never came to ask."""
    return [(name, version) for name, version in known if name not in ("gunicorn", "Python") and version != UNKNOWN]


def _read_all(root: Path, verdicts: Iterable[Path], known: MutableMapping[Path, Record]) -> tuple[Record, ...]:
    found = []
    for path in verdicts:
        record = known.get(path) or _read(root, path)
        if record is not None:
            known[path] = record
            found.append(record)
    return tuple(sorted(found, key=_age))


def _age(record: Record) -> tuple[str, str]:
    """Names begin with the time; the path settles what two machines made in one second."""
    return record.path.name, str(record.path)


def _read(root: Path, verdict: Path) -> Record | None:
    if verdict.parent.is_symlink() or _was_interrupted(verdict.parent):
        return None
    try:
        data = parse_json(verdict.read_bytes())
        if not isinstance(data, Mapping):
            raise ValueError("it is no JSON object")  # noqa: TRY004, TRY301 - one error for every damaged file
        return _record(root, verdict.parent, data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise HarnessError(
            what=f"{verdict} can't be read: {type(problem).__name__}: {problem}.",
            remedy=f"Remove the damaged record {verdict.parent}; the run is then made again.",
        ) from problem


def _was_interrupted(folder: Path) -> bool:
    events = folder / "events.jsonl"
    return not events.is_file() or _INTERRUPTED in events.read_bytes()


def _record(root: Path, folder: Path, data: Mapping[str, Json]) -> Record:
    cell = data["cell"]
    if not isinstance(cell, Mapping):
        raise TypeError("cell is of another kind")
    return Record(path=folder, cell=cell, result=read_result(data, folder.relative_to(root).as_posix()))


def read_result(verdict: Mapping[str, Json], path: str | None) -> RunResult:
    """What a run's ``verdict.json`` says of it.

    Raises:
        KeyError, TypeError, ValueError: it is damaged.
    """
    findings, counts = verdict["findings"], verdict.get("counts")
    outcome = Outcome(str(verdict["verdict"]))
    if not isinstance(findings, list) or not isinstance(counts, Mapping):
        raise TypeError("findings or counts are of another kind")
    seen = tuple(dict.fromkeys(str(finding["id"]) for finding in findings))
    disturbances = _number(dig(verdict, "strength", "disturbances"))
    return RunResult(
        path=path,
        outcome=outcome,
        findings=seen,
        untold=_list_untold(verdict, seen),
        recycles=_number(counts.get("recycles")),
        disturbances=disturbances,
        requests=_number(counts.get("requests")),
        failed=_failed(counts),
        bursts=_bursts(findings, _number(counts.get("recycles")))
        if disturbances is None
        else _lossy_disturbances(findings, disturbances),
        detail=_detail(outcome, verdict),
    )


def _list_untold(verdict: Mapping[str, Json], seen: Collection[str]) -> tuple[str, ...]:
    """The findings that the run did not show, of promises of which the judge did not know whether they were kept."""
    states = {row: dig(verdict, "invariants", row.invariant) for row in FindingId}
    return tuple(row.value for row in FindingId if states[row] == State.UNKNOWN.value and row.value not in seen)


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _bursts(findings: Sequence[Json], recycles: int | None) -> int | None:
    """At how many restarts requests were lost: at none where none failed, and at most at each."""
    evidence = [
        finding.get("evidence")
        for finding in findings
        if isinstance(finding, Mapping) and finding.get("id") == FindingId.FAILED_RESPONSES.value
    ]
    if not evidence:
        return 0
    near = _number(evidence[0].get("bursts_near_a_recycle")) if isinstance(evidence[0], Mapping) else None
    return None if near is None or recycles is None else min(near, recycles)


def _lossy_disturbances(findings: Sequence[Json], disturbances: int) -> int | None:
    """In how many disturbances requests were lost that may not be."""
    losing = [one for one in findings if isinstance(one, Mapping) and one.get("id") == FindingId.FAILED_RESPONSES.value]
    if not losing:
        return 0
    where = dig(losing[0], "evidence", "by_disturbance")
    if not isinstance(where, Mapping):
        return None
    return min(sum(name != NO_DISTURBANCE for name in where), disturbances)


def _failed(counts: Mapping[str, Json]) -> int | None:
    total = 0
    for key in ("statuses", "client_errors"):
        outcomes = counts.get(key)
        if not isinstance(outcomes, Mapping):
            return None
        total += sum(_number(count) or 0 for outcome, count in outcomes.items() if is_failure(outcome))
    return total


def _detail(outcome: Outcome, data: Mapping[str, Json]) -> str:
    """Why there is no verdict on the release."""
    reasons = data.get("reasons")
    if outcome in (Outcome.HOLDS, Outcome.VIOLATED) or not isinstance(reasons, list):
        return ""
    return " ".join("; ".join(str(reason) for reason in reasons).split())
