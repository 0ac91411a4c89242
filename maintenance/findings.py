"""The tables of findings in the docs, made from the one in the code: ``python -m maintenance.findings``."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.findings import FindingId

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- findings -->\n", "<!-- end of findings -->\n"


def render_short() -> str:
    """For a reader who wants to know what each means."""
    rows = [f"| `{finding.value}` | {finding.meaning} |" for finding in FindingId]
    return "\n".join(["| finding | meaning |", "|---|---|", *rows, ""])


def render_long() -> str:
    """With the invariant that each breaks."""
    rows = [f"| `{finding.value}` | `{finding.invariant}` | {finding.meaning} |" for finding in FindingId]
    return "\n".join(["| finding | invariant | meaning |", "|---|---|---|", *rows, ""])


TABLES = {ROOT / "README.md": render_short, ROOT / "docs" / "verdict.md": render_long}


def put_table(page: str, table: str) -> str:
    """The page with this table between its marks; ValueError where it has none."""
    return put_between(page, BEGIN, END, table)


def put_between(page: str, begin: str, end: str, text: str) -> str:
    """The page with this text between two marks; ValueError where it does not have both once."""
    renewed, count = re.subn(f"(?<={re.escape(begin)}).*?(?={re.escape(end)})", lambda _: text, page, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the page has {count} places between {begin.strip()} and {end.strip()}, not one")
    return renewed


if __name__ == "__main__":
    for place, render in TABLES.items():
        place.write_text(put_table(place.read_text(encoding="utf-8"), render()), encoding="utf-8")
