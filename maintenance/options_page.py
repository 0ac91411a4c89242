"""Makes docs/options.md from the fields of a cell and the worker classes; a unit test compares the two.

.venv/bin/python -m maintenance.options_page
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.core.cell_fields import CELL_FIELDS
from harness.core.cells import write_value
from harness.core.field_kinds import LONGEST_S, CellField, Kind, Section
from harness.engine.options import CHOICES, PROFILES
from harness.stack.workers import WORKERS, WorkerClass

PAGE = Path(__file__).parents[1] / "docs" / "options.md"

HEAD = """\
# The options of a run

This page is written by `make options`, from the fields of a cell
(`harness/core/cell_fields.py`) and the worker classes (`harness/stack/workers.py`).

`harness reproduce`, `check` and the scenarios take all of these options; `harness COMMAND --help` lists the others. A
[matrix](matrix.md) takes them too, but for `--port`; its `--workers` and `--proxies` name several, and `--worker-count`
is the number of processes. The defaults are those of the original report, with those of `--profile quick` beside them
where they differ. In `cell.json` and in the `cell` of `verdict.json` the value stands under the key.
"""


def render_page() -> str:
    """The whole page, as Markdown."""
    rows = [row for row in CELL_FIELDS.values() if row.flag is not None]
    parts = [HEAD]
    for section in Section:
        fields = [_field(row) for row in rows if row.section is section]
        parts += [
            f"## {section.value.capitalize()}\n",
            _table(("option", "values", "default", "key", "meaning"), fields),
        ]
    make = ", ".join(f"`{row.name.upper()}`" for row in rows if row.make)
    plugin = ", ".join(f"`--gunicorn-{row.name}`" for row in rows if row.plugin is not None)
    parts += [f"make has a variable for some of them ({make}), and pytest an option ({plugin}).\n"]
    workers = [_worker(*item) for item in WORKERS.items()]
    parts += ["## Worker classes\n", _table(("class", "threads", "app", "deviation"), workers)]
    return "\n".join(parts)


def _field(row: CellField) -> tuple[str, ...]:
    switch = row.kind is Kind.SWITCH
    flag = f"`{row.flag}`" if switch else f"`{row.flag} {row.metavar or row.name.upper()}`"
    return flag, _values(row), "" if switch else _default(row), f"`{row.name}`", row.help


def _values(row: CellField) -> str:
    if row.name in CHOICES:
        return ", ".join(f"`{choice}`" for choice in CHOICES[row.name])
    ranges = {Kind.COUNT: f"{row.least} or more", Kind.SECONDS: f"above 0, up to {LONGEST_S:g}"}
    return ranges.get(row.kind, "")


def _default(row: CellField) -> str:
    quick = getattr(PROFILES["quick"], row.name)
    default = row.shown or ("" if row.default is None else write_value(row.default))
    return default if quick == row.default else f"{default}; quick: {write_value(quick)}"


def _worker(name: str, worker: WorkerClass) -> tuple[str, ...]:
    threads, app = "`--threads`" if worker.has_threads else "1", "ASGI" if worker.asgi else "WSGI"
    return f"`{name}`", threads, app, worker.deviation or ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(render_page(), encoding="utf-8")
