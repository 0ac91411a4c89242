"""The commands that are interrupted, and the places in which each has something to do."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.attacks.attempt import Place
from tests.integration.stubs import command, environ
from tests.unit.runs import bursts, deleted, write_run

QUICK = ("--worker", "sync", "--workers", "2", "--max-requests", "100", "--recycles", "2", "--duration", "1")
TABLE = ("matrix", "--versions", "23.0.0,27.0.1", "--workers", "sync,gthread", "--profile", "quick")
FINDING = ("--profile", "quick", "--finding", "socket-deleted", "--budget", "4")

COMMANDS: Mapping[str, Sequence[str]] = {
    "reproduce": ("reproduce", "{wheel}", *QUICK, "--out", "{out}"),
    "check": ("check", "{wheel}", *QUICK, "--out", "{out}"),
    "scenario": ("scenario", "tcp", "{wheel}", *QUICK, "--out", "{out}"),
    "matrix": ("matrix", "--versions", "{wheel}", "--workers", "sync", "--profile", "quick", "--out", "{out}"),
    "merge": (*TABLE, "--merge", "{table}", "--out", "{out}"),
    "diff": ("diff", "{record}", "{other}"),
    "diff --run": ("diff", "--run", "{wheel}", "{wheel}", "--workers", "sync", "--budget", "4", "--out", "{out}"),
    "bisect": ("bisect", "19.5.0", "19.6.0", *FINDING, "--out", "{out}"),
    "minimise": ("minimise", "19.6.0", *FINDING, "--out", "{out}"),
    "doctor": ("doctor",),
    "judge": ("judge", "{record}"),
    "report": ("report", "{record}", "--format", "html,md,junit", "--out", "{out}"),
    "bundle": ("bundle", "{record}", "--force", "--out", "{out}/attachment.zip"),
    "advise": ("advise", "gunicorn --workers 2 --max-requests 100 app:app", "--out", "{out}"),
    "clean": ("RECYCLE_HARNESS_CACHE={cache}", "clean", "--all"),
}
"""Words with an equals sign before the command are variables of its environment, as in a shell."""

DISTURBED_CELL = ("23.0.0", "--profile", "quick", "--no-upstream-keepalive", "--seed", "3", "--worker", "sync")
DISTURBED: Mapping[str, Sequence[str]] = {
    name: ("reproduce", *DISTURBED_CELL, "--disturb", name, "--out", "{out}")
    for name in ("upgrade,rollback", "second-master", "rebind,stop", "hang-worker", "kill-arbiter", "socket-activation")
}
"""On a real release, which has masters that replace one another."""

KILLED_BUILDS, KILLED_RUNS, FILES = 60, 12, 20
"""What killed harnesses have left in the cache that is cleaned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command with everything that it names."""

    arguments: Sequence[str]
    variables: Mapping[str, str]


def furnish(words: Sequence[str], place: Place, wheel: Path) -> Call:
    """The command in this place, where what its words name is made."""
    paths = {"wheel": wheel, "out": place.out, "cache": place.root / "cache", "table": place.root / "table"}
    paths |= {"record": place.out / "record", "other": place.root / "other"}
    text = " ".join(words)
    for name, record in (("record", bursts()), ("other", deleted())):
        if f"{{{name}}}" in text:
            write_run(record, paths[name])
    if "{table}" in text:
        _write_table(paths["table"])
    if "{cache}" in text:
        _litter(paths["cache"])
    filled = [word.format(**paths) for word in words]
    variables = [word for word in filled if word.split("=")[0].isupper()]
    return Call(
        arguments=[word for word in filled if word not in variables],
        variables=dict(word.split("=", 1) for word in variables),
    )


def _write_table(folder: Path) -> None:
    """Two records of each cell of the table."""
    for name in _list_cells():
        for second in range(2):
            write_run(bursts(), folder / name / f"20260101T00000{second}Z-{name}")


@cache
def _list_cells() -> tuple[str, ...]:
    argv = command(*TABLE, "--list", "--format", "json")
    listed = json.loads(subprocess.run(argv, env=environ(), capture_output=True, check=True).stdout)
    return tuple(cell["name"] for cell in listed)


def _litter(folder: Path) -> None:
    """Half-built environments, and the lists of killed runs with a temporary folder each."""
    for number in range(KILLED_BUILDS):
        _fill(folder / "envs" / f".building-{number:08x}-1")
    (folder / "active").mkdir()
    for number in range(KILLED_RUNS):
        scratch = Path(tempfile.mkdtemp(dir=folder))
        _fill(scratch / "servers")
        content = {
            "marker": f"killed-{number}.0",
            "what": "run",
            "run": None,
            "harness": [1, -1],
            "leaders": [],
            "folders": [str(scratch)],
            "users": [],
        }
        (folder / "active" / f"killed-{number}.0.json").write_text(json.dumps(content))


def _fill(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(FILES):
        (folder / str(number)).write_text("x" * 5000)


def clean_again(call: Call, place: Place) -> list[str]:
    """What is wrong with a second ``clean`` after an interrupted one: it has to do the rest."""
    if "clean" not in call.arguments:
        return []
    folder = place.root / "cache"
    found = place.run(*call.arguments, more=call.variables).complain((0,))
    left = [path for path in folder.rglob("*") if path.is_file()]
    return [*found, *(f"not cleaned: {path.relative_to(folder)}" for path in left[:5])]
