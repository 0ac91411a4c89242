"""Has gunicorn itself read a user's settings, in the environment of the release that is to run with them.

The first environment is that of the worker class that the text seems to name, which may import what only that class
needs; where gunicorn then reads another class, the run's own environment is prepared for that one.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from harness.core.errors import UnrunnableError, UsageError
from harness.core.files import is_file
from harness.core.frozen import dataclass
from harness.core.keeping import temporary_folder
from harness.core.paths import expand_home, fixtures_dir
from harness.core.patterns import pattern
from harness.core.subprocesses import run
from harness.engine.request import RunRequest
from harness.engine.servers import base_environment
from harness.provision import era
from harness.provision.environments import Environment
from harness.stack.own_settings.reading import Reading, parse_reading
from harness.stack.own_settings.replacing import UNLESS_POSSIBLE, resolve
from harness.stack.workers import WORKERS, name_worker

PATIENCE_S = 60.0
PASSED_ON = ("GUNICORN_CMD_ARGS", "WEB_CONCURRENCY")
"""The variables by which gunicorn's own settings may be given."""

_PROGRAM = pattern(r"(?:.*/)?gunicorn(?:\.app\.wsgiapp)?")
_CLASS = pattern(r"""(?:^\s*worker_class\s*=\s*|(?:-k|--worker-class)[ =]?)["']?([\w.#:]+)""", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What `--settings` names: gunicorn's arguments for it, and the text of its file, if it is one."""

    arguments: tuple[str, ...]
    text: str


def read_said(said: str, folder: Path) -> Told:
    """Take `--settings` apart: a file, ``python:module``, or gunicorn's own command line.

    Raises:
        UsageError: it is none of these.
    """
    path = folder / expand_home(Path(said.removeprefix("file:")))
    if is_file(path):
        return Told(arguments=("-c", str(path.resolve())), text=path.read_text(encoding="utf-8", errors="replace"))
    if said.startswith("python:"):
        return Told(arguments=("-c", said), text="")
    if " " not in said.strip() and not said.startswith("-") and not _PROGRAM.fullmatch(said):
        raise UsageError(what=f"--settings {said}: there is no such file.", remedy="Name a settings file.")
    try:
        words = shlex.split(said)
    except ValueError as problem:
        raise UsageError(what=f"--settings: {problem}.", remedy="Quote the command line as a shell wants it.") from None
    return Told(arguments=tuple(strip_program(words)), text="")


def strip_program(words: list[str]) -> list[str]:
    """Gunicorn's own arguments out of a whole command line: what comes after the program, or all of it."""
    at = next((at for at, word in enumerate(words) if _PROGRAM.fullmatch(word)), None)
    return words if at is None else words[at + 1 :]


def resolve_settings(
    request: RunRequest,
    environment_for: Callable[[RunRequest], Environment],
    *,
    proxy_is_another_user: bool,
) -> RunRequest:
    """The request with its cell, and with what gunicorn is to be given, as the user's settings have it.

    Raises:
        UsageError: the settings can't be run.
        UnrunnableError: gunicorn can't read them.
        HarnessError: ``environment_for`` failed.
    """
    own = request.own
    if own is None:
        return request
    folder = request.app_folder or Path.cwd()
    told = read_said(own.said, folder)
    hinted = replace(request, cell=replace(request.cell, worker=_guess_worker(request, told)))
    with closing(environment_for(hinted)) as environment:
        reading = _read(told, environment, folder, request)
    source = _read_source(reading, folder) or told.text
    resolved = resolve(request.cell, reading, own.given, source=source, proxy_is_another_user=proxy_is_another_user)
    return replace(request, cell=resolved.cell, own=replace(own, resolved=resolved))


def _guess_worker(request: RunRequest, told: Told) -> str:
    """The worker class that the settings seem to name, for the environment in which they are read."""
    own = request.own
    if own is not None and "worker" in own.given:
        return request.cell.worker
    said = " ".join([told.text, *told.arguments, os.environ.get("GUNICORN_CMD_ARGS", "")])
    found = _CLASS.findall(said)
    name = name_worker(found[-1], 1) if found else "sync"
    return name if name in WORKERS else "sync"


def _read(told: Told, environment: Environment, folder: Path, request: RunRequest) -> Reading:
    with temporary_folder("settings") as place:
        output = place / "read.json"
        paths = [str(folder)]
        if environment.era_shims:
            era.plant(environment.era_shims, place / "era")
            paths.insert(0, str(place / "era"))
        command = [
            str(environment.python),
            str(fixtures_dir() / "settings" / "reading.py"),
            str(output),
            ",".join(UNLESS_POSSIBLE),
            *told.arguments,
        ]
        passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        env = base_environment(place) | passed | {"PYTHONPATH": os.pathsep.join(paths)}
        done = run(command, cwd=folder, environ=env, timeout_s=PATIENCE_S)
        if done.status != 0 or not output.exists():
            raise _refusal(environment, done.stderr)
        try:
            return parse_reading(json.loads(output.read_bytes()))
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as problem:
            raise _refusal(environment, f"what it wrote can't be understood: {problem}") from problem


def _refusal(environment: Environment, said: str) -> UnrunnableError:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [
        line for line in lines if re.match(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit)\b|Error: |\S+: error: ", line)
    ]
    why = (errors or lines or ["it does not say why"])[-1]
    return UnrunnableError(
        what=f"gunicorn {environment.gunicorn_version} can't read the settings: {why}",
        remedy="Repair them; what they import has to be named with --with-requirements or --with.",
    )


def _read_source(reading: Reading, folder: Path) -> str:
    """The text of the file that gunicorn read, which may be one that the user did not name (./gunicorn.conf.py)."""
    if reading.file is None or reading.file.startswith("python:"):
        return ""
    path = folder / reading.file.removeprefix("file:")
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
