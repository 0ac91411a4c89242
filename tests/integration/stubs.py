"""Wheels of stub servers, and running the harness on them: each stub misbehaves in one way that a detector must see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import EXIT_INCONCLUSIVE
from harness.provision import tools
from harness.stack.programs import DEFAULTS, recipe_of

STUB = Path(__file__).parent / "stub" / "wsgiapp.py"
TIMEOUT_S = 60.0

needs_tools = pytest.mark.skipif(
    any(tools.find_tool(recipe_of(name)) is None for name in DEFAULTS), reason="h2o or wrk is not here (make tools)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a finished run of the command line left."""

    code: int
    out: str
    err: str
    verdict: dict[str, Any]

    @property
    def findings(self) -> set[str]:
        return {finding["id"] for finding in self.verdict["findings"]}


def make_wheel(folder: Path, behaviour: str) -> Path:
    """A wheel of a distribution called gunicorn that holds the stub."""
    source = STUB.read_text().replace('BEHAVIOUR = "good"', f"BEHAVIOUR = {behaviour!r}")
    info = "gunicorn-99.0.dist-info"
    files = {
        "gunicorn/__init__.py": 'version_info = (99, 0)\n__version__ = "99.0"\n',
        "gunicorn/app/__init__.py": "",
        "gunicorn/app/wsgiapp.py": source,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: gunicorn\nVersion: 99.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    wheel = folder / "gunicorn-99.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return wheel


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "harness", *map(str, arguments)]


def environ(**more: str) -> dict[str, str]:
    """As a user's, with bytecode, and so wide that no sentence is broken in two (pytest's readline sets COLUMNS)."""
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "COLUMNS": "400", **more}


def run_harness(out: Path, *arguments: str | Path, timeout_s: float = TIMEOUT_S, **variables: str) -> Ran:
    """Run the command line to its end; the verdict is that of the newest record, {} where there is none."""
    done = subprocess.run(
        command(*arguments, "--out", out),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environ(**variables),
    )
    record = out / "latest" / "verdict.json"
    verdict = json.loads(record.read_text()) if record.exists() else {}
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr, verdict=verdict)


def run_until_decided(out: Path, *arguments: str | Path, **variables: str) -> Ran:
    """As ``run_harness``, but again, twice at most, where the machine was too busy for a verdict on a real release."""
    ran = run_harness(out, *arguments, timeout_s=TIMEOUT_S, **variables)
    for _ in range(2):
        if ran.code != EXIT_INCONCLUSIVE:
            break
        ran = run_harness(out, *arguments, timeout_s=TIMEOUT_S, **variables)
    return ran


def find_marked(out: Path) -> list[int]:
    """The pids of servers and loads of a run below ``out``, by the marker in their environment.

    The marker is the run's name and a random ending. Tests that run side by side may have runs of one name, so the
    process's arguments or its working folder have to lead below ``out`` too, as those of all servers do.
    """
    ids, root = {path.name.encode() for path in out.glob("2*")}, str(out).encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                variables = (entry / "environ").read_bytes().split(b"\0")
                places = (entry / "cmdline").read_bytes() + os.fsencode((entry / "cwd").readlink())
            except OSError:
                continue
            marks = [value for name, _, value in _pairs(variables) if name == b"RECYCLE_HARNESS_RUN"]
            if root in places and any(mark.startswith(run) for mark in marks for run in ids):
                found.append(int(entry.name))
    return found


def _pairs(variables: list[bytes]) -> list[tuple[bytes, bytes, bytes]]:
    return [variable.partition(b"=") for variable in variables]
