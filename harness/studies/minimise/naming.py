"""How two cases differ, in words, and the command that runs one again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.core.cell_fields import CELL_FIELDS
from harness.core.cells import write_options
from harness.engine.options import DEFAULTS
from harness.studies.minimise.case import Case, write_field
from harness.studies.minimise.result import CaseDifference
from harness.studies.minimise.settings import shorten

_TITLES = {"bind": "bind", "upstream_keepalive": "keep-alive of the proxy", "worker": "worker class"}


def list_differences(one: Case, other: Case) -> Iterator[CaseDifference]:
    """Each setting that differs."""
    for name in CELL_FIELDS:
        before, after = write_field(one.cell, name), write_field(other.cell, name)
        if before != after:
            yield CaseDifference(setting=_TITLES.get(name, name.removesuffix("_s")), before=before, after=after)
    for title, mine, theirs in (
        ("own settings", one.statements, other.statements),
        ("package", one.packages, other.packages),
    ):
        for text in mine:
            if text not in theirs:
                yield CaseDifference(setting=title, before=shorten(text), after="left out")


def describe_change(one: Case, other: Case) -> str:
    """What differs, in one line."""
    found = [
        f"{row.before} left out" if row.after == "left out" else f"{row.setting} {row.before} -> {row.after}"
        for row in list_differences(one, other)
    ]
    return ", ".join(found) or "nothing"


def write_command(case: Case, settings: str | None) -> tuple[str, ...]:
    """The arguments of `harness reproduce`, as short as they can be."""
    given = {row.flag: text for row, text in write_options(case.cell)}
    usual = {row.flag: text for row, text in write_options(replace(DEFAULTS, spec=case.cell.spec))}
    options = [
        f"{flag}" if text is None else f"{flag}={text}" for flag, text in given.items() if usual.get(flag, "") != text
    ]
    options += [f"--settings={settings}"] if settings is not None else []
    return ("harness", "reproduce", *options, *(f"--with={one}" for one in case.packages), case.cell.spec)
