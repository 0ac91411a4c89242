"""What the user chose: the plugin's options and ini settings, and the cell that follows from them.

Loaded by every pytest of the environment, so the harness, but for the fields of a cell, is imported only once an option
needs it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.core.cell_fields import CELL_FIELDS
from harness.core.paths import expand_home
from harness.core.patterns import pattern

if TYPE_CHECKING:
    from harness.core.model import Cell
    from harness.engine.request import OwnSettings

LATEST = "latest"
OF_THE_CELL = tuple(name for name, row in CELL_FIELDS.items() if row.plugin is not None)
"""The fields of a cell with an option ``--gunicorn-...`` of their own."""

SHORT = {"disturb": ("--disturb",), "times": ("--times",)}
"""Options that are called as on the command line, too."""

_APP = pattern(r"[A-Za-z_][\w.]*(:[A-Za-z_]\w*(\(.*\))?)?")


def add_options(parser: pytest.Parser) -> None:
    """Add ``--gunicorn`` and the other options, each with an ini setting, and what only a project can say."""
    group = parser.getgroup("gunicorn", "gunicorn under test (recycle-harness)")
    group.addoption(
        "--gunicorn",
        action="append",
        type=releases,
        metavar="SPEC",
        help="release to test: 19.6.0, latest, a path, git+file:///path@rev; several with commas or several times",
    )
    parser.addini("gunicorn_releases", "releases to test where --gunicorn names none", type="args", default=[])
    for name in OF_THE_CELL:
        row = CELL_FIELDS[name]
        _add_both(parser, group, name, f"{row.help} [{row.default}]", type=one_of(name), metavar=row.metavar)
    _add_both(parser, group, "python", "interpreter for gunicorn: 3.6, python3.6 or a path", metavar="PYTHON")
    _add_both(parser, group, "out", "where the records go [a temporary folder]", metavar="DIR")
    what = "no Python on which the release runs only once what has left Python since is put back"
    group.addoption("--gunicorn-no-era-shims", action="store_true", default=None, help=what)
    parser.addini("gunicorn_no_era_shims", what, type="bool", default=False)
    what = "where pytest runs as root, gunicorn does too [a user of the run alone]"
    group.addoption("--gunicorn-as-root", action="store_true", default=None, help=what)
    parser.addini("gunicorn_as_root", what, type="bool", default=False)
    parser.addini("gunicorn_app", "module:app that gunicorn serves [the harness's own]", default="")
    parser.addini("gunicorn_app_folder", "folder that the app is imported from [the root folder]", default="")
    parser.addini("gunicorn_settings", "the project's gunicorn settings file", default="")
    parser.addini("recycle_strict", "a test that is skipped because the release can't run here fails", type="bool")


def _add_both(parser: pytest.Parser, group: pytest.OptionGroup, name: str, what: str, **form: Any) -> None:
    """Add ``--gunicorn-NAME``, and the ini setting ``gunicorn_NAME`` for where it is not given."""
    group.addoption(f"--gunicorn-{name}", *SHORT.get(name, ()), dest=f"gunicorn_{name}", help=what, **form)
    parser.addini(f"gunicorn_{name}", f"as --gunicorn-{name}", default="")


def chosen(config: pytest.Config, name: str) -> str | None:
    """The value of ``--gunicorn-NAME``, else of the ini setting ``gunicorn_NAME``, else None."""
    given: str | None = config.getoption(f"gunicorn_{name}")
    return given if given is not None else ini_text(config, f"gunicorn_{name}")


def wants_era_shims(config: pytest.Config) -> bool:
    """Whether a Python will do on which the release runs only with era shims."""
    return not (config.getoption("gunicorn_no_era_shims") or config.getini("gunicorn_no_era_shims"))


def wants_root(config: pytest.Config) -> bool:
    """Whether gunicorn stays root where pytest is."""
    return bool(config.getoption("gunicorn_as_root") or config.getini("gunicorn_as_root"))


def check_options(config: pytest.Config) -> None:
    """Check what can be checked before any test is collected.

    Raises:
        pytest.UsageError: a setting names something that there is not.
    """
    for name in OF_THE_CELL:
        value = ini_text(config, f"gunicorn_{name}")
        if value is not None:
            try:
                one_of(name)(value)
            except argparse.ArgumentTypeError as problem:
                raise pytest.UsageError(f"ini setting gunicorn_{name}: {problem}") from problem
    check_python(config)


def releases(text: str) -> list[str]:
    """A type for argparse: one SPEC or several, separated by commas."""
    from harness.core.errors import UsageError
    from harness.provision.spec import parse_spec

    specs = [spec.strip() for spec in text.split(",")]
    try:
        for spec in specs:
            parse_spec(spec)
    except UsageError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
    return specs


def one_of(name: str) -> Callable[[str], str]:
    """A type for argparse: a value that the harness knows."""

    def parse(text: str) -> str:
        from harness.engine.options import CHOICES

        known = CHOICES.get(name)
        if known is not None and text not in known:  # any other is checked with the cell, in ``check_request``
            raise argparse.ArgumentTypeError(
                f"{text!r} is not one of the {CELL_FIELDS[name].plugin}: {', '.join(known)}"
            )
        if known is None and (check := CELL_FIELDS[name].parse) is not None:
            check(text)
        return text

    return parse


def named_releases(config: pytest.Config) -> list[str]:
    """The releases of ``--gunicorn``, else those of the ini setting, else the latest; each once, in their order.

    Raises:
        pytest.UsageError: the ini setting names something that is no SPEC.
    """
    named: list[list[str]] | None = config.getoption("gunicorn")
    if named is None:
        try:
            named = [releases(text) for text in config.getini("gunicorn_releases")]
        except argparse.ArgumentTypeError as problem:
            raise pytest.UsageError(f"ini setting gunicorn_releases: {problem}") from problem
    return list(dict.fromkeys(spec for specs in named for spec in specs)) or [LATEST]


def check_python(config: pytest.Config) -> None:
    """Check the Python that was chosen; whether a version is installed here is found out later.

    Raises:
        pytest.UsageError: it is no Python.
    """
    asked = chosen(config, "python")
    if asked is None:
        return
    import os

    from harness.core.errors import UsageError
    from harness.core.paths import cache_dir
    from harness.provision.interpreters import Memory, parse_request

    try:
        parse_request(asked, Memory.load(cache_dir() / "interpreters.json"), environ=os.environ)
    except UsageError as problem:
        raise pytest.UsageError(f"--gunicorn-python: {problem}") from problem


def ini_text(config: pytest.Config, name: str) -> str | None:
    """An ini setting; None where it is not set."""
    return str(config.getini(name)).strip() or None


def ini_path(config: pytest.Config, name: str) -> Path | None:
    """An ini setting that names a file or folder, relative to pytest's root folder; None where it is not set."""
    text = ini_text(config, name)
    return None if text is None else config.rootpath / expand_home(Path(text))


