"""Each cell of the published table of disturbances has a control: a mutant that turns out otherwise."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from harness.disturb import DISTURBANCES, RECYCLE
from harness.studies.matrix.report import load_matrix
from tests.mutants.table import Mutant, load_table

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "disturbances.md").read_text(encoding="utf-8")
OF_SETTINGS = {"--bind", "--pidfile", "--recover"}
"""A mutant with one of these says nothing of the table's cells, which have none."""


def _verdicts() -> dict[tuple[str, str], set[str]]:
    """(disturbance, worker class) -> the verdicts of its releases."""
    found = defaultdict(set)
    for cell in load_matrix(ROOT / "docs" / "results" / "disturbances.json").cells:
        found[str(cell.cell["disturb"]), cell.worker].add(cell.folded.outcome.value)
    return found


def _controls() -> dict[tuple[str, str], list[Mutant]]:
    found = defaultdict(list)
    for mutant in load_table():
        if "--disturb" in mutant.options and not OF_SETTINGS & set(mutant.options):
            found[mutant.options[mutant.options.index("--disturb") + 1], mutant.worker].append(mutant)
    return found


@pytest.mark.parametrize("worker", ["gthread", "sync"])
@pytest.mark.parametrize("disturb", [name for name in DISTURBANCES if name != RECYCLE])
def test_each_cell_can_turn_out_otherwise(disturb: str, worker: str) -> None:
    """What holds on a release fails on a mutant, for sure; what holds on none holds on a mutant."""
    verdicts, controls = _verdicts()[disturb, worker], _controls()[disturb, worker]
    assert verdicts
    wanted = "violated" if "holds" in verdicts else "holds"
    sure = [mutant.name for mutant in controls if mutant.verdicts == {wanted}]
    assert sure
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{disturb}` | `disturb-")]
    assert any(f"`{name}`" in row for name in sure)
