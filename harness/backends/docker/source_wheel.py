"""Builds the wheel of a checkout, a commit or an sdist in a container, without a network: building runs its code.

What comes out is data: one wheel, whose name, size and metadata are checked before anything is made of it.
"""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from harness.backends.docker import building, connection, wheels
from harness.backends.docker.archives import PIECE_BYTES, Pieces
from harness.backends.docker.bases import Base
from harness.backends.docker.building import BuildFailedError, ImageRecipe
from harness.backends.docker.source_needs import parse_build_needs, read_project
from harness.core.errors import HarnessError, UnrunnableError
from harness.core.model import Json
from harness.core.patterns import pattern
from harness.provision.installer import WrongPythonError, one_line
from harness.provision.sources import Source
from harness.provision.stdlib import missing_module, was_in_stdlib

if TYPE_CHECKING:
    from docker import DockerClient

BUILT = PurePosixPath("/built")
MOST_WHEEL_BYTES = 64 * 2**20
MOST_MEMORY_BYTES = 2048 * 2**20
_REASON = pattern(r"^\s*(\w*(?:Error|Exception|Exit)\b.*)$", re.MULTILINE)


def obtain_wheel(client: DockerClient, source: Source, base: Base, folder: Path, say: Callable[[str], None]) -> Path:
    """The wheel of a source that is no release, in ``folder``; one that is a wheel already is not built.

    Raises:
        WrongPythonError: it can't be built on this Python; another one may do.
        UnrunnableError: it can't be built, or needs something for it that can't be had by its name.
    """
    staged = folder / "source"
    asked = Path(unquote(source.stage(staged).partition("file://")[2]))
    if asked.suffix == ".whl":
        return Path(shutil.move(asked, folder / asked.name))
    needed = parse_build_needs(read_project(asked, source.name), source.name)
    say(f"building {source.name} in a container")
    try:
        image = building.obtain(client, _describe(source, base, staged, asked, needed), say)
    except BuildFailedError as problem:
        raise _judge(problem, source, base) from problem
    try:
        return _fetch(client, image.identity, folder, source.name)
    finally:
        image.lease.close()


def _describe(source: Source, base: Base, staged: Path, asked: Path, needed: tuple[str, ...]) -> ImageRecipe:
    target = wheels.Target(version=base.version, architecture=base.architecture)
    log = building.work_dir() / "resolving.log"

    def fill(context: Path) -> dict[str, Json]:
        into = context / "source" / asked.name if asked == staged else context / "source"
        shutil.copytree(staged, into, symlinks=True)
        pinned = wheels.pin(needed, (), target, subject=source.name, log=log)
        wheels.fill(context / "wheels", pinned, target, subject=source.name, log=log)
        return {}

    return ImageRecipe(
        kind="source",
        dockerfile=building.read_dockerfile("source"),
        matter=(base.identity, source.identity, *needed),
        arguments={"BASE": base.name, "SOURCE": asked.name},
        fill=fill,
        network="none",
        memory_bytes=MOST_MEMORY_BYTES,
    )


def _judge(problem: BuildFailedError, source: Source, base: Base) -> HarnessError:
    said = problem.log.read_text(encoding="utf-8", errors="replace") if problem.log else ""
    missing = missing_module(said)
    left = missing is not None and was_in_stdlib(missing, base.version)
    if left or "requires a different Python" in said or "Requires-Python" in said:
        return WrongPythonError(what=f"{source.name} can't be built on Python {base.version}", log=problem.log)
    reasons = _REASON.findall(said)
    why = one_line(reasons[-1]) if reasons else problem.what
    return UnrunnableError(what=f"{source.name} can't be built: {why}", log=problem.log)


def _fetch(client: DockerClient, image: str, folder: Path, subject: str) -> Path:
    """Copy the one wheel out of an image, through a container that is never started."""
    with connection.speaking(f"The wheel of {subject} could not be fetched from its image"):
        container = client.api.create_container(image, command=["true"], network_disabled=True)["Id"]
        try:
            pieces, _ = client.api.get_archive(container, str(BUILT))
            with tarfile.open(fileobj=Pieces(pieces), mode="r|") as archive:
                return _take(archive, folder, subject)
        finally:
            client.api.remove_container(container, force=True)


def _take(archive: tarfile.TarFile, folder: Path, subject: str) -> Path:
    for member in archive:
        name = PurePosixPath(member.name).name
        stream = archive.extractfile(member) if member.isfile() and _is_gunicorns(name) else None
        if stream is None:
            continue
        if member.size > MOST_WHEEL_BYTES:
            raise UnrunnableError(what=f"the wheel of {subject} has {member.size} bytes, more than {MOST_WHEEL_BYTES}")
        with (folder / name).open("xb") as file:
            while piece := stream.read(PIECE_BYTES):
                file.write(piece)
        return folder / name
    raise UnrunnableError(what=f"building {subject} made no wheel of gunicorn")


def _is_gunicorns(name: str) -> bool:
    try:
        return parse_wheel_filename(name)[0] == "gunicorn"
    except InvalidWheelFilename:
        return False
