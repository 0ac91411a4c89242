"""The marker ``recycle``: what one test wants of its cell, by the names of the cell's fields; lists make several tests.

The nearest marker wins, field by field: that of a function over that of its class, and that over the module's.
"""

from __future__ import annotations

import argparse
import difflib
import itertools
from collections.abc import Mapping, Sequence

import pytest

from harness.core.cell_fields import CELL_FIELDS
from harness.core.field_kinds import CellField, Kind

NAME = "recycle"
RELEASE = "release"
FIELDS = {row.name: row for row in CELL_FIELDS.values() if row.flag is not None and not row.repeated}
"""What a marker may set beside the release: the fields that are options of a run."""

HELP = (
    f"{NAME}(release=..., worker=..., disturb=..., ...): what the fixtures of recycle-harness run for this test: "
    "a release and any field of the cell; a list runs the test once for each value"
)

Variation = Mapping[str, object]
"""Fields of a cell with their values for one test."""


def read_marks(node: pytest.Item) -> dict[str, list[object]]:
    """What the markers of a test name: each field with its values.

    Fails the collection of the test where a marker is malformed.
    """
    found: dict[str, list[object]] = {}
    for mark in reversed(list(node.iter_markers(NAME))):
        if mark.args:
            pytest.fail(f"@pytest.mark.{NAME} takes names: {NAME}(release={mark.args[0]!r})", pytrace=False)
        found.update({name: _read_values(name, value) for name, value in mark.kwargs.items()})
    return found


def list_variations(marked: Mapping[str, Sequence[object]]) -> list[dict[str, object]]:
    """All combinations of what is marked, but for the release, which has a fixture of its own."""
    names = [name for name in marked if name != RELEASE]
    return [dict(zip(names, chosen, strict=True)) for chosen in itertools.product(*(marked[name] for name in names))]


def name_variation(variation: Variation, marked: Mapping[str, Sequence[object]]) -> str:
    """For the id of a test: the values that differ from one to the next."""
    return "-".join(str(value) for name, value in variation.items() if len(marked[name]) > 1)


def _read_values(name: str, value: object) -> list[object]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    if not values:
        pytest.fail(f"@pytest.mark.{NAME}({name}=[]) names no value", pytrace=False)
    if name == RELEASE:
        return [spec for one in values for spec in _read_releases(one)]
    row = FIELDS.get(name)
    if row is None:
        near = difflib.get_close_matches(name, [RELEASE, *FIELDS], n=1)
        hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join([RELEASE, *FIELDS])}"
        pytest.fail(f"@pytest.mark.{NAME}: there is no {name!r}{hint}", pytrace=False)
    return [_read_value(row, one) for one in values]


def _read_releases(value: object) -> list[str]:
    from harness.pytest_plugin.options import releases

    try:
        return releases(str(value))
    except argparse.ArgumentTypeError as problem:
        pytest.fail(f"@pytest.mark.{NAME}(release={value!r}): {problem}", pytrace=False)


def _read_value(row: CellField, value: object) -> object:
    """As the command line reads it, so that a number may be a text, and one that is out of range is refused."""
    if row.kind is Kind.SWITCH:
        return bool(value)
    try:
        return str(value) if row.parse is None else row.parse(str(value))
    except argparse.ArgumentTypeError as problem:
        pytest.fail(f"@pytest.mark.{NAME}({row.name}={value!r}): {problem}", pytrace=False)
