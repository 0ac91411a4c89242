"""Lists the stored environments, and removes those that are not in use and what killed builds left behind.

An environment on which a live process holds a lease stays. This module has no other rule about what to keep.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.core import locks, paths
from harness.core.frozen import dataclass
from harness.provision.build import BUILDING, read_mark, remove_environment

BESIDE = ("log", "refused", "lock")
"""What lies beside an environment, as file endings, in the order in which it is removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One folder among the environments."""

    path: Path
    key: str
    whole: bool  # False: half-built, or its Python went away
    size_bytes: int  # what removing it would free


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """Something that was removed, how much that freed, and why it could go."""

    path: Path
    size_bytes: int
    why: str


def list_environments() -> tuple[Stored, ...]:
    """Every environment and leftover in the cache, sorted by name; an empty tuple where there is no cache."""
    envs = _envs_dir()
    if not envs.is_dir():
        return ()
    return tuple(_describe(path) for path in sorted(envs.iterdir()) if path.is_dir())


def remove_unused(*, only_leftovers: bool = False) -> tuple[Removed, ...]:
    """Remove the environments that no live process uses; ``only_leftovers``: just those that aren't complete.

    Raises:
        OSError: a file could not be removed.
    """
    removed: list[Removed] = []
    stored = list_environments()
    for key in sorted({one.key for one in stored} | _keys_beside(_envs_dir())):
        lease = locks.try_exclusive(_beside(key, "lock"))
        if lease is None:
            continue
        try:
            doomed = [one for one in stored if one.key == key and not (only_leftovers and one.whole)]
            removed.extend(_remove(one) for one in doomed)
            if not (_envs_dir() / key).exists() and not only_leftovers:
                _remove_beside(key)
        finally:
            lease.close()
    return tuple(removed)


def _describe(path: Path) -> Stored:
    unfinished = path.name.startswith(BUILDING)
    key = path.name[len(BUILDING) :].rpartition("-")[0] if unfinished else path.name
    return Stored(
        path=path,
        key=key,
        whole=not unfinished and read_mark(path) is not None,
        size_bytes=_measure(path),
    )


def _remove(stored: Stored) -> Removed:
    if stored.path.name.startswith(BUILDING):
        shutil.rmtree(stored.path)
    else:
        remove_environment(stored.path)
    why = "not in use" if stored.whole else "left behind by a build that was killed, or damaged"
    return Removed(path=stored.path, size_bytes=stored.size_bytes, why=why)


def _remove_beside(key: str) -> None:
    """Remove the lock last: a process that waits for it notices that the file is gone, and opens the new one."""
    for ending in BESIDE:
        _beside(key, ending).unlink(missing_ok=True)


def _keys_beside(envs: Path) -> set[str]:
    return {file.name.removesuffix(f".{ending}") for ending in BESIDE for file in envs.glob(f"*.{ending}")}


def _beside(key: str, ending: str) -> Path:
    return _envs_dir() / f"{key}.{ending}"


def _envs_dir() -> Path:
    return paths.cache_dir() / "envs"


def _measure(folder: Path) -> int:
    """Bytes on disk that belong to this folder alone; files that uv linked from its own cache don't count."""
    statuses = (path.lstat() for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    return sum(status.st_blocks * 512 for status in statuses if status.st_nlink == 1)
