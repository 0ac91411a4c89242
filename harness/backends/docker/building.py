"""Builds one image from a folder: it shows the progress, builds equal content once, and keeps the log of a failure.

An image is found again by its key, a digest of all that it is made of; its tag contains the key and its labels the
facts. The callers decide what goes into an image.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backends.docker import connection
from harness.core import locks
from harness.core.errors import SurroundingsError
from harness.core.files import replace_file
from harness.core.frozen import dataclass
from harness.core.keeping import temporary_folder
from harness.core.locks import Lease
from harness.core.model import Json
from harness.core.paths import cache_dir, docker_dir
from harness.core.patterns import pattern

if TYPE_CHECKING:
    from docker import DockerClient

SCHEMA = 1
"""Part of every key: raise it when images are built in another way, and all old ones are built anew."""

BUILD_TIMEOUT_S = 900.0
MOST_LOG_CHARACTERS = 4 * 2**20
"""What a build says beyond that is forgotten, the oldest first: some of it is said by code that somebody else wrote."""

_STEP = pattern(r"^Step (?P<number>\d+)/(?P<all>\d+) : (?P<what>.*)")
_ANSI = pattern(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecipe:
    """What an image is made of. ``fill`` puts the files into the build's folder; it is called only for a build."""

    kind: str  # "gunicorn", "h2o", "wrk": the image's name, and its label
    dockerfile: str
    matter: tuple[str, ...]  # all else that the result depends on
    arguments: Mapping[str, str]
    fill: Callable[[Path], Mapping[str, Json]]  # returns the facts
    network: str = "host"  # Debian's packages come from where this machine gets them; "none": all lies in the context
    memory_bytes: int | None = None  # the most that a step of the build may have

    @property
    def key(self) -> str:
        """A digest that is equal for equal images."""
        matter = [SCHEMA, self.kind, self.dockerfile, *self.matter, *sorted(self.arguments.items())]
        return hashlib.sha256(json.dumps(matter).encode()).hexdigest()[:16]

    @property
    def tag(self) -> str:
        """The image's name on the engine."""
        return f"recycle-harness/{self.kind}:{self.key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image on the engine, kept from being removed until its owner closes the lease."""

    identity: str
    tag: str
    facts: Mapping[str, Any]
    built: bool
    lease: Lease


class BuildFailedError(SurroundingsError):
    """A step of a build ended with an error; ``what`` ends with the last lines that it printed."""


def obtain(client: DockerClient, recipe: ImageRecipe, say: Callable[[str], None]) -> Image:
    """Find the image of a recipe on the engine, or build it; one process at a time builds."""
    lock = lock_of(recipe.key)
    lease = locks.take_shared(lock, on_wait=lambda: say(f"waiting for another run that builds {recipe.tag}"))
    try:
        image = _find(client, recipe, lease, built=False)
    except BaseException:
        lease.close()
        raise
    if image is not None:
        return image
    lease.close()
    lease = locks.take_exclusive(lock, on_wait=lambda: say(f"waiting for another run that builds {recipe.tag}"))
    try:
        found = _find(client, recipe, lease, built=False)
        if found is None:
            build(client, recipe, say)
        lease.share()
        image = found or _find(client, recipe, lease, built=True)
    except BaseException:
        lease.close()
        raise
    if image is None:
        lease.close()
        raise SurroundingsError(what=f"The image {recipe.tag} was built, and is gone again.", remedy="Try again.")
    return image


def lock_of(key: str) -> Path:
    """The file on which the processes that build or use an image hold a lease."""
    return work_dir() / f"{key}.lock"


def work_dir() -> Path:
    """The folder of locks, logs and downloaded distributions."""
    return cache_dir() / "docker"


def read_dockerfile(folder: str) -> str:
    """The text of the Dockerfile in a folder below ``docker``."""
    return (docker_dir() / folder / "Dockerfile").read_text(encoding="utf-8")


def remember(file: Path, text: str) -> str:
    """Store a text that takes long to get, in one step; return the text."""
    replace_file(file, text)
    return text


