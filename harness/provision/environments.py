"""Pinned environments: a gunicorn installed on an interpreter that runs it, cached, safe with many callers at once.

``prepare`` calls the other modules in order. ``releases`` knows which release runs on which Python, ``interpreters``
finds the Pythons of this machine, ``compatibility`` chooses among them, ``sources`` identifies what a SPEC names,
``build`` makes an environment, ``cache`` shares it between processes, and ``eviction`` removes those that are not in
use. Nothing in this package starts gunicorn.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TypeAlias

from harness.core import paths
from harness.core.errors import HarnessError, SurroundingsError, UnrunnableError, UsageError
from harness.core.frozen import dataclass
from harness.core.locks import Lease
from harness.provision import installer
from harness.provision.build import BuildPlan, make_layer_plan, make_plan
from harness.provision.cache import Obtained, obtain
from harness.provision.compatibility import Choice, explain_missing, fit, refuse_request, wanted_pythons
from harness.provision.installer import WrongPythonError
from harness.provision.interpreters import Interpreter, Memory, Request, parse_request, survey
from harness.provision.layer import choose_base
from harness.provision.releases import Catalogue, load_catalogue
from harness.provision.sources import Source, describe_source
from harness.provision.spec import Latest, Release, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An installed gunicorn, kept from being removed until its owner calls ``close``."""

    path: Path
    python: Path  # the executable inside
    python_version: str
    gunicorn_version: str
    label: str  # for names of folders: "19.6.0", "27.1.0-git-1a2b3c4"
    revision: str | None  # a commit, or "sha256:..." of the content; None for a release
    shims: tuple[str, ...]
    era_shims: tuple[str, ...] = ()
    freeze: tuple[str, ...]  # "name==version", sorted
    looked_at: tuple[str, ...]  # one line an interpreter: path, version, taken or why not
    base_python: Path
    built: bool  # by this call; False: it was there
    build_s: float  # what building it took, whenever that was
    leases: tuple[Lease, ...] = field(repr=False, compare=False)

    def close(self) -> None:
        """Allow the environment to be removed."""
        for lease in self.leases:
            lease.close()


Refusals: TypeAlias = dict[tuple[Path, bool], WrongPythonError]
"""Why an interpreter does not run the release, without (False) and with (True) era shims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """What the caller asked for, with all that is needed to look for it."""

    source: Source
    request: Request
    worker: str
    catalogue: Catalogue
    memory: Memory
    era_shims: bool
    project: Sequence[str] | None
    say: Callable[[str], None]

    def look_around(self) -> Choice:
        found = survey(self.memory, environ=os.environ, home=paths.expand_home(Path("~")), own=Path(sys.executable))
        choice = fit(
            self.catalogue,
            found,
            self.request,
            release=self.source.version,
            worker=self.worker,
            era_shims=self.era_shims,
        )
        if self.project is None:
            return choice
        newest_first = sorted(choice.candidates, key=lambda one: one.minor, reverse=True)
        return replace(choice, candidates=tuple(newest_first))


def prepare(
    spec: Spec,
    *,
    python: str | None,
    worker: str,
    say: Callable[[str], None],
    era_shims: bool = True,
    project: Sequence[str] | None = None,
    catalogue: Catalogue | None = None,
) -> Environment:
    """The environment for a SPEC: found in the cache, or built now. ``say`` gets a line for each slow step.

    ``era_shims``: whether a Python will do on which the release runs only with them.
    ``project``: what a user's own project needs beside gunicorn; the newest Python comes first then, for which such
    projects are written, instead of the original report's. None: there is no such project.
    ``catalogue``: what is known about releases, where it is not the one that is packed with the harness.

    Raises:
        UnrunnableError: this gunicorn can't be installed here; NoInterpreterError if only a Python is missing.
        SurroundingsError: the index, the disk or git failed.
        UsageError: ``python`` or the revision doesn't exist.
    """
    try:
        envs = paths.cache_dir() / "envs"
        envs.mkdir(parents=True, exist_ok=True)
        memory = Memory.load(paths.cache_dir() / "interpreters.json")
        request = parse_request(python, memory, environ=os.environ)
        if isinstance(spec, Latest):
            spec = Release(version=installer.newest_release(base=Path(sys.executable), cwd=envs))
        source = describe_source(spec)
        catalogue = load_catalogue() if catalogue is None else catalogue
        search = _Search(
            source=source,
            request=request,
            worker=worker,
            catalogue=catalogue,
            memory=memory,
            era_shims=era_shims,
            project=project,
            say=say,
        )
        _refuse_hopeless(search)
        return _find_or_layer(search, envs) or _find_or_build(search, envs)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError(what=f"{error.filename}: {error.strerror}", remedy="name a file that can exist") from error
        raise SurroundingsError(
            what=f"the environment can't be prepared: {error}",
            remedy=f"see to the space in and the permissions of {paths.cache_dir()}, or set RECYCLE_HARNESS_CACHE",
        ) from error


def _refuse_hopeless(search: _Search) -> None:
    """Raise where no interpreter can help: the release lacks the worker class, or can't run on the Python asked for."""
    source = search.source
    gap = search.catalogue.why_no_worker(source.version, search.worker) if source.is_release else None
    if gap is not None:
        raise UnrunnableError(
            what=f"{source.name} can't run the {search.worker} worker: {gap}", remedy="name another --worker or release"
        )
    refuse_request(
        search.catalogue,
        search.request,
        subject=source.name,
        release=source.version,
        worker=search.worker,
        era_shims=search.era_shims,
    )


