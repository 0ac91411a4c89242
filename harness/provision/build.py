"""Builds one environment: what it is made of, its key, and the steps from an empty folder to a finished environment.

The work happens beside the final folder, under a lock that the caller holds; the environment exists from the rename at
the end. Other modules decide which interpreter is taken and who may use the result.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core import paths, subprocesses
from harness.core.clock import now_ns
from harness.core.digests import sha256
from harness.core.errors import SurroundingsError, UnrunnableError
from harness.core.frozen import dataclass
from harness.core.subprocesses import Done
from harness.provision import era, installer, layer
from harness.provision.installer import WrongPythonError
from harness.provision.interpreters import Interpreter
from harness.provision.releases import Catalogue, EraShim
from harness.provision.sources import Source
from harness.provision.stdlib import missing_module, was_in_stdlib

SCHEMA = 1
"""Part of every key: raise it when environments are built in another way, and all old ones are built anew."""

MARK = "environment.json"
BUILDING = ".building-"
CHECK_TIMEOUT_S = 120.0
_SOURCE = "source"
_ERA = "era"
_NOT_COMPILED = ("setuptools", "_distutils_hack", "test", "tests", "testing")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildPlan:
    """What is to be installed on which interpreter, and in which folder; equal plans have equal keys."""

    source: Source
    interpreter: Interpreter
    requirements: tuple[str, ...]
    of_project: bool = False  # whether some of them are a user's, who pins what they like
    era_shims: tuple[EraShim, ...]  # those that may be applied; which are, is told by source and interpreter
    key: str
    envs: Path
    base: Path | None = None  # the environment of a release, on top of which the package alone is put

    @property
    def place(self) -> Path:
        """The folder of the finished environment."""
        return self.envs / self.key

    def beside(self, ending: str) -> Path:
        """The path of a file that belongs to the environment but lies beside it: ``lock``, ``log`` or ``refused``."""
        return self.envs / f"{self.key}.{ending}"


def make_plan(
    catalogue: Catalogue,
    source: Source,
    interpreter: Interpreter,
    *,
    worker: str,
    envs: Path,
    era_shims: bool = False,
    extra: Sequence[str] = (),
) -> BuildPlan:
    """The plan for a source on an interpreter. The key: readable, and a digest of everything that matters."""
    pins = catalogue.requirements(source.version, interpreter.version, worker)
    if extra:
        from harness.provision.requirements import without_named  # and packaging's parser, which takes 5 ms to import

        pins = without_named(pins, extra)
    requirements = (*pins, *extra)
    shims = catalogue.era_shims_for(source.version, interpreter.version, worker) if era_shims else ()
    matter = [SCHEMA, source.identity, str(interpreter.path), interpreter.version, *requirements, *era.identify(shims)]
    digest = sha256(json.dumps(matter).encode()).hexdigest()[:12]
    version = re.sub(r"[^0-9A-Za-z.]+", "_", source.version or "unknown")[:40]
    key = f"{version}{source.suffix}-py{interpreter.version}-{digest}"
    return BuildPlan(
        source=source,
        interpreter=interpreter,
        requirements=requirements,
        of_project=bool(extra),
        era_shims=shims,
        key=key,
        envs=envs,
    )


def make_layer_plan(
    catalogue: Catalogue, source: Source, interpreter: Interpreter, *, worker: str, base: Path, era_shims: bool
) -> BuildPlan:
    """The plan for a source's package on top of the environment ``base``; commits with the same package share it."""
    shims = catalogue.era_shims_for(source.version, interpreter.version, worker) if era_shims else ()
    matter = [SCHEMA, source.package, base.name, *era.identify(shims)]
    digest = sha256(json.dumps(matter).encode()).hexdigest()[:12]
    version = re.sub(r"[^0-9A-Za-z.]+", "_", source.version or "unknown")[:40]
    key = f"{version}-layer-py{interpreter.version}-{digest}"
    return BuildPlan(
        source=source,
        interpreter=interpreter,
        requirements=(),
        era_shims=shims,
        key=key,
        envs=base.parent,
        base=base,
    )


def build(plan: BuildPlan, *, lock_fd: int, say: Callable[[str], None]) -> None:
    """Build an environment; the caller holds its lock, and uv inherits the lock for as long as it runs.

    Of a failed attempt only the log stays.

    Raises:
        WrongPythonError: this interpreter can't run the release; another one may.
        UnrunnableError: the release can't be installed or imported on any Python.
        SurroundingsError: the index, the disk or a tool failed.
        OSError: the cache folder can't be written to.
    """
    sweep_unfinished(plan.envs, plan.key)
    say(f"installing {plan.source.name} on Python {plan.interpreter.version} ({plan.interpreter.path})")
    building = plan.envs / f"{BUILDING}{plan.key}-{os.getpid()}"
    started_ns = now_ns()
    try:
        with subprocesses.sharing_reaper(f"the environment {plan.key}"):
            shims = _fill(plan, building, lock_fd)
        _write_mark(plan, building, shims, build_s=(now_ns() - started_ns) / 1e9)
        remove_environment(plan.place)
        building.rename(plan.place)
    except BaseException as error:
        _discard(building, error)
        raise
    plan.beside("log").unlink(missing_ok=True)


def read_mark(place: Path) -> dict[str, Any] | None:
    """The facts of a finished environment; None where it isn't finished, or damaged (its Python went away)."""
    try:
        facts = json.loads((place / MARK).read_bytes())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    if not isinstance(facts, dict) or facts.get("schema") != SCHEMA:
        return None
    whole = os.access(place / "bin" / "python", os.X_OK) and (place / facts["package"]).is_file()
    return facts if whole else None


