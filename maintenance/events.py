"""Re-makes ``docs/events.md`` from the classes of the events: ``python -m maintenance.events``."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from harness.core.events import bound_path, clients, course, doings, fleet, servers, stop
from harness.core.events.base import Event, state_of
from harness.core.events.parsing import KINDS, list_fields

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "events.md"

LISTENERS = {"core", "judge", "report"}
"""Packages that read events and emit none."""

_HEAD = """\
# The events of a run

*Made from the classes in `harness/core/events` by `make events`: change those, not this page.*

`events.jsonl` holds one event a line, a JSON object each, in the order in which they were written:

    {"seq": 17, "at_ns": 1088896225408, "kind": "probe", "via": "proxy", "outcome": "200", "took_ns": 1904311}

| field | what it is |
|---|---|
| `seq` | the number of the line, from 0 on; the one event log of a run gives it |
| `at_ns` | when it was: nanoseconds of CLOCK_MONOTONIC, which all processes of a machine share |
| `kind` | what it tells; all further fields depend on it |
| `arm` | only in the record of a scenario: the run that the event belongs to |

The order of the lines need not be that of the times: a watcher may tell later what it saw before.

A record whose `seq` has a gap, a double or another order contradicts itself and is `inconclusive`, whatever its events
say. So is one with a kind that the judge does not know: what it would have told may change everything. A record with
`seq` and without its last line, the `end`, was cut short and never `holds`. Records of older versions have neither
`seq` nor `end`; they are judged as they are. Fields that a kind does not have are passed over; one that is missing or
of another type makes the record unreadable, and the error names the line.

"optional" fields are left out of a line where the value was not known, and in records of older versions.
"""

_GROUPS = {
    "The run": course,
    "The servers": servers,
    "The bound path": bound_path,
    "Whose doing it was": doings,
    "The workers": fleet,
    "The ordered stop": stop,
    "The clients": clients,
}


def render_page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, module in _GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_render_kind(kind) for kind in KINDS if kind.__module__ == module.__name__]
    return "\n".join(parts)


def _render_kind(kind: type[Event]) -> str:
    about, meanings = split_docstring(kind)
    state, fields = state_of(kind), list_fields(kind)[1:]
    rows = [("state", f"`{state}`", "")] if state is not None else []
    rows += [(one.name, one.words + ("" if one.required else ", optional"), meanings[one.name]) for one in fields]
    table = ["| field | type | meaning |", "|---|---|---|", *(f"| `{a}` | {b} | {c} |" for a, b, c in rows), ""]
    heading = f"### `{kind.kind}`" + ("" if state is None else f", `{state}`")
    by = ", ".join(f"`{name}`" for name in find_emitters()[kind.__name__])
    return "\n".join([heading, "", f"{about} Emitted by {by}.", "", *(table if rows else [])])


def split_docstring(kind: type[Event]) -> tuple[str, Mapping[str, str]]:
    """What a class is about, and the meaning of each of its fields."""
    about, _, attributes = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    joined = re.sub(r"\n {8}", " ", attributes)
    return " ".join(about.split()), dict(re.findall(r"^ +(\w+): (.+)$", joined, re.MULTILINE))


@cache
def find_emitters() -> Mapping[str, list[str]]:
    """Class -> the modules that make events of it, or, where a line of another program becomes one, that name it."""
    made, named = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for path in sorted((ROOT / "harness").rglob("*.py")):
        where = path.relative_to(ROOT / "harness")
        if where.parts[0] in LISTENERS:
            continue
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        calls = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        for kind in KINDS:
            if kind.__name__ in calls:
                made[kind.__name__].append(str(where))
            elif kind.__name__ in names:
                named[kind.__name__].append(str(where))
    return {kind.__name__: made.get(kind.__name__) or named[kind.__name__] for kind in KINDS}


def main() -> None:
    """Write the page."""
    PAGE.write_text(render_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
