"""Renders a comparison: text for a terminal, Markdown, and the content of the JSON."""

from __future__ import annotations

from harness.core.model import Json
from harness.core.text import plural
from harness.disturb import RECYCLE
from harness.report.templates import render
from harness.studies.diff.comparison import Comparison, Difference
from harness.studies.matrix.report.as_terminal import align_rows
from harness.studies.matrix.report.summary import EDGE_HEADS, UNDECIDED_HEADS, describe_certainty, describe_sample
from harness.studies.matrix.result import CellResult

SCHEMA = 1
HEADS = ("cell", "finding", "A", "B", "B is", EDGE_HEADS[-1])
OPEN_HEADS = (*HEADS[:-1], UNDECIDED_HEADS[-1])


def render_text(found: Comparison) -> str:
    """For a terminal."""
    lines: list[str] = []
    for title, heads, rows in list_tables(found):
        lines += [title, *align_rows([heads, *rows]), ""] if rows else []
    lines += [f"Not the same settings: {line}" for line in found.settings]
    lines += [f"Not compared: {line}" for line in found.alone]
    return "\n".join([*lines, conclude(found)]) + "\n"


def render_markdown(found: Comparison) -> str:
    """For a page or a comment."""
    tables = [table for table in list_tables(found) if table[-1]]
    return render("diff.md.j2", tables=tables, found=found, conclusion=conclude(found))


def comparison_to_json(found: Comparison) -> dict[str, Json]:
    """All of it."""
    return {
        "schema": SCHEMA,
        "worse": len(found.worse),
        "compared_cells": found.pairs,
        "looked_at": found.looked_at,
        "sure": found.sure,
        "differences": [_to_json(one) for one in found.supported],
        "undecided": [_to_json(one) for one in found.undecided],
        "other_settings": list(found.settings),
        "not_compared": list(found.alone),
    }


def conclude(found: Comparison) -> str:
    """One line about the whole."""
    better = len(found.supported) - len(found.worse)
    said = f"{plural(found.pairs, 'cell')} compared: {len(found.worse)} worse, {better} better beyond chance"
    return f"{said} ({found.sure:.0%} sure of all of it), {len(found.undecided)} undecided"


def list_tables(found: Comparison) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, heads and rows of what differs, and of what may."""
    return [
        ("Differs beyond chance", HEADS, list(map(_row, found.supported))),
        ("Undecided: may be chance", OPEN_HEADS, list(map(_row, found.undecided))),
    ]


def _row(one: Difference) -> tuple[str, ...]:
    sides = (describe_sample(one.measure, sample) for sample in (one.before, one.after))
    change = "worse" if one.is_worse else "better"
    certainty = describe_certainty(one.p_value if one.supported else None, one.more_runs)
    return _subject(one), one.finding, *sides, change if one.supported else f"{change}?", certainty


def _subject(one: Difference) -> str:
    release = one.one.release if one.one.release == one.other.release else f"{one.one.release} -> {one.other.release}"
    disturb = one.one.disturb
    return f"{release} {one.one.worker} {one.one.proxy}" + ("" if disturb == RECYCLE else f" {disturb}")


def _to_json(one: Difference) -> dict[str, Json]:
    return {
        "worker": one.one.worker,
        "proxy": one.one.proxy,
        "finding": one.finding,
        "measure": one.measure.value,
        "a": _side(one.one, one.before.seen, one.before.runs),
        "b": _side(one.other, one.after.seen, one.after.runs),
        "change": "worse" if one.is_worse else "better",
        "supported": one.supported,
        "p_value": one.p_value,
        "more_runs": one.more_runs,
    }


def _side(cell: CellResult, seen: float, of: int) -> dict[str, Json]:
    return {"release": cell.release, "seen": round(seen, 6), "of": of}
