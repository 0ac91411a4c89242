"""What the stored tables and bisections show, made small enough to be packed: ``python -m maintenance.known``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "harness" / "report" / "known" / "rates.json"
BISECTS = TARGET.with_name("bisects.json")
SOURCES = ("matrix", "proxies")
"""In this order: a cell of the later one replaces that of the earlier, whose runs have fewer restarts."""


def render_rates() -> str:
    """One line a cell: what was seen in how many runs, and what was lost."""
    cells: dict[tuple[str, ...], dict[str, Any]] = {}
    for source in SOURCES:
        data = json.loads((ROOT / "docs" / "results" / f"{source}.json").read_text(encoding="utf-8"))
        for cell in data["cells"]:
            key = (cell["spec"], cell["cell"]["worker"], cell["cell"]["proxy"], cell["cell"]["bind"])
            cells[key] = _summarise(key, cell)
    lines = ",\n".join(json.dumps(cell) for _, cell in cells.items())
    return f'{{"schema": 1, "cells": [\n{lines}\n]}}\n'


def _summarise(key: tuple[str, ...], cell: dict[str, Any]) -> dict[str, Any]:
    runs = [run for run in cell["runs"] if run["verdict"] in ("holds", "violated")]
    seen = Counter(finding for run in runs for finding in run["findings"])
    return {
        "release": key[0],
        "worker": key[1],
        "proxy": key[2],
        "bind": key[3],
        "released": cell["released"],
        "verdict": cell["verdict"],
        "runs": [[run["recycles"] or 0, run["requests"] or 0, run["failed"] or 0] for run in runs],
        "seen": dict(seen),
    }


def render_bisects() -> str:
    """One line a bisection that found a commit."""
    data = json.loads((ROOT / "docs" / "results" / "bisects.json").read_text(encoding="utf-8"))
    rows = [_summarise_bisect(one) for one in data["bisects"] if one["kind"] == "commit" and one["first"]]
    lines = ",\n".join(json.dumps(row) for row in rows)
    return f'{{"schema": 1, "bisects": [\n{lines}\n]}}\n'


def _summarise_bisect(one: dict[str, Any]) -> dict[str, str]:
    (bind,) = [option.partition("=")[2] for option in one["settings"] if option.startswith("--bind=")]
    return {
        "finding": one["finding"],
        "worker": one["worker"],
        "bind": bind,
        "direction": one["direction"],
        "commit": one["first"],
        "subject": one["commit"]["subject"],
        "before": one["releases"][0],
        "after": one["releases"][1],
        "proof": one["proof"]["verdict"],
    }


def main() -> None:
    """Write the files."""
    for target, content in ((TARGET, render_rates()), (BISECTS, render_bisects())):
        target.write_text(content, encoding="utf-8")
        print(target.relative_to(ROOT))


if __name__ == "__main__":
    main()