def build(client: DockerClient, recipe: ImageRecipe, say: Callable[[str], None]) -> None:
    """Build the image.

    Raises:
        BuildFailedError: a step failed; the error names the log. What ``fill`` raises is passed on.
    """
    log = work_dir() / f"{recipe.key}.log"
    with temporary_folder("build context") as folder:
        facts = recipe.fill(folder)
        (folder / "Dockerfile").write_text(recipe.dockerfile, encoding="utf-8")
        context = pack(folder)
    labels = {
        connection.IMAGE_LABEL: recipe.kind,
        f"{connection.IMAGE_LABEL}-key": recipe.key,
        connection.FACTS_LABEL: json.dumps(facts),
    }
    with connection.speaking(f"The image {recipe.tag} could not be built"):
        said = client.api.build(
            fileobj=context,
            custom_context=True,
            tag=recipe.tag,
            labels=labels,
            buildargs=dict(recipe.arguments),
            network_mode=recipe.network,
            use_config_proxy=recipe.network != "none",  # a proxy's address may hold a password
            container_limits=_limit(recipe),
            rm=True,
            forcerm=True,
            decode=True,
        )
        follow_build(said, recipe, log, say)
    log.unlink(missing_ok=True)


def _limit(recipe: ImageRecipe) -> dict[str, int]:
    most = recipe.memory_bytes
    return {} if most is None else {"memory": most, "memswap": most}


def pack(folder: Path) -> io.BytesIO:
    """A folder as a build context that is the same for the same files: no times, no owners."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = member.mtime = 0
        member.uname = member.gname = ""
        member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
        return member

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(folder)), recursive=False, filter=plain)
    packed.seek(0)
    return packed


def _find(client: DockerClient, recipe: ImageRecipe, lease: Lease, *, built: bool) -> Image | None:
    import docker.errors

    with connection.speaking("The images of the engine can't be looked at"):
        try:
            attributes = client.api.inspect_image(recipe.tag)
        except docker.errors.ImageNotFound:
            return None
    labels = attributes["Config"].get("Labels") or {}
    facts = json.loads(labels.get(connection.FACTS_LABEL, "{}"))
    return Image(identity=attributes["Id"], tag=recipe.tag, facts=facts, built=built, lease=lease)


def follow_build(said: Iterable[Mapping[str, Any]], recipe: ImageRecipe, log: Path, say: Callable[[str], None]) -> None:
    """Report each step as it begins; write the output to the log."""
    step, printed = "", ""
    until_s = time.monotonic() + BUILD_TIMEOUT_S
    for line in said:
        text = _ANSI.sub("", str(line.get("stream", "")))
        printed = (printed + text)[-MOST_LOG_CHARACTERS:]
        if time.monotonic() > until_s:
            log.write_text(printed, encoding="utf-8")
            raise BuildFailedError(what=f"The image {recipe.tag} took over {BUILD_TIMEOUT_S:g} s to build", log=log)
        begun = _STEP.match(text)
        if begun:
            step = " ".join(begun["what"].split())
            say(f"building the image {recipe.kind}: step {begun['number']} of {begun['all']}, {step[:60]}")
        if "error" in line:
            log.write_text(printed + str(line["error"]), encoding="utf-8")
            raise _explain(recipe, step, printed, str(line["error"]), log)


def _explain(recipe: ImageRecipe, step: str, printed: str, error: str, log: Path) -> SurroundingsError:
    if connection.is_about_the_machine(printed + error):
        known = connection.explain(f"The image {recipe.tag} could not be built", printed[-200:] + error)
        known.log = log
        return known
    last = [line for line in printed.splitlines() if line.strip() and not line.startswith((" --->", "Removing "))]
    return BuildFailedError(
        what=f"The image {recipe.tag} could not be built, at {step[:120]!r}: {' | '.join(last[-2:])[:500]}",
        remedy="Read the log; a base image without python3 or apt-get can't be used.",
        log=log,
    )