def _find_or_layer(search: _Search, envs: Path) -> Environment | None:
    """The package alone on top of a release's environment; None where that can't be, or gunicorn can't be imported."""
    source = search.source
    release = choose_base(search.catalogue, source.version) if source.package is not None else None
    if release is None:
        return None
    try:
        base = _find_or_build(replace(search, source=describe_source(Release(version=release))), envs)
    except HarnessError:
        return None
    interpreter = Interpreter(path=base.base_python, version=base.python_version, implementation="CPython")
    plan = make_layer_plan(
        search.catalogue, source, interpreter, worker=search.worker, base=base.path, era_shims=search.era_shims
    )
    try:
        obtained = obtain(plan, search.say)
    except HarnessError:
        base.close()
        return None
    made = _describe(plan, obtained, search.catalogue, base.looked_at)
    return replace(
        made,
        label=f"{source.version}{source.suffix}",  # another commit with the same package may have been the first
        revision=source.revision,
        era_shims=tuple(dict.fromkeys((*base.era_shims, *made.era_shims))),
        leases=(*made.leases, *base.leases),
    )


def _find_or_build(search: _Search, envs: Path) -> Environment:
    """Try the interpreters here, the best first, then one that uv may fetch; else raise with the whole list."""
    refusals: Refusals = {}
    choice = search.look_around()
    environment = _try_all(search, choice, envs, refusals)
    if environment is None:
        _refuse_asked(search, refusals)
        wanted = _list_wanted(search, refusals)
        failure = _fetch_one(search, wanted, envs)
        if failure is None:
            choice = search.look_around()
            environment = _try_all(search, choice, envs, refusals)
            failure = "the one that uv fetched does not do either"
        if environment is None:
            raise explain_missing(
                search.source.name, search.worker, wanted, failure, choice.looked_at(None, _told(refusals))
            )
    return environment


def _try_all(search: _Search, choice: Choice, envs: Path, refusals: Refusals) -> Environment | None:
    """Use the first interpreter that works; those that the release's metadata exclude are added to ``refusals``."""
    for interpreter, shimmed in _attempts(search, choice, refusals):
        if (interpreter.path, shimmed) in refusals:
            continue
        plan = make_plan(
            search.catalogue,
            search.source,
            interpreter,
            worker=search.worker,
            envs=envs,
            era_shims=shimmed,
            extra=search.project or (),
        )
        try:
            obtained = obtain(plan, search.say)
        except WrongPythonError as refusal:
            refusals[interpreter.path, shimmed] = refusal
            continue
        return _describe(plan, obtained, search.catalogue, choice.looked_at(interpreter, _told(refusals)))
    return None


def _attempts(search: _Search, choice: Choice, refusals: Refusals) -> Iterator[tuple[Interpreter, bool]]:
    """Each interpreter, and whether with era shims; last those on which a former module was missing without."""
    yield from ((interpreter, False) for interpreter in choice.candidates)
    yield from ((interpreter, True) for interpreter in choice.with_era_shims)
    for interpreter in sorted(choice.candidates, key=lambda one: one.minor):
        refusal = refusals.get((interpreter.path, False))
        if search.era_shims and refusal is not None and not refusal.wants:
            yield interpreter, True


def _told(refusals: Refusals) -> dict[Path, str]:
    return {path: error.what for (path, _), error in refusals.items()}


def _describe(plan: BuildPlan, obtained: Obtained, catalogue: Catalogue, looked_at: tuple[str, ...]) -> Environment:
    facts = obtained.facts
    version = str(facts["gunicorn_version"])
    return Environment(
        path=plan.place,
        python=plan.place / "bin" / "python",
        python_version=str(facts["python_version"]),
        gunicorn_version=version,
        label=str(facts["label"]),
        revision=facts["revision"],
        shims=catalogue.shims_for(version),
        era_shims=tuple(facts.get("era_shims", ())),
        freeze=tuple(facts["freeze"]),
        looked_at=looked_at,
        base_python=Path(facts["base_python"]),
        built=obtained.built,
        build_s=float(facts["build_s"]),
        leases=(obtained.lease,),
    )


def _refuse_asked(search: _Search, refusals: Refusals) -> None:
    """Raise where the very Python that was asked for is here and was refused, because no other one may replace it."""
    if refusals and (search.request.version is not None or search.request.interpreter is not None):
        refusal = next(iter(refusals.values()))
        asked = search.request.version or f"{search.request.interpreter and search.request.interpreter.path}"
        raise UnrunnableError(
            what=f"{refusal.what}, and Python {asked} was asked for",
            remedy="leave --python out, or ask for another one",
        ) from refusal


def _list_wanted(search: _Search, refusals: Refusals) -> tuple[str, ...]:
    wants = next((refusal.wants for refusal in reversed(refusals.values()) if refusal.wants), "")
    return wanted_pythons(
        search.catalogue, search.request, release=search.source.version, worker=search.worker, wants=wants
    )


def _fetch_one(search: _Search, wanted: tuple[str, ...], envs: Path) -> str | None:
    """Let uv fetch the first wanted Python that it knows. Returns None where it did, else why it did not, in a line."""
    failure = "no Python that uv could fetch would do"
    for version in wanted:
        search.say(f"no Python here runs {search.source.name}: asking uv for Python {version}")
        said = installer.download_python(version, cwd=envs)
        if said is None:
            return None
        failure = f"uv can't fetch Python {version}: {said}"
        if not installer.is_unknown_python(said):
            break  # the download itself failed, so the next one would fail too
    return failure
