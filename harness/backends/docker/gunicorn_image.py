"""The image with gunicorn: its Python, its packages, and what a failed build says about the release.

The catalogue knows what a release needs, as for the local back end; ``bases`` finds the base images.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.backends.docker import bases, building, wheels
from harness.backends.docker.bases import Base
from harness.backends.docker.building import BuildFailedError, Image, ImageRecipe
from harness.backends.docker.source_needs import list_needs
from harness.backends.docker.source_wheel import obtain_wheel
from harness.core import paths
from harness.core.errors import HarnessError, SurroundingsError, UnrunnableError, UsageError
from harness.core.keeping import temporary_folder
from harness.core.model import Cell, Json
from harness.provision import installer
from harness.provision.compatibility import refuse_request, wanted_pythons
from harness.provision.environments import Environment
from harness.provision.installer import WrongPythonError
from harness.provision.interpreters import Memory, Request, parse_request
from harness.provision.releases import Catalogue, load_catalogue
from harness.provision.sources import Source, describe_source
from harness.provision.spec import Latest, Release, parse_spec
from harness.provision.stdlib import missing_module, was_in_stdlib

if TYPE_CHECKING:
    from docker import DockerClient

GUNICORN_HOME = PurePosixPath("/opt/gunicorn")


def prepare_gunicorn(
    client: DockerClient, cell: Cell, python: str | None, say: Callable[[str], None]
) -> tuple[Image, Environment]:
    """Build the image on the first Python that runs the release, has a base image and can install it."""
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
    request = parse_request(python, Memory.load(paths.cache_dir() / "interpreters.json"), environ=os.environ)
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
    def fill(folder: Path) -> dict[str, Json]:
        say(f"fetching what {source.name} needs on Python {base.version}")
        return _fill_gunicorn(client, folder, source, requirements, base=base, say=say)

    recipe = ImageRecipe(
        kind="gunicorn",
        dockerfile=building.read_dockerfile("gunicorn"),
        matter=(base.identity, source.identity, *requirements),
        arguments={
            "BASE": base.name,
            # the only gunicorn that can be found there
            "GUNICORN": f"gunicorn=={source.version}" if source.is_release else "gunicorn",
            "PINS": " ".join(requirements),
        },
        fill=fill,
        network="none",
    )
    try:
        return building.obtain(client, recipe, say)
    except BuildFailedError as problem:
        raise _judge_build(problem, source, base) from problem


def _fill_gunicorn(
    client: DockerClient,
    folder: Path,
    source: Source,
    requirements: tuple[str, ...],
    *,
    base: Base,
    say: Callable[[str], None],
) -> dict[str, Json]:
    log = building.work_dir() / "resolving.log"
    target = wheels.Target(version=base.version, architecture=base.architecture)
    if source.is_release:
        needs = [source.stage(folder / "source"), *requirements]
        freeze = wheels.fill(folder / "wheels", needs, target, subject=source.name, log=log)
    else:
        with temporary_folder("wheel") as own:
            wheel = obtain_wheel(client, source, base, own, say)
            asked = list_needs(wheel, source.name)
            needs = [*wheels.pin(asked, requirements, target, subject=source.name, log=log), *requirements]
            freeze = wheels.fill(folder / "wheels", needs, target, subject=source.name, log=log)
            freeze = [line for line in freeze if not line.startswith("gunicorn==")] + [_name(wheel)]
            shutil.move(wheel, folder / "wheels" / wheel.name)
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
    """Find in the build's log whether the release wants another Python, is broken, or the harness failed."""
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
        leases=(image.lease,),
    )
