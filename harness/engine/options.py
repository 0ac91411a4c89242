"""The options of a run, made from the fields of a cell, and the cell that they describe.

Options that contradict each other or name what doesn't exist are refused here, before anything is prepared.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.backends import BACKENDS
from harness.core.cell_fields import CELL_FIELDS
from harness.core.cells import write_options, write_value
from harness.core.errors import UsageError
from harness.core.field_kinds import LONGEST_S, CellField, Kind, Section
from harness.core.findings import FindingId
from harness.core.model import Cell
from harness.disturb import DISTURBANCES, RECYCLE, list_turns, read_names
from harness.disturb.aims import AIMS, MOMENT_S
from harness.disturb.awaiting import LATE_S
from harness.engine.cell_rules import find_contradiction
from harness.engine.idle_workers import GRACEFUL_S
from harness.engine.request import OwnSettings, RunRequest
from harness.stack.load import LOADS
from harness.stack.own_settings.reading import FIELDS
from harness.stack.proxies import PROXIES
from harness.stack.workers import WORKERS, find_worker

CHOICES: Mapping[str, tuple[str, ...]] = {
    "worker": tuple(WORKERS),
    "bind": ("unix", "tcp", "abstract"),
    "proxy": tuple(PROXIES),
    "load": tuple(LOADS),
    "backend": tuple(BACKENDS),
    "aim": tuple(AIMS),
}
"""The values of each field that is a choice: the rows of its table."""

DEFAULTS = Cell(spec="")
PROFILES: Mapping[str, Cell] = {
    "default": DEFAULTS,
    "quick": replace(DEFAULTS, workers=2, max_requests=64, recycles=8, load_threads=2, connections=20),
    "wide": replace(DEFAULTS, max_requests=64, recycles=16),
}
"""Named defaults. ``wide`` has short lives, too, but the report's workers and connections: for what few clients don't
show. ``quick`` has fewer and shorter worker lives, for many cells; ``python -m bench profiles`` compares
its verdicts with those of the original report's settings. Its connections are few because two workers that boot again
after 64 requests each let the report's 200 queue up beyond every client's patience."""

OF_DISTURBANCES = ("disturb", "times", "seed", "aim", "recover")
"""Fields that a scenario has no options for: it compares workers that restart by themselves."""

OF_SETTINGS = frozenset({"reuse_port", "preload_app", "umask", "user", "control_socket", "pidfile"})
"""Fields that a user's own settings say, if anybody does."""

HOLDS = "holds"

NO_ERA_SHIMS = "--no-era-shims"
AS_ROOT = "--as-root"


def add_run_options(parser: argparse.ArgumentParser, defaults: Cell | None = None) -> None:
    """Add SPEC and the options that `reproduce`, `check` and the scenarios share.

    ``defaults``: a scenario's own, which replace the original report's and the profiles; its ``spec`` is used where the
    user gives none.
    """
    parser.set_defaults(defaults=defaults)
    spec = "a release (19.6.0), latest, a path, or git+file:///path@rev"
    if defaults is None:
        parser.add_argument("spec", metavar="SPEC", help=spec)
    else:
        parser.add_argument("spec", metavar="SPEC", help=f"{spec} [%(default)s]", nargs="?", default=defaults.spec)
    _, run = add_cell_options(parser, defaults)
    run.add_argument("--out", type=Path, default=Path("runs"), metavar="DIR", help="where records go [%(default)s]")
    run.add_argument("--json", action="store_true", help="print verdict.json instead of text")
    add_detail_options(run)
    run.add_argument(
        "--expect", type=expectation, metavar="WHAT", help="'holds', or finding ids that must all be there"
    )


def add_detail_options(group: argparse._ActionsContainer) -> None:
    """Add what says how much is told on the terminal."""
    how_much = group.add_mutually_exclusive_group()
    how_much.add_argument("-v", "--verbose", action="store_true", help="tell all that was seen")
    how_much.add_argument("-q", "--quiet", action="store_true", help="tell the answer in one line")


