"""A few fast mutants, with real servers; `make mutants` runs all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants.running import run_mutant
from tests.mutants.table import load_table

SAMPLE = (
    "workers-raise-at-exit",
    "workers-abort-at-exit",
    "path-unlink-by-worker",
    "path-remove-by-arbiter",
    "limits-half",
    "connections-reset",
    "harmless-restart-reworded",
    "harmless-slow-boot",
)

_MUTANTS = {mutant.name: mutant for mutant in load_table()}


@pytest.mark.parametrize("name", SAMPLE)
def test_the_harness_judges_it_rightly(name: str, tmp_path: Path) -> None:
    outcome = run_mutant(_MUTANTS[name], tmp_path)
    assert outcome.complaints == (), outcome.said.get("reasons")
