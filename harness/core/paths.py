"""The paths of the cache folder, the fixtures and the Dockerfiles."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from harness.core.errors import SurroundingsError

DISTRIBUTION = "recycle-harness"


def cache_dir() -> Path:
    """The cache folder: ``$RECYCLE_HARNESS_CACHE``, else ``$XDG_CACHE_HOME/recycle-harness``, else below ``~/.cache``.

    It holds ``envs/`` (pinned gunicorn environments), ``tools/`` (unpacked programs such as h2o and wrk), ``docker/``
    (locks and logs of images, and the wheels in them) and ``active/`` (one file for each run under way, so that
    ``harness clean`` finds what a killed run left behind). Not created here.

    Raises:
        SurroundingsError: there is no home folder, and none of the variables is set.
    """
    named = os.environ.get("RECYCLE_HARNESS_CACHE")
    if named:
        return expand_home(Path(named)).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or _home() / ".cache") / DISTRIBUTION


def expand_home(path: Path) -> Path:
    """``~`` and ``~name`` at the beginning are home folders; that of a user who is not known stays as it is."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as problem:
        raise SurroundingsError(
            what="The cache folder would be below your home folder, and nobody knows which one that is.",
            remedy="Set RECYCLE_HARNESS_CACHE to a folder.",
        ) from problem


@cache
def fixtures_dir() -> Path:
    """The files that are handed to the servers: packed beside the package in a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "fixtures"
    return packed if packed.is_dir() else package.parent / "fixtures"


@cache
def docker_dir() -> Path:
    """The images' Dockerfiles: packed into the package in a wheel, at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    packed = package / "docker"
    return packed if packed.is_dir() else package.parent / "docker"
