"""The three images of a run: gunicorn on its Python, the proxy, and the clients with the observer.

What a release needs is the catalogue's word, as for the local back end; which base images there are is ``bases``'.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness import installer, places, tools
from harness.containers import bases, building, engine, leftovers, wheels
from harness.containers.bases import Base
from harness.containers.building import BuildFailedError, Image, Recipe
from harness.environments import Environment
from harness.errors import HarnessError, SurroundingsError, UnrunnableError, UsageError
from harness.fitting import refuse_request, wanted_pythons
from harness.installer import WrongPythonError
from harness.interpreters import Memory, Request, parse_request
from harness.model import Cell, Json
from harness.releases import Catalogue, load_catalogue
from harness.sources import Source, describe_source
from harness.spec import Latest, Release, parse_spec
from harness.stdlib import missing_module, was_in_stdlib

if TYPE_CHECKING:
    from docker import DockerClient

PROXIES = ("h2o", "nginx", "haproxy", "none")
"""The values of ``--proxy`` for which there is an image."""

LOADS = ("wrk",)

GUNICORN_HOME = PurePosixPath("/opt/gunicorn")
OBSERVER_PYTHONS = ("3.12", "3.11", "3.13", "3.10")
OBSERVER_NEEDS = ("httpx", "inotify-simple")
"""What the harness's watchers import from elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """The images of one run; ``proxy`` is None where the cell has none."""

    gunicorn: Image
    clients: Image
    proxy: Image | None
    versions: Mapping[str, str]  # of h2o, wrk, as they state them

    def facts(self) -> dict[str, Json]:
        """For ``facts.json``: name and digest of each."""
        named = {"gunicorn": self.gunicorn, "clients": self.clients, "proxy": self.proxy}
        return {name: {"tag": image.tag, "id": image.identity} for name, image in named.items() if image is not None}


def why_not(cell: Cell) -> UsageError | None:
    """Why a cell can't be run in containers; None where it can."""
    if cell.proxy not in PROXIES:
        return UsageError(
            what=f"--backend docker has no image for --proxy {cell.proxy}.",
            remedy=f"Use one of: {', '.join(PROXIES)}; or --backend local.",
        )
    if cell.load not in LOADS:
        return UsageError(
            what=f"--backend docker has no image for --load {cell.load}.",
            remedy=f"Use one of: {', '.join(LOADS)}; or --backend local.",
        )
    if cell.app is not None:
        return UsageError(
            what="--app: an app of your own, with all that it imports, is in no image.",
            remedy="Leave --app out, or use --backend local.",
        )
    return None


def prepare(cell: Cell, *, python: str | None, say: Callable[[str], None]) -> tuple[Environment, ImageSet]:
    """All images of a cell: found, or built now. ``say`` is told what takes time.

    UnrunnableError where this gunicorn can't be installed; SurroundingsError for the engine, the index, base images;
    UsageError for what containers can't have.
    """
    client = engine.connect()
    try:
        (building.work_dir()).mkdir(parents=True, exist_ok=True)
        gunicorn, environment = _prepare_gunicorn(client, cell, python, say)
        clients, proxy = _prepare_clients(client, say), _prepare_proxy(client, cell, say)
        versions = {cell.load: _tool_version(client, clients, cell.load)}
        if proxy is not None:
            versions[cell.proxy] = _tool_version(client, proxy, cell.proxy)
        return environment, ImageSet(gunicorn=gunicorn, clients=clients, proxy=proxy, versions=versions)
    except OSError as problem:
        raise SurroundingsError(
            what=f"The images can't be prepared: {problem}.",
            remedy=f"See to the space in and the permissions of {places.cache_dir()}, or set RECYCLE_HARNESS_CACHE.",
        ) from problem
    finally:
        client.close()


# --- gunicorn -------------------------------------------------------------------------------------------------


def _prepare_gunicorn(
    client: DockerClient, cell: Cell, python: str | None, say: Callable[[str], None]
) -> tuple[Image, Environment]:
    """The first Python, of those that the release runs on, whose base image can be had and that does."""
    catalogue, source, request = load_catalogue(), _describe(cell.spec), _request(python)
    gap = catalogue.why_no_worker(source.version, cell.worker)
    if gap is not None:
        raise UnrunnableError(what=f"{source.name} can't run the {cell.worker} worker: {gap}")
    refuse_request(catalogue, request, subject=source.name, release=source.version, worker=cell.worker)
    wanted = wanted_pythons(catalogue, request, release=source.version, worker=cell.worker, wants="")
    refused: list[tuple[str, HarnessError]] = []
    while True:
        left = tuple(minor for minor in wanted if minor not in {minor for minor, _ in refused})
        base, without = bases.try_in_turn(client, left, say)
        refused.extend(without)
        if base is None:
            raise _no_python(source, wanted, refused)
        requirements = catalogue.requirements(source.version, base.version, cell.worker)
        try:
            image = _build_gunicorn(client, source, requirements, base, say)
        except WrongPythonError as problem:
            refused.append((".".join(base.version.split(".")[:2]), problem))
            continue
        others = (f"python-{minor}: {problem.what}" for minor, problem in refused)
        looked_at = (f"{base.name}: Python {base.version}: taken", *others)
        return image, _environment(image, catalogue, base, looked_at)