def add_cell_options(
    parser: argparse.ArgumentParser,
    defaults: Cell | None = None,
    *,
    titles: tuple[str, str] = (Section.CELL.value, Section.RUN.value),
    without: Collection[str] = (),
) -> tuple[argparse._ArgumentGroup, argparse._ArgumentGroup]:
    """Add the options of the cell and of the run, as two groups; ``without`` the fields that have another option."""
    cell, run = (parser.add_argument_group(title) for title in titles)
    if defaults is None:
        cell.add_argument(
            "--profile",
            choices=tuple(PROFILES),
            default="default",
            help=f"named defaults of the options below: {', '.join(PROFILES)} [default]",
        )
    left_out = {*without, *(() if defaults is None else OF_DISTURBANCES)}
    for row in CELL_FIELDS.values():
        if row.flag is not None and row.name not in left_out:
            _add_option(cell if row.section is Section.CELL else run, row.flag, row, defaults)
    _add_own_options(cell)
    run.add_argument("--python", metavar="PYTHON", help="interpreter for gunicorn: 3.6, python3.6 or a path")
    run.add_argument(
        NO_ERA_SHIMS,
        dest="era_shims",
        action="store_false",
        help="no Python on which the release runs only once what has left Python since is put back",
    )
    run.add_argument(AS_ROOT, action="store_true", help="where you are root, gunicorn is too [a user of the run alone]")
    return cell, run


def _add_own_options(group: argparse._ArgumentGroup) -> None:
    """Add the options by which a user's own project comes in."""
    group.add_argument(
        "--settings",
        metavar="FILE",
        help="your own gunicorn settings, read by gunicorn itself: a file, python:MODULE, or a command line; "
        "options that are given win",
    )
    group.add_argument(
        "--with-requirements", type=Path, metavar="FILE", help="install these beside gunicorn, which stays the SPEC's"
    )
    group.add_argument(
        "--with", dest="with_package", action="append", default=[], metavar="PACKAGE", help="install this, too"
    )


def read_project(options: argparse.Namespace) -> tuple[str, ...] | None:
    """What the user's project needs beside gunicorn; None where they have none.

    Raises:
        UsageError: a file is missing, or something is no requirement.
    """
    if options.settings is None and options.with_requirements is None and not options.with_package:
        return None
    from harness.provision.requirements import parse_requirement, read_requirements

    listed = read_requirements(options.with_requirements) if options.with_requirements is not None else ()
    return (*listed, *(one for text in options.with_package for one in parse_requirement(text)))


def _add_option(group: argparse._ArgumentGroup, flag: str, row: CellField, defaults: Cell | None) -> None:
    """Add an option without a default, because the profile or the scenario gives it."""
    choices = CHOICES.get(row.name)
    form: dict[str, Any] = {"type": row.parse, "choices": choices, "metavar": None if choices else row.metavar}
    if row.repeated:
        form["action"] = "append"
    if row.kind is Kind.SWITCH:
        form = {"action": "store_const", "const": not row.default}
    group.add_argument(flag, dest=row.name, help=describe_option(row, defaults), **form)


def describe_option(row: CellField, defaults: Cell | None = None) -> str:
    """The line of --help: meaning, choices and default, with the default of each profile that has another one."""
    choices = CHOICES.get(row.name, ())
    what = f"{row.help}: {', '.join(choices)}" if choices else row.help
    default = getattr(defaults or DEFAULTS, row.name)
    if row.kind is Kind.SWITCH or (default is None and row.shown is None):
        return what
    profiles = {} if defaults else PROFILES
    others = [f"{name}: {value}" for name, cell in profiles.items() if (value := getattr(cell, row.name)) != default]
    return f"{what} [{'; '.join([row.shown or write_value(default), *others])}]"