def make_cell(config: pytest.Config, *, release: str, app: str | None, marked: Mapping[str, object]) -> Cell:
    """The cell of the original report with the release and the app, and with what markers, options and ini name."""
    from harness.core.cell_fields import Cell
    from harness.engine.options import fit_disturbances
    from harness.stack.workers import find_worker

    asked = {name: _read(name, value) for name in OF_THE_CELL if (value := chosen(config, name)) is not None}
    given: dict[str, Any] = {"app": app, **asked, **marked}
    cell = Cell(spec=release, **given)
    if "threads" not in given and not find_worker(cell.worker).has_threads:
        cell = replace(cell, threads=1)
    return fit_disturbances(cell, given)


def name_own(cell: Cell, settings: Path | None) -> OwnSettings | None:
    """The project's settings as the user's own; what the cell has otherwise than by default was asked for."""
    from harness.engine.request import OwnSettings

    if settings is None:
        return None
    given = {row.name for row in CELL_FIELDS.values() if getattr(cell, row.name) != row.default}
    return OwnSettings(said=str(settings), given=frozenset(given))


def _read(name: str, value: str) -> object:
    """A value of a cell from its text.

    Raises:
        pytest.UsageError: it is no number where one is needed.
    """
    parse = CELL_FIELDS[name].parse
    try:
        return value if parse is None else parse(value)
    except argparse.ArgumentTypeError as problem:
        raise pytest.UsageError(f"gunicorn_{name}: {problem}") from problem


def check_request(cell: Cell, *, settings: Path | None, app_folder: Path) -> None:
    """Check the app, the settings and the cell of a project.

    Raises:
        UsageError: the app or the settings don't exist or are malformed, or the cell contradicts itself.
    """
    from harness.core.errors import UsageError
    from harness.engine.cell_rules import as_keyword, find_contradiction
    from harness.engine.options import CHOICES

    for name, known in CHOICES.items():
        value = getattr(cell, name)
        if value is not None and value not in known:
            raise UsageError(
                what=f"recycle_cell has {name}={value!r}, which is unknown.",
                remedy=f"Use one of: {', '.join(known)}.",
            )
    contradiction = find_contradiction(cell, as_keyword)
    if contradiction is not None:
        raise replace(contradiction, what=f"recycle_cell: {contradiction.what}")
    if cell.app is not None and not _APP.fullmatch(cell.app):
        raise UsageError(what=f"gunicorn_app {cell.app!r} is not module:app.", remedy='Write it as "package.wsgi:app".')
    if cell.app is not None and not app_folder.is_dir():
        raise UsageError(
            what=f"gunicorn_app_folder {app_folder}: there is no such folder.", remedy="Name the folder of the app."
        )
    if settings is not None and not settings.is_file():
        raise UsageError(
            what=f"gunicorn_settings {settings}: there is no such file.", remedy="Name a gunicorn settings file."
        )
