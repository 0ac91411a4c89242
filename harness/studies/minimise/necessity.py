"""The cases that lack one of the settings that are left: the rows of the necessity table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.studies.minimise.case import Case, write_field
from harness.studies.minimise.settings import OF_THE_RUN, SETTINGS, CaseSetting, list_leavable, list_numbers, next_lower


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """A case without one setting. ``without``: what it has instead."""

    setting: str
    value: str
    without: str
    case: Case


def list_withouts(case: Case) -> Iterator[Without]:
    """One for each setting that is left, and for each number that is above its least value."""
    for row in SETTINGS:
        smaller = row.leave_out(case)
        if smaller is not None and smaller != case:
            yield Without(
                setting=row.name, value=_describe(row, case.cell), without=_describe(row, smaller.cell), case=smaller
            )
    for change in list_leavable(case):
        smaller = change.apply(case)
        if smaller != case:
            yield Without(setting=change.setting, value=change.value, without="left out", case=smaller)
    for name in list_numbers(case.cell):
        if name not in OF_THE_RUN:
            lower = next_lower(case, name)
            yield Without(
                setting=name, value=write_field(case.cell, name), without=write_field(lower.cell, name), case=lower
            )


def _describe(row: CaseSetting, cell: Cell) -> str:
    value = write_field(cell, row.field)
    return f"{value} ({cell.worker} worker)" if row.field == "threads" else value
