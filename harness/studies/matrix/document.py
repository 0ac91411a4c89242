"""A whole matrix, and ``matrix.json``: from cells, runs and transitions to JSON and back.

The functions are pure. A matrix may come from another machine, so its content is checked, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome
from harness.studies.matrix.rates import FailureRate, FindingRate, rate_failures, rate_findings
from harness.studies.matrix.result import Agreement, CellResult, CombinedRuns, Expected, RunResult
from harness.studies.matrix.steering import count_lacking_of_cell
from harness.studies.matrix.transitions import SURE, Side, Transition, TransitionMap, find_transitions

SCHEMA = 1
FILE = "matrix.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """The table. ``made_utc``: when it was put together; ``versions``: of the programs that took part, by name."""

    made_utc: str
    harness: str
    profile: str
    repeats: int
    cells: tuple[CellResult, ...]
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interrupted: bool = False
    sure: float = SURE  # of all claims of the map together

    @property
    def map(self) -> TransitionMap:
        """Where rates changed; it follows from the cells, so it is never read from a file."""
        return find_transitions(self.cells, sure=self.sure)


def matrix_to_json(matrix: Matrix) -> dict[str, Json]:
    """The content of ``matrix.json``."""
    found = matrix.map
    return {
        "schema": SCHEMA,
        "made_utc": matrix.made_utc,
        "harness": matrix.harness,
        "profile": matrix.profile,
        "repeats": matrix.repeats,
        "interrupted": matrix.interrupted,
        "sure": matrix.sure,
        "versions": {name: list(versions) for name, versions in matrix.versions.items()},
        "cells": [_cell_to_json(cell, matrix.sure) for cell in matrix.cells],
        "transitions": [_transition_to_json(edge) for edge in found.supported],
        "undecided": [_transition_to_json(edge) for edge in found.undecided],
        "edges_looked_at": found.looked_at,
    }


def matrix_from_json(data: Mapping[str, Any], *, where: str) -> Matrix:
    """The matrix that ``data`` describes.

    Raises:
        UsageError: it describes none; the error names ``where`` (the file).
    """
    try:
        return _read_matrix(data)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise UsageError(
            what=f"{where} is no matrix as this version writes them: {type(problem).__name__}: {problem}.",
            remedy="Name the folder of a matrix that `harness matrix` has finished, or its matrix.json.",
        ) from problem


def _cell_to_json(result: CellResult, sure: float) -> dict[str, Json]:
    expected = result.expected
    return {
        "name": result.name,
        "spec": result.spec,
        "released": result.released,
        "label": result.label,
        "cell": dict(result.cell),
        "verdict": result.folded.outcome.value,
        "findings": list(result.folded.findings),
        "flaky": result.folded.flaky,
        "rates": dict(result.folded.rates),
        "finding_rates": [
            _finding_rate_to_json(rate) for rate in rate_findings(result.runs, result.folded.findings, result.blind)
        ],
        "failure_rates": {rate.name: _failure_rate_to_json(rate) for rate in rate_failures(result.runs)},
        "blind": list(result.blind),
        "more_runs": count_lacking_of_cell(result, sure=sure),
        "agreement": result.agreement.value,
        "expected": {
            "verdict": expected.outcome.value,
            "findings": list(expected.findings),
            "sometimes": list(expected.sometimes),
        },
        "reason": expected.reason,
        "upstream": list(expected.upstream),
        "upstream_titles": list(expected.titles),
        "set_aside": result.set_aside,
        "runs": [_run_to_json(run) for run in result.runs],
    }


def _run_to_json(run: RunResult) -> dict[str, Json]:
    return {
        "path": run.path,
        "verdict": run.outcome.value,
        "findings": list(run.findings),
        **({"untold": list(run.untold)} if run.untold else {}),
        "recycles": run.recycles,
        **({} if run.disturbances is None else {"disturbances": run.disturbances}),
        "requests": run.requests,
        "failed": run.failed,
        "bursts": run.bursts,
        "detail": run.detail,
    }


def _finding_rate_to_json(rate: FindingRate) -> dict[str, Json]:
    interval: list[Json] = [round(rate.interval.low, 6), round(rate.interval.high, 6)]
    return {"id": rate.finding, "seen": rate.seen, "runs": rate.runs, "hidden": rate.hidden, "interval_95": interval}


def _failure_rate_to_json(rate: FailureRate) -> dict[str, Json]:
    return {
        "estimate": round(rate.estimate, 9),
        "interval_95": [round(rate.interval.low, 9), round(rate.interval.high, 9)],
        "lost": rate.lost,
        "total": rate.total,
        "unit": rate.unit,
    }


def _transition_to_json(edge: Transition) -> dict[str, Json]:
    """``introduced_in`` and ``gone_in`` are null where the finding was seen on both sides: its rate changed."""
    days = {"before": edge.before.day, "after": edge.after.day}
    return {
        "worker": edge.worker,
        "proxy": edge.proxy,
        "disturb": edge.disturb,
        "finding": edge.finding,
        "measure": edge.measure.value,
        "introduced_in": edge.introduced_in,
        "gone_in": edge.gone_in,
        "dates": {name: day for name, day in days.items() if day},
        "before": _side_to_json(edge.before),
        "after": _side_to_json(edge.after),
        "silent": list(edge.silent),
        "supported": edge.supported,
        "p_value": edge.p_value,
        "more_runs": edge.more_runs,
    }


def _side_to_json(side: Side) -> dict[str, Json]:
    sample = side.sample
    seen: Json = round(sample.seen, 6)
    return {"release": side.release, "seen": seen, "runs": sample.runs, "hidden": sample.hidden}


def _read_matrix(data: Mapping[str, Any]) -> Matrix:
    if data["schema"] != SCHEMA:
        raise ValueError(f"it has schema {data['schema']!r}, not {SCHEMA}")
    return Matrix(
        made_utc=_text(data["made_utc"]),
        harness=_text(data["harness"]),
        profile=_text(data["profile"]),
        repeats=int(data["repeats"]),
        interrupted=bool(data["interrupted"]),
        sure=_share(data.get("sure", SURE)),
        versions={_text(name): _texts(versions) for name, versions in data["versions"].items()},
        cells=tuple(_read_cell(row) for row in _rows(data["cells"])),
    )


def _read_cell(row: Mapping[str, Any]) -> CellResult:
    rates = {_text(name): _text(rate) for name, rate in row["rates"].items()}
    expected = row["expected"]
    return CellResult(
        name=_text(row["name"]),
        spec=_text(row["spec"]),
        released=_perhaps(row["released"]),
        cell=dict(row["cell"].items()),
        runs=tuple(_read_run(run) for run in _rows(row["runs"])),
        folded=CombinedRuns(
            outcome=Outcome(row["verdict"]), findings=_texts(row["findings"]), rates=rates, flaky=_perhaps(row["flaky"])
        ),
        expected=Expected(
            outcome=Outcome(expected["verdict"]),
            findings=_texts(expected["findings"]),
            sometimes=_texts(expected["sometimes"]),
            reason=_text(row["reason"]),
            upstream=tuple(int(number) for number in row["upstream"]),
            titles=_texts(row.get("upstream_titles", [])),
        ),
        agreement=Agreement(row["agreement"]),
        set_aside=int(row["set_aside"]),
        blind=_texts(row.get("blind", [])),
        label=_perhaps(row.get("label")),
    )


def _read_run(row: Mapping[str, Any]) -> RunResult:
    return RunResult(
        path=_perhaps(row["path"]),
        outcome=Outcome(row["verdict"]),
        findings=_texts(row["findings"]),
        untold=_texts(row.get("untold", [])),
        recycles=_count(row["recycles"]),
        disturbances=_count(row.get("disturbances")),
        requests=_count(row["requests"]),
        failed=_count(row["failed"]),
        bursts=_count(row.get("bursts")),
        detail=_text(row["detail"]),
    )


def _rows(value: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list):
        raise TypeError(f"{str(value)[:40]!r} is no list")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value


def _perhaps(value: object) -> str | None:
    return None if value is None else _text(value)


def _count(value: object) -> int | None:
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError(f"{str(value)[:40]!r} is no whole number")
    return value


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1:
        raise ValueError(f"{str(value)[:40]!r} is no share between 0 and 1")
    return float(value)


def _texts(value: Sequence[Any]) -> tuple[str, ...]:
    return tuple(_text(one) for one in _rows(value))