def sweep_unfinished(envs: Path, key: str) -> tuple[Path, ...]:
    """Remove what killed builds of a key left behind, and return it; the caller holds the key's lock."""
    found = tuple(path for path in envs.glob(f"{BUILDING}*") if path.name[len(BUILDING) :].rpartition("-")[0] == key)
    for path in found:
        shutil.rmtree(path)
    return found


def remove_environment(place: Path) -> None:
    """Remove a finished or damaged environment, its mark first, so that a half-removed one counts as none."""
    (place / MARK).unlink(missing_ok=True)
    if place.exists():
        shutil.rmtree(place)


def _fill(plan: BuildPlan, building: Path, lock_fd: int) -> tuple[str, ...]:
    """Install everything; gives the names of the era shims that it needs on this interpreter."""
    python = building / "bin" / "python"
    if plan.base is None:
        _install(plan, building, lock_fd)
    else:
        layer.put_on(plan.source, plan.base, building)
    shims = _choose_shims(plan, python, building, lock_fd)
    _compile_and_check(plan, python, building, shims, lock_fd)
    return shims


def _install(plan: BuildPlan, building: Path, lock_fd: int) -> None:
    installer.create_venv(building, base=plan.interpreter.path)
    requirement = plan.source.stage(building / _SOURCE)
    installer.install(
        building,
        (requirement, *plan.requirements),
        base=plan.interpreter.path,
        subject=plan.source.name,
        cwd=plan.envs,
        log=plan.beside("log"),
        pinned=not plan.of_project,
        keep_open=(lock_fd,),
    )
    if (building / _SOURCE).exists():
        shutil.rmtree(building / _SOURCE)


def _choose_shims(plan: BuildPlan, python: Path, building: Path, lock_fd: int) -> tuple[str, ...]:
    """The era shims that what is installed has a use for, and that this interpreter lacks."""
    used = era.find_used(plan.era_shims, layer.site_of(building))
    if not used:
        return ()
    files = [str(era.shim_file(shim.name)) for shim in used]
    done = _run_inside([str(python), "-I", "-c", era.PROBE, *files], building, lock_fd)
    if done.status != 0:
        said = installer.one_line((done.stderr.strip().splitlines() or ["nothing"])[-1])
        raise SurroundingsError(what=f"Python {plan.interpreter.version} can't be asked what it lacks: {said}")
    return era.parse_missing(used, done.stdout)


def _compile_and_check(plan: BuildPlan, python: Path, building: Path, shims: Sequence[str], lock_fd: int) -> None:
    """Write the bytecode, so that gunicorn's boot doesn't spend time on it, and check that gunicorn can be imported.

    One start of Python does both, because it takes as long as the import. uv's own way to compile fails on Python 3.6.
    """
    program = paths.fixtures_dir() / "environment" / "compiling.py"
    options, environ = ["-I"], {}
    if shims:  # loaded as in a run: with -I no folder could be named
        options, environ = ["-s"], {"PYTHONPATH": str(building / _ERA)}
        era.plant(shims, building / _ERA)
    done = _run_inside([str(python), *options, str(program), *_NOT_COMPILED], building, lock_fd, environ)
    if done.status == 0:
        return
    what = f"{plan.source.name} can't be imported on Python {plan.interpreter.version}"
    said = installer.one_line((done.stderr.strip().splitlines() or [f"exit status {done.status}"])[-1])
    missing = missing_module(done.stderr)
    if missing is not None and was_in_stdlib(missing, plan.interpreter.version):
        raise WrongPythonError(what=f"{what}: the standard library no longer has {missing}")
    if missing is not None and not missing.startswith("gunicorn"):
        raise SurroundingsError(what=f"the environment lacks {missing}: {what}", remedy="add a pin to releases.toml")
    raise UnrunnableError(what=f"{what}: {said}")


def _run_inside(command: Sequence[str], cwd: Path, lock_fd: int, more: Mapping[str, str] | None = None) -> Done:
    environ = {**installer.uv_environ(os.environ), **(more or {})}
    return subprocesses.run(command, cwd=cwd, environ=environ, timeout_s=CHECK_TIMEOUT_S, keep_open=(lock_fd,))


def _write_mark(plan: BuildPlan, building: Path, shims: Sequence[str], *, build_s: float) -> None:
    from importlib import metadata  # 10 ms, and most runs find their environment built

    site = layer.site_of(building)
    sites = [str(layer.site_of(folder)) for folder in (plan.base, building) if folder is not None]
    found = (one for folder in sites for one in metadata.distributions(path=[folder]))  # what lies on top comes last
    installed = {one.metadata["Name"].lower(): one.version for one in found}
    facts = {
        "schema": SCHEMA,
        "gunicorn_version": installed["gunicorn"],
        "python_version": plan.interpreter.version,
        "base_python": str(plan.interpreter.path),
        "label": installed["gunicorn"] + plan.source.suffix,
        "revision": plan.source.revision,
        "requirements": list(plan.requirements),
        "era_shims": list(shims),
        "freeze": sorted(f"{name}=={version}" for name, version in installed.items()),
        "package": str((site / "gunicorn" / "__init__.py").relative_to(building)),
        "build_s": round(build_s, 3),
    }
    (building / MARK).write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _discard(building: Path, cause: BaseException) -> None:
    """Remove a failed attempt; if that fails too, add a note to the first error."""
    try:
        if building.exists():
            shutil.rmtree(building)
    except OSError as error:
        # What add_note does, which Python 3.10 doesn't have yet.
        vars(cause).setdefault("__notes__", []).append(f"and {building} could not be removed: {error}")
