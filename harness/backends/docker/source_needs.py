"""What a source that is to be built asks for: read from its files and from its wheel's metadata, not asked of its code.

All of it is written by others. Only names with versions are taken over: what names a path or an address would be
fetched and built on this machine.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from packaging.requirements import InvalidRequirement, Requirement

from harness.core.errors import UnrunnableError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEFAULT_NEEDS = ("setuptools", "wheel")
"""What a source is built with that doesn't say what it needs (PEP 518)."""

MOST_TEXT_BYTES = 2**20
MOST_MEMBERS = 20_000
_DAMAGED = (
    OSError,
    EOFError,
    RuntimeError,  # an encrypted member of a zip file, or one packed in an unknown way
    UnicodeDecodeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
)


def read_project(source: Path, subject: str) -> str:
    """The text of the ``pyproject.toml`` of a folder or of an archive of one; "" where it has none.

    Raises:
        UnrunnableError: the archive is damaged.
    """
    try:
        if source.is_dir():
            path = source / "pyproject.toml"
            content = _read_file(path) if path.is_file() and not path.is_symlink() else b""
        elif source.suffix == ".zip":
            content = _read_zipped(source)
        else:
            content = _read_packed(source)
    except _DAMAGED as problem:
        raise UnrunnableError(what=f"{subject} can't be read: {problem}") from problem
    return content.decode("utf-8", "replace")


def _read_file(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MOST_TEXT_BYTES)


def _read_zipped(source: Path) -> bytes:
    with zipfile.ZipFile(source) as archive:
        name = next((name for name in archive.namelist() if _is_project(name)), None)
        if name is None:
            return b""
        with archive.open(name) as stream:
            return stream.read(MOST_TEXT_BYTES)


def _read_packed(source: Path) -> bytes:
    with tarfile.open(source) as archive:
        for number, member in enumerate(archive):
            if number == MOST_MEMBERS:
                raise tarfile.TarError(f"it has more than {MOST_MEMBERS} members")
            stream = archive.extractfile(member) if member.isfile() and _is_project(member.name) else None
            if stream is not None:
                return stream.read(MOST_TEXT_BYTES)
    return b""


def _is_project(name: str) -> bool:
    path = PurePosixPath(name)
    return path.name == "pyproject.toml" and len(path.parts) == 2  # noqa: PLR2004 - directly in the one folder of an sdist


def parse_build_needs(project: str, subject: str) -> tuple[str, ...]:
    """What a build asks for, from the text of ``pyproject.toml``; only names with versions.

    Raises:
        UnrunnableError: it can't be understood, or names a path or an address.
    """
    try:
        asked = tomllib.loads(project).get("build-system", {}).get("requires", DEFAULT_NEEDS)
        named = [Requirement(line) for line in asked]
    except (tomllib.TOMLDecodeError, InvalidRequirement, AttributeError, TypeError, RecursionError) as problem:
        raise UnrunnableError(what=f"{subject} can't be built: its pyproject.toml: {problem}") from problem
    return tuple(_refuse_addresses(named, subject)) or DEFAULT_NEEDS


def list_needs(wheel: Path, subject: str) -> tuple[str, ...]:
    """What a wheel's metadata says that it needs, without extras; only names with versions.

    Raises:
        UnrunnableError: it is no wheel, or names a path or an address.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            name = next(
                one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
            )
            with archive.open(name) as stream:
                text = stream.read(MOST_TEXT_BYTES).decode("utf-8", "replace")
        needs = [Requirement(line) for line in HeaderParser().parsestr(text).get_all("Requires-Dist", [])]
    except StopIteration as problem:
        raise UnrunnableError(what=f"{subject} can't be installed: its wheel has no metadata") from problem
    except (*_DAMAGED, InvalidRequirement) as problem:
        raise UnrunnableError(what=f"{subject} can't be installed: its metadata: {problem}") from problem
    return tuple(_refuse_addresses((one for one in needs if "extra" not in str(one.marker or "")), subject))


def _refuse_addresses(requirements: Iterable[Requirement], subject: str) -> Iterator[str]:
    for one in requirements:
        if one.url is not None:
            raise UnrunnableError(
                what=f"{subject} asks for {one.name} from {one.url}, which would be built on this machine",
                remedy="name it by its version, or use --backend local where you trust it",
            )
        yield str(one)
