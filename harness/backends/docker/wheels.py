"""Fetches the distributions that an image is built from into a folder; uv resolves them for the image's Python.

So a build needs no index, and honours the host's mirror and certificates. Nothing is built here: source distributions
are built in the image, because an old one may need an old Python, and the user's own source by ``source_wheel``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, SurroundingsError, UnrunnableError
from harness.core.files import replace_file
from harness.core.frozen import dataclass
from harness.core.paths import cache_dir
from harness.provision import installer
from harness.provision.complaints import Complaint, find_remedy
from harness.provision.hashes import is_expected

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FETCH_TIMEOUT_S = 60.0

_UNDERSTOOD = """\
# Its setup.py imports itself, which only the Pythons of its time can do; it needs nothing.
[[dependency-metadata]]
name = "bottle"
requires-dist = []
"""
_PLATFORMS = {"amd64": "x86_64-unknown-linux-gnu", "arm64": "aarch64-unknown-linux-gnu"}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_INSTALLER = ("pip",)
"""The newest pip for that Python: the one in a base image may be too old for today's wheels."""

_TO_BUILD = ("setuptools", "wheel")
"""What pip needs to build a source distribution, where the base image does not have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The Python of an image: its full version, and the architecture as images name it (amd64, arm64)."""

    version: str
    architecture: str


def fill(folder: Path, requirements: Sequence[str], target: Target, *, subject: str, log: Path) -> list[str]:
    """Put into ``folder`` (which is made) all that the requirements need on that Python, and the pip to install it.

    Returns ``name==version`` of what will be installed.

    Raises:
        WrongPythonError, UnrunnableError, SurroundingsError: as ``installer.install``.
    """
    folder.mkdir(parents=True)
    locked = _resolve(requirements, target, subject=subject, log=log)
    tools = _resolve(_INSTALLER, target, subject=subject, log=log)
    if any(choose_wheel(package, target) is None and "sdist" in package for package in locked):
        tools += _resolve(_TO_BUILD, target, subject=subject, log=log)
    for package in (*locked, *tools):
        chosen = choose_wheel(package, target) or package.get("sdist")
        if chosen is not None and "url" in chosen:
            _check_recorded(package, str(chosen["hashes"]["sha256"]))
            _fetch(chosen, folder)
    return [f"{package['name']}=={package['version']}" for package in locked if "version" in package]


def pin(asked: Sequence[str], beside: Sequence[str], target: Target, *, subject: str, log: Path) -> tuple[str, ...]:
    """``name==version`` of all that somebody else's source asks for, which fits to the pins ``beside`` it.

    Only wheels count: of anything else uv would run the build here, to read its metadata.

    Raises:
        UnrunnableError: it asks for something that is to be had as a source alone, or not at all.
        WrongPythonError, SurroundingsError: as ``installer.install``.
    """
    if not asked:
        return ()
    constraints = _work_dir() / "beside.txt"
    constraints.write_text("".join(f"{line}\n" for line in beside), encoding="utf-8")
    more = ("--no-build", "--constraint", str(constraints))
    try:
        locked = _resolve(asked, target, subject=subject, log=log, more=more)
    except SurroundingsError as problem:
        said = log.read_text(encoding="utf-8")
        if "No solution found" not in said or installer.classify(said) is Complaint.UNREACHABLE:
            raise
        raise UnrunnableError(
            what=f"{subject} asks for what is not to be had as a wheel: {installer.one_line(said)}",
            remedy="use --backend local where you trust what it asks for",
            log=log,
        ) from problem
    return tuple(f"{package['name']}=={package['version']}" for package in locked)


def _work_dir() -> Path:
    work = cache_dir() / "docker" / "resolving"
    work.mkdir(parents=True, exist_ok=True)
    return work


