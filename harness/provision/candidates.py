"""Lists the files that may be Python interpreters: on PATH, below pyenv's versions, and among those that uv manages.

This module deals with file names and starts no process; ``interpreters`` finds out what each file is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_NAMES = ("python3", "python", *(f"python3.{minor}" for minor in range(30)), "python2.7")


def list_candidates(environ: Mapping[str, str], home: Path) -> Iterator[Path]:
    """Every file that may be an interpreter: on PATH, below pyenv's versions (newest first), then uv's own."""
    roots = _pyenv_roots(environ, home)
    shims = {root / "shims" for root in roots}
    for folder in environ.get("PATH", "").split(os.pathsep):
        # pyenv's shims exist for every version, selected or not, and the real interpreters come below.
        if folder and os.path.isabs(folder) and Path(folder) not in shims:  # noqa: PTH117
            # Few of the names exist: as texts they take a tenth of the time that paths take.
            yield from (Path(folder, name) for name in _NAMES if os.access(f"{folder}/{name}", os.F_OK))
    for root in roots:
        for version in sorted(_folders(root / "versions"), key=_numbers, reverse=True):
            yield version / "bin" / "python"
    for version in sorted(_folders(_uv_python_dir(environ, home)), key=_numbers, reverse=True):
        if version.name.startswith("cpython-"):
            yield version / "bin" / "python3"


def one_per_file(candidates: Iterable[Path]) -> Iterator[Path]:
    """Keep the files that can be executed, and each real file once, under the first of its names."""
    seen: set[Path] = set()
    for candidate in candidates:
        if not os.access(candidate, os.X_OK) or candidate.is_dir():
            continue
        real = candidate.resolve()
        if real not in seen:
            seen.add(real)
            yield candidate


def _pyenv_roots(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    named = [Path(environ["PYENV_ROOT"])] if environ.get("PYENV_ROOT") else []
    return tuple(dict.fromkeys([*named, home / ".pyenv"]))


def _uv_python_dir(environ: Mapping[str, str], home: Path) -> Path:
    if environ.get("UV_PYTHON_INSTALL_DIR"):
        return Path(environ["UV_PYTHON_INSTALL_DIR"])
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "uv" / "python"


def _folders(folder: Path) -> tuple[Path, ...]:
    try:
        return tuple(entry for entry in folder.iterdir() if entry.is_dir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()  # a source of interpreters that doesn't exist here


def _numbers(folder: Path) -> tuple[tuple[int, ...], str]:
    """Order by the version in a folder's name ("3.10.13" after "3.9.18"), then by the name itself."""
    return tuple(int(number) for number in re.findall(r"[0-9]+", folder.name)[:3]), folder.name