def _describe(spec: str) -> Source:
    parsed = parse_spec(spec)
    if isinstance(parsed, Latest):
        parsed = Release(version=installer.newest_release(base=Path(sys.executable), cwd=building.work_dir()))
    return describe_source(parsed)


def _request(python: str | None) -> Request:
    request = parse_request(python, Memory.load(places.cache_dir() / "interpreters.json"), environ=os.environ)
    if request.interpreter is not None:
        raise UsageError(
            what=f"--python {python} names an interpreter of this machine, which no container has.",
            remedy="Name a version (3.6), or choose the base image with RECYCLE_HARNESS_PYTHON_IMAGE.",
        )
    if request.version is not None:
        return Request(version=".".join(request.version.split(".")[:2]))
    return request


def _no_python(source: Source, wanted: tuple[str, ...], refused: list[tuple[str, HarnessError]]) -> HarnessError:
    if not refused:
        return UnrunnableError(what=f"{source.name} runs on no Python that is known.")
    reasons = "; ".join(f"Python {minor}: {problem.what}" for minor, problem in refused)
    first = refused[0][1]
    excluded = any(isinstance(problem, WrongPythonError) for _, problem in refused)
    kind = UnrunnableError if excluded else SurroundingsError
    return kind(
        what=f"No image of a Python that runs {source.name} can be had (it wants {', '.join(wanted)}): {reasons}",
        remedy=first.remedy,
        log=first.log,
    )


def _build_gunicorn(
    client: DockerClient, source: Source, requirements: tuple[str, ...], base: Base, say: Callable[[str], None]
) -> Image:
    log = building.work_dir() / "resolving.log"

    def fill(folder: Path) -> dict[str, Json]:
        say(f"fetching what {source.name} needs on Python {base.version}")
        return _fill_gunicorn(folder, source, requirements, base, log)

    recipe = Recipe(
        kind="gunicorn",
        dockerfile=_dockerfile("gunicorn"),
        matter=(base.identity, source.identity, *requirements),
        arguments={
            "BASE": base.name,
            # the only gunicorn that is to be found there
            "GUNICORN": f"gunicorn=={source.version}" if source.is_release else "gunicorn",
            "PINS": " ".join(requirements),
        },
        fill=fill,
    )
    try:
        return building.obtain(client, recipe, say)
    except BuildFailedError as problem:
        raise _judge_build(problem, source, base) from problem


def _fill_gunicorn(
    folder: Path, source: Source, requirements: tuple[str, ...], base: Base, log: Path
) -> dict[str, Json]:
    target = wheels.Target(version=base.version, architecture=base.architecture)
    asked = source.stage(folder / "source")
    if source.is_release:
        freeze = wheels.fill(folder / "wheels", [asked, *requirements], target, subject=source.name, log=log)
    else:
        origin = Path(asked.partition("file://")[2])
        wheel = wheels.build_wheel(origin, folder / "own", subject=source.name, log=log)
        asked = f"gunicorn @ {wheel.as_uri()}"
        freeze = wheels.fill(folder / "wheels", [asked, *requirements], target, subject=source.name, log=log)
        freeze = [line for line in freeze if not line.startswith("gunicorn==")] + [_name(wheel)]
        shutil.move(wheel, folder / "wheels" / wheel.name)
        shutil.rmtree(folder / "own")
    if (folder / "source").exists():
        shutil.rmtree(folder / "source")
    return {
        "python_version": base.version,
        "label_suffix": source.suffix,
        "revision": source.revision,
        "freeze": sorted(freeze),
    }


def _name(wheel: Path) -> str:
    """name==version of a wheel."""
    from packaging.utils import parse_wheel_filename

    name, version, *_ = parse_wheel_filename(wheel.name)
    return f"{name}=={version}"