def make_request(options: argparse.Namespace) -> RunRequest:
    """The cell and the run that the options describe.

    Raises:
        UsageError: they contradict each other.
    """
    profile: Cell = getattr(options, "defaults", None) or PROFILES[options.profile]
    named = {row.name: getattr(options, row.name, None) for row in CELL_FIELDS.values() if row.flag is not None}
    given: dict[str, Any] = {
        name: "\n".join(value) if CELL_FIELDS[name].repeated else value
        for name, value in named.items()
        if value is not None
    }
    if "body" in given:
        given.setdefault("method", "POST")
        if not Path(given["body"]).is_file():
            raise UsageError(what=f"--body {given['body']}: there is no such file.", remedy="Name a file.")
    if "proxy_config" in given and "proxy" not in given:
        from harness.engine.own_proxy import name_proxy

        given["proxy"] = name_proxy(given["proxy_config"]) or profile.proxy
    cell = replace(profile, spec=options.spec, **given)
    if "threads" not in given and not find_worker(cell.worker).has_threads:
        cell = replace(cell, threads=1)
    problem = find_contradiction(cell)
    if problem is not None:
        raise problem
    cell = fit_disturbances(cell, given)
    also = sorted(OF_SETTINGS & given.keys())
    if options.settings is not None and also:
        raise UsageError(
            what=f"{CELL_FIELDS[also[0]].flag} and --settings exclude each other.",
            remedy=f"Set {also[0]} in your settings; they are what is run.",
        )
    if options.settings is not None:
        from harness.engine.settings_reading import read_said

        read_said(options.settings, Path.cwd())
    return RunRequest(
        cell=cell,
        out=options.out,
        python=options.python,
        era_shims=options.era_shims,
        as_root=options.as_root,
        own=_name_own(options, given),
        project=read_project(options),
        load_named="load" in given,
    )


def _name_own(options: argparse.Namespace, given: Collection[str]) -> OwnSettings | None:
    """The user's own settings; the arms of a scenario differ in the cell's values, so there all of these win."""
    if options.settings is None:
        return None
    is_scenario = getattr(options, "defaults", None) is not None
    fixed = {*FIELDS.values(), "bind"} if is_scenario else set()
    return OwnSettings(said=options.settings, given=frozenset({*given, *fixed}))


def fit_disturbances(cell: Cell, given: Collection[str]) -> Cell:
    """The cell with values that suit its disturbances, for those fields that the user has not ``given``.

    Without ``recycle`` among them no worker restarts by itself. The load lasts until all are done.
    """
    turns = list_turns(cell)
    if not turns:
        return cell
    wants_restarts = RECYCLE in read_names(cell.disturb) or (cell.aim is not None and AIMS[cell.aim].wants_restarts)
    if "max_requests" not in given and not wants_restarts:
        cell = replace(cell, max_requests=0)
    timeouts = [limit for name in turns if (limit := DISTURBANCES[name].TIMEOUT_S) is not None]
    if timeouts and "timeout" not in given:
        cell = replace(cell, timeout=min(timeouts))
    if "duration_s" not in given:
        aim_s = 0 if cell.aim is None else MOMENT_S
        usual_s = sum(DISTURBANCES[name].LONGEST_S + aim_s + 1 for name in turns)
        overdue_s = (cell.graceful_timeout or GRACEFUL_S) + LATE_S  # for the one that is awaited in vain
        cell = replace(cell, duration_s=min(max(cell.duration_s, SLOW * usual_s + overdue_s), LONGEST_S))
    return cell


SLOW = 4
"""So many times longer than usual disturbances may take on a busy machine: the load ends when they are done."""


def run_arguments(request: RunRequest) -> list[str]:
    """The arguments of `harness reproduce` that make this very request again: the inverse of ``make_request``."""
    left_out = {name for name in OF_DISTURBANCES if getattr(request.cell, name) == getattr(DEFAULTS, name)}
    left_out |= set() if request.load_named else {"load"}
    if request.own is not None:  # whose values are read again
        left_out |= {*FIELDS.values(), "app", "bind"} - request.own.given
    options = [(row.flag, text) for row, text in write_options(request.cell) if row.name not in left_out]
    own = {
        "--settings": request.own.said if request.own else request.settings,
        "--python": request.python,
        "--out": request.out,
    }
    options += [(flag, str(value)) for flag, value in own.items() if value is not None]
    options += [("--with", one) for one in request.project or ()]
    options += [] if request.era_shims else [(NO_ERA_SHIMS, None)]
    options += [(AS_ROOT, None)] if request.as_root else []
    # The form --name=value keeps a value that begins with a dash from becoming an option.
    return [*(f"{flag}" if text is None else f"{flag}={text}" for flag, text in options), "--", request.cell.spec]


def expectation(text: str) -> frozenset[str]:
    """A type for argparse: ``holds``, or finding ids separated by commas."""
    names = frozenset(name.strip() for name in text.split(",") if name.strip())
    known = {finding.value for finding in FindingId}
    unknown = sorted(names - known - {HOLDS})
    if unknown or not names or (HOLDS in names and len(names) > 1):
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither '{HOLDS}' nor finding ids; those are: {', '.join(sorted(known))}"
        )
    return names