def _resolve(
    requirements: Sequence[str], target: Target, *, subject: str, log: Path, more: Sequence[str] = ()
) -> list[Mapping[str, Any]]:
    """Uv's lock of the requirements: a row a package, with the addresses of its files."""
    work = _work_dir()
    settings = work / "understood.toml"
    settings.write_text(_UNDERSTOOD, encoding="utf-8")
    minor = ".".join(target.version.split(".")[:2])
    command = ["--config-file", str(settings), "pip", "compile", "--quiet", "--no-header", "--format", "pylock.toml"]
    platform = _PLATFORMS.get(target.architecture)
    command += ["--python", sys.executable, "--python-version", minor]
    command += ["--python-platform", platform] if platform else []
    command += more
    done = installer.run_uv([*command, "-"], work, stdin="".join(f"{line}\n" for line in requirements))
    if done.status != 0:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise installer.judge_failure(done.stderr, subject=subject, log=log)
    return list(tomllib.loads(done.stdout).get("packages", []))


def choose_wheel(package: Mapping[str, Any], target: Target) -> Mapping[str, Any] | None:
    """The best of a package's wheels for that Python, or None where none fits."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    order = {tag: rank for rank, tag in enumerate(_tags(target))}
    fitting = []
    for wheel in package.get("wheels", ()):
        try:
            *_, tags = parse_wheel_filename(_file_name(wheel))
        except InvalidWheelFilename:
            continue
        ranks = [order[str(tag)] for tag in tags if str(tag) in order]
        if ranks:
            fitting.append((min(ranks), wheel))
    return min(fitting, key=lambda pair: pair[0], default=(0, None))[1]


def _tags(target: Target) -> Iterable[str]:
    """The tags that such a Python accepts, the best first, such as ``cp36-cp36m-manylinux2014_x86_64``."""
    from packaging.tags import compatible_tags, cpython_tags

    minor = tuple(int(part) for part in target.version.split(".")[:2])
    machine = _MACHINES.get(target.architecture, target.architecture)
    glibc = [f"manylinux_2_{number}_{machine}" for number in range(28, 4, -1)]
    platforms = [*glibc, *(f"{name}_{machine}" for name in ("manylinux2014", "manylinux2010", "manylinux1"))]
    flag = "m" if minor < (3, 8) else ""
    abi = f"cp{minor[0]}{minor[1]}{flag}"
    for tag in cpython_tags(minor, abis=[abi], platforms=platforms):
        yield str(tag)
    for tag in compatible_tags(minor, interpreter=f"cp{minor[0]}{minor[1]}", platforms=[*platforms, "any"]):
        yield str(tag)


def _check_recorded(package: Mapping[str, Any], digest: str) -> None:
    name, version = str(package.get("name")), str(package.get("version"))
    if not is_expected(name, version, digest):
        raise SurroundingsError(
            what=f"{Complaint.CHANGED.value}: {name} {version} with SHA-256 {digest}",
            remedy=find_remedy(Complaint.CHANGED),
        )


def _file_name(file: Mapping[str, Any]) -> str:
    return str(file["url"]).partition("#")[0].rpartition("/")[2]


def _fetch(file: Mapping[str, Any], folder: Path) -> None:
    """One distribution: from the cache, else from the index, with its digest checked."""
    sha256, name = str(file["hashes"]["sha256"]), _file_name(file)
    kept = cache_dir() / "docker" / "wheels" / sha256 / name
    if not kept.is_file():
        content = _download(str(file["url"]))
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise SurroundingsError(
                what=f"{name} is not what the package index announced: SHA-256 {found} instead of {sha256}.",
                remedy="See what answers in the index's stead.",
            )
        kept.parent.mkdir(parents=True, exist_ok=True)
        replace_file(kept, content)
    shutil.copyfile(kept, folder / re.sub(r"%2[Bb]", "+", name))


def _download(url: str) -> bytes:
    import httpx

    if url.startswith("file://"):
        return Path(url.removeprefix("file://")).read_bytes()
    certificates = installer.uv_environ(os.environ).get("SSL_CERT_FILE")
    try:
        context = ssl.create_default_context(cafile=certificates)
        answer = httpx.get(url, verify=context, timeout=FETCH_TIMEOUT_S, follow_redirects=True)
        answer.raise_for_status()
    except (httpx.HTTPError, OSError) as problem:
        raise _unreachable(url, problem) from problem
    return answer.content


def _unreachable(url: str, problem: Exception) -> HarnessError:
    name = url.rpartition("/")[2]
    return SurroundingsError(
        what=f"{name} could not be fetched from the package index: {type(problem).__name__}: {problem}",
        remedy="Mend the connection, or name a mirror in UV_DEFAULT_INDEX.",
    )
