"""Chooses the interpreters on which a gunicorn can be installed, in which order, and says why the others can't be used.

The functions are pure: they get what was found (``interpreters``) and what is known (``releases``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass as error_class
from pathlib import Path

from harness.core.errors import UnrunnableError
from harness.core.frozen import dataclass
from harness.provision.interpreters import OLDEST_PYTHON, Interpreter, Request, Survey
from harness.provision.releases import Catalogue, Minor, parse_minor
from harness.provision.specifiers import check_specifier, meets

NEWEST_TO_FETCH = 14
"""The last Python 3.x that is asked for when none here fits and uv may fetch one."""


@error_class(kw_only=True, eq=False)
class NoInterpreterError(UnrunnableError):
    """The release would run on some Python, but none of those is here."""

    looked_at: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "\n".join([super().__str__(), "Looked at:", *(f"  {line}" for line in self.looked_at or ("nothing",))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The interpreters that may run the release, the best first, and why each other one that was considered can't."""

    candidates: tuple[Interpreter, ...]
    with_era_shims: tuple[Interpreter, ...]  # those that do once era shims are loaded; after the candidates
    others: tuple[tuple[Interpreter, str], ...]
    rejected: tuple[tuple[Path, str], ...]

    def looked_at(self, taken: Interpreter | None, refusals: dict[Path, str] | None = None) -> tuple[str, ...]:
        """One line an interpreter: path, version, taken or why not. ``refusals``: what installing said, by path."""
        said = refusals or {}
        better = ", but " + (f"{taken.path} comes first" if taken else "was not tried")
        reasons = [
            (one, "taken" if one == taken else said.get(one.path, how + better))
            for how, group in (("fits", self.candidates), ("fits with era shims", self.with_era_shims))
            for one in group
        ]
        lines = [f"{one.path}: Python {one.version}: {why}" for one, why in (*reasons, *self.others)]
        return (*lines, *(f"{path}: {why}" for path, why in self.rejected))


def fit(
    catalogue: Catalogue,
    found: Survey,
    request: Request,
    *,
    release: str | None,
    worker: str,
    era_shims: bool = True,
) -> Choice:
    """Sort the interpreters for a release (None: unknown). The report's Python comes first, then the oldest.

    Those that need ``era_shims`` come after all that don't, nearest to the release's era (the oldest) first.
    Of interpreters of the same minor version the one found first wins, so that the choice is the same every time.
    """
    here = (request.interpreter,) if request.interpreter is not None else found.interpreters
    fitting: list[Interpreter] = []
    shimmed: list[Interpreter] = []
    others: list[tuple[Interpreter, str]] = []
    for interpreter in here:
        why = _why_not(catalogue, interpreter, request, release, worker)
        if why is None:
            fitting.append(interpreter)
        elif era_shims and _why_not(catalogue, interpreter, request, release, worker, shimmed=True) is None:
            shimmed.append(interpreter)
        else:
            others.append((interpreter, why))
    fitting.sort(key=lambda one: _rank(catalogue, one.minor))
    shimmed.sort(key=lambda one: one.minor)
    return Choice(
        candidates=tuple(fitting), with_era_shims=tuple(shimmed), others=tuple(others), rejected=found.rejected
    )


def refuse_request(
    catalogue: Catalogue,
    request: Request,
    *,
    subject: str,
    release: str | None,
    worker: str,
    era_shims: bool = True,
) -> None:
    """Refuse a Python that the user asked for and that is known not to run the release anywhere.

    Raises:
        UnrunnableError: the release does not run on that Python.
    """
    asked = request.interpreter.version if request.interpreter is not None else request.version
    if asked is None:
        return
    minor = parse_minor(asked)
    if minor < OLDEST_PYTHON:
        why: str | None = f"Python before {_dotted(OLDEST_PYTHON)} is out of scope, Python 2 too"
    else:
        why = catalogue.why_not(release, minor, worker, shimmed=era_shims)
    if why is not None:
        raise UnrunnableError(
            what=f"{subject} does not run on Python {asked}, which was asked for: {why}",
            remedy="leave --python out, or ask for another one",
        )


def wanted_pythons(
    catalogue: Catalogue, request: Request, *, release: str | None, worker: str, wants: str
) -> tuple[str, ...]:
    """The Pythons ("3.6") on which the release may run, the best first: what to fetch when none of them is here.

    ``wants`` is the PEP 440 specifier of the release's metadata as far as it is known, or "".
    """
    if request.version is not None:
        return (request.version,)
    minors = [(3, minor) for minor in range(OLDEST_PYTHON[1], NEWEST_TO_FETCH + 1)]
    allowed = _parse_specifier(wants)
    fitting = [
        minor
        for minor in minors
        if catalogue.why_not(release, minor, worker) is None and meets(f"{_dotted(minor)}.99", allowed)
    ]
    return tuple(_dotted(minor) for minor in sorted(fitting, key=lambda minor: _rank(catalogue, minor)))


def explain_missing(
    subject: str, worker: str, wanted: Sequence[str], failure: str, looked_at: tuple[str, ...]
) -> NoInterpreterError:
    """The error for a release that runs on no Python here; ``failure``: why uv fetched none."""
    names = ", ".join(wanted) or "none that is known"
    return NoInterpreterError(
        what=f"no Python here runs {subject} with the {worker} worker ({names} would), and {failure}",
        remedy="install one of those (pyenv install, uv python install), or name one with --python",
        looked_at=looked_at,
    )


def _why_not(
    catalogue: Catalogue,
    interpreter: Interpreter,
    request: Request,
    release: str | None,
    worker: str,
    *,
    shimmed: bool = False,
) -> str | None:
    """The reason that matters most to a reader; the last one does not apply to an interpreter that was asked for."""
    if not request.matches(interpreter):
        return f"not the Python {request.version} that was asked for"
    if interpreter.minor < OLDEST_PYTHON:
        return f"before Python {_dotted(OLDEST_PYTHON)}, which uv can't install into"
    if interpreter.implementation != "CPython" and request.interpreter is None:
        return f"{interpreter.implementation}, taken only if its path is named"
    return catalogue.why_not(release, interpreter.minor, worker, shimmed=shimmed)


def _rank(catalogue: Catalogue, minor: Minor) -> tuple[bool, Minor]:
    return minor != catalogue.preferred_python, minor


def _dotted(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"


def _parse_specifier(text: str) -> str:
    try:
        return check_specifier(text)
    except ValueError:
        return ""  # uv shortened the specifier in its message, so it tells nothing
