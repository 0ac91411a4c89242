"""A whole matrix, and ``matrix.json``: from cells, runs and transitions to JSON and back.

The functions are pure. A matrix may come from another machine, so its content is checked, in one place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.core.errors import UsageError
from harness.core.model import Json, Outcome
from harness.studies.matrix.result import Agreement, CellResult, CombinedRuns, Expected, RunResult
from harness.studies.matrix.transitions import Stretch, Transition

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
    transitions: tuple[Transition, ...]
    versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    interrupted: bool = False


def matrix_to_json(matrix: Matrix) -> dict[str, Json]:
    """The content of ``matrix.json``."""
    return {
        "schema": SCHEMA,
        "made_utc": matrix.made_utc,
        "harness": matrix.harness,
        "profile": matrix.profile,
        "repeats": matrix.repeats,
        "interrupted": matrix.interrupted,
        "versions": {name: list(versions) for name, versions in matrix.versions.items()},
        "cells": [_cell_to_json(cell) for cell in matrix.cells],
        "transitions": [_transition_to_json(transition) for transition in matrix.transitions],
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


def _cell_to_json(result: CellResult) -> dict[str, Json]:
    expected = result.expected
    return {
        "name": result.name,
        "spec": result.spec,
        "released": result.released,
        "cell": dict(result.cell),
        "verdict": result.folded.outcome.value,
        "findings": list(result.folded.findings),
        "flaky": result.folded.flaky,
        "rates": dict(result.folded.rates),
        "agreement": result.agreement.value,
        "expected": {
            "verdict": expected.outcome.value,
            "findings": list(expected.findings),
            "sometimes": list(expected.sometimes),
        },
        "reason": expected.reason,
        "upstream": list(expected.upstream),
        "set_aside": result.set_aside,
        "runs": [_run_to_json(run) for run in result.runs],
    }


def _run_to_json(run: RunResult) -> dict[str, Json]:
    return {
        "path": run.path,
        "verdict": run.outcome.value,
        "findings": list(run.findings),
        "recycles": run.recycles,
        "requests": run.requests,
        "failed": run.failed,
        "detail": run.detail,
    }


def _transition_to_json(transition: Transition) -> dict[str, Json]:
    stretch = transition.stretch
    return {
        "worker": transition.worker,
        "proxy": transition.proxy,
        "finding": transition.finding,
        "introduced_in": stretch.introduced_in,
        "gone_in": stretch.gone_in,
        "dates": dict(transition.dates),
        "releases": list(stretch.releases),
        "unsure_before": list(stretch.unsure_before),
        "unsure_after": list(stretch.unsure_after),
    }


def _read_matrix(data: Mapping[str, Any]) -> Matrix:
    if data["schema"] != SCHEMA:
        raise ValueError(f"it has schema {data['schema']!r}, not {SCHEMA}")
    return Matrix(
        made_utc=_text(data["made_utc"]),
        harness=_text(data["harness"]),
        profile=_text(data["profile"]),
        repeats=int(data["repeats"]),
        interrupted=bool(data["interrupted"]),
        versions={_text(name): _texts(versions) for name, versions in data["versions"].items()},
        cells=tuple(_read_cell(row) for row in _rows(data["cells"])),
        transitions=tuple(_read_transition(row) for row in _rows(data["transitions"])),
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
        ),
        agreement=Agreement(row["agreement"]),
        set_aside=int(row["set_aside"]),
    )


def _read_run(row: Mapping[str, Any]) -> RunResult:
    return RunResult(
        path=_perhaps(row["path"]),
        outcome=Outcome(row["verdict"]),
        findings=_texts(row["findings"]),
        recycles=_count(row["recycles"]),
        requests=_count(row["requests"]),
        failed=_count(row["failed"]),
        detail=_text(row["detail"]),
    )


def _read_transition(row: Mapping[str, Any]) -> Transition:
    stretch = Stretch(
        introduced_in=_perhaps(row["introduced_in"]),
        gone_in=_perhaps(row["gone_in"]),
        releases=_texts(row["releases"]),
        unsure_before=_texts(row["unsure_before"]),
        unsure_after=_texts(row["unsure_after"]),
    )
    dates = {_text(name): _text(day) for name, day in row["dates"].items()}
    named = {"introduced_in": stretch.introduced_in, "gone_in": stretch.gone_in, "first": "always", "last": "always"}
    undated = [name for name, release in named.items() if release is not None and name not in dates]
    if undated or not stretch.releases:
        raise ValueError(f"a transition lacks {', '.join(undated) or 'releases'}")
    return Transition(
        worker=_text(row["worker"]),
        proxy=_text(row["proxy"]),
        finding=_text(row["finding"]),
        stretch=stretch,
        dates=dates,
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


def _texts(value: Sequence[Any]) -> tuple[str, ...]:
    return tuple(_text(one) for one in _rows(value))