def _judge_build(problem: BuildFailedError, source: Source, base: Base) -> HarnessError:
    """What the build's log says of the release: it wants another Python, or it is broken, or the harness is."""
    said = problem.log.read_text(encoding="utf-8", errors="replace") if problem.log else ""
    missing = missing_module(said)
    if missing is not None and was_in_stdlib(missing, base.version):
        return WrongPythonError(what=f"the standard library of Python {base.version} no longer has {missing}")
    if missing is not None and not missing.startswith("gunicorn"):
        return problem
    if "requires a different Python" in said or "Requires-Python" in said:
        return WrongPythonError(what=f"{source.name} asks for another Python than {base.version}", log=problem.log)
    return problem


def _environment(image: Image, catalogue: Catalogue, base: Base, looked_at: tuple[str, ...]) -> Environment:
    facts = image.facts
    freeze = tuple(str(line) for line in facts["freeze"])
    version = next(line.partition("==")[2] for line in freeze if line.startswith("gunicorn=="))
    return Environment(
        path=Path(GUNICORN_HOME),
        python=Path(GUNICORN_HOME / "bin" / "python"),
        python_version=str(facts["python_version"]),
        gunicorn_version=version,
        label=version + str(facts["label_suffix"]),
        revision=facts["revision"],
        shims=catalogue.shims_for(version),
        freeze=freeze,
        looked_at=looked_at,
        base_python=Path(base.name),
        built=image.built,
        build_s=0.0,
        lease=image.lease,
    )


# --- the others -----------------------------------------------------------------------------------------------


def _prepare_proxy(client: DockerClient, cell: Cell, say: Callable[[str], None]) -> Image | None:
    if cell.proxy == "none":
        return None
    base = bases.find_debian(client, say)
    recipe = Recipe(
        kind=cell.proxy,
        dockerfile=_dockerfile(cell.proxy),
        matter=(base.identity,),
        arguments={"BASE": base.name},
        fill=lambda folder: {},
    )
    return building.obtain(client, recipe, say)


def _prepare_clients(client: DockerClient, say: Callable[[str], None]) -> Image:
    here = tuple(minor for minor in OBSERVER_PYTHONS if bases.is_here(client, minor))
    base, refused = bases.try_in_turn(client, here or OBSERVER_PYTHONS, say)
    if base is None:
        raise refused[0][1]
    needs = tuple(_pin(name) for name in OBSERVER_NEEDS)
    own = _own_code()
    target = wheels.Target(version=base.version, architecture=base.architecture)

    def fill(folder: Path) -> Mapping[str, Json]:
        log = building.work_dir() / "resolving.log"
        freeze = wheels.fill(folder / "wheels", needs, target, subject="the observer", log=log)
        for path, content in own.items():
            place = folder / "harness" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        return {"python_version": base.version, "freeze": sorted(freeze)}

    digest = hashlib.sha256(b"".join(path.encode() + b"\0" + content for path, content in own.items())).hexdigest()
    recipe = Recipe(
        kind="wrk",
        dockerfile=_dockerfile("wrk"),
        matter=(base.identity, digest),
        arguments={"BASE": base.name, "PINS": " ".join(needs)},
        fill=fill,
    )
    return building.obtain(client, recipe, say)


def _tool_version(client: DockerClient, image: Image, name: str) -> str:
    """What the program in an image says of itself; asked once an image."""
    known = building.work_dir() / f"{image.identity.rpartition(':')[2]}.{name}"
    if known.is_file():
        return known.read_text(encoding="utf-8")
    recipe = tools.recipe_of(name)
    with engine.speaking(f"{image.tag} could not be asked for its version of {name}"):
        container = client.api.create_container(
            image.identity,
            command=[name, recipe.version_argument],
            labels={engine.RUN_LABEL: f"version-of-{name}", engine.OWNER_LABEL: leftovers.owner()},
            host_config=client.api.create_host_config(network_mode="none", cap_drop=["ALL"], read_only=True),
        )["Id"]
        try:
            client.api.start(container)
            client.api.wait(container)
            said = client.api.logs(container).decode("utf-8", "replace")
        finally:
            client.api.remove_container(container, force=True)
    return building.remember(known, tools.parse_version(name, said))


def _pin(name: str) -> str:
    """As it is installed beside the harness; what only Linux needs may be missing there."""
    try:
        return f"{name}=={metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name


def _own_code() -> dict[str, bytes]:
    """The rooms up to the watchers, by their path below the package: what the observer is made of."""
    package = Path(places.__file__).parent
    names = ("*.py", "watch/*.py", "proxies/*.py", "load/*.py")
    found = sorted(path for name in names for path in package.glob(name))
    return {str(path.relative_to(package)): path.read_bytes() for path in found}


def _dockerfile(kind: str) -> str:
    return (places.docker_dir() / kind / "Dockerfile").read_text(encoding="utf-8")
