"""Preparing environments against virtualenv and pip, in one run, with warm download caches on both sides."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.provision import installer
from harness.provision.environments import prepare
from harness.provision.releases import list_releases, load_catalogue
from harness.provision.sources import describe_source
from harness.provision.spec import Release, parse_spec

SAMPLE = ("19.6.0", "20.1.0", "23.0.0", "27.0.1")
VIRTUALENV = "virtualenv<20.22"
"""The last line of releases that makes environments for Python 3.6."""

OLDEST = 19


def bench_preparation(repeats: int, folder: Path) -> None:
    """The sample by turns with either way; then every release from 19.0 on with ours."""
    tool = _install_virtualenv(folder / "tool")
    ours, theirs = list[float](), list[float]()
    for number in range(repeats + 1):  # the first round fills the download caches
        for release in SAMPLE:
            with _cache(folder / f"ours-{number}-{release}"):
                spent_s, base, requirements = _prepare(release)
            other_s = _prepare_with_pip(tool, base, requirements, folder / f"theirs-{number}-{release}")
            if number:
                ours.append(spent_s)
                theirs.append(other_s)
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(
        f"preparation: ours {statistics.median(ours):.2f} s, virtualenv and pip {statistics.median(theirs):.2f} s an "
        f"environment (medians of {len(ours)}): {ratio:.1f} times faster"
    )
    _prepare_all(folder / "all")


def _prepare_all(cache: Path) -> None:
    """Every release, with the interpreters looked up anew, as on a machine whose only warm thing is the downloads."""
    releases = [row.version for row in list_releases() if int(row.version.split(".")[0]) >= OLDEST]
    with _cache(cache):
        started_s = time.monotonic()
        for release in releases:
            prepare(Release(version=release), python=None, worker="gthread", say=_ignore).close()
        spent_s = time.monotonic() - started_s
    size = subprocess.run(["du", "-sm", str(cache)], capture_output=True, text=True, check=True)  # noqa: S607 - any du
    print(f"preparation of all {len(releases)} releases: {spent_s:.1f} s, {size.stdout.split()[0]} MB")


def _prepare(release: str) -> tuple[float, Path, tuple[str, ...]]:
    """(seconds, the interpreter, what was installed) of one environment; interpreters are known already."""
    prepare(Release(version=SAMPLE[0]), python=None, worker="sync", say=_ignore).close()
    started_s = time.monotonic()
    environment = prepare(Release(version=release), python=None, worker="gthread", say=_ignore)
    spent_s = time.monotonic() - started_s if environment.built else environment.build_s
    spec = parse_spec(release)
    if not isinstance(spec, Release):
        raise TypeError(f"{release} is no release")
    requirements = load_catalogue().requirements(release, environment.python_version, "gthread")
    environment.close()
    return spent_s, environment.base_python, (f"gunicorn=={describe_source(spec).version}", *requirements)


def _prepare_with_pip(tool: Path, base: Path, requirements: tuple[str, ...], target: Path) -> float:
    started_s = time.monotonic()
    subprocess.run([str(tool), "--quiet", "--python", str(base), str(target)], check=True, capture_output=True)
    argv = [str(target / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *requirements]
    subprocess.run(argv, check=True, capture_output=True)
    return time.monotonic() - started_s


def _install_virtualenv(folder: Path) -> Path:
    uv = str(installer.find_uv())
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    argv = [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), VIRTUALENV]
    subprocess.run(argv, check=True)
    return folder / "bin" / "virtualenv"


@contextmanager
def _cache(folder: Path) -> Iterator[None]:
    """An empty cache of the harness; uv's and pip's own are left as they are."""
    name = "RECYCLE_HARNESS_CACHE"
    before = os.environ.get(name)
    os.environ[name] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _ignore(_text: str) -> None:
    """Nobody looks."""
