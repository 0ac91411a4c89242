"""The rules about values of a cell that contradict each other; the errors name the fields as the user wrote them.

``core.cell_fields`` defines the values of a single field, and each back end what it can't run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from harness.backends import BACKENDS
from harness.core.cell_fields import CELL_FIELDS
from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.disturb import DISTURBANCES, inherits_listener, list_turns, read_names
from harness.disturb.aims import AIMS
from harness.disturb.course import Prerequisite
from harness.stack.proxies import PROXIES
from harness.stack.workers import find_worker, with_threads


class Wording(Protocol):
    """How a field, or a field with a value, is written where the user gave it."""

    def __call__(self, name: str, value: object = None) -> str:
        """The field's name alone where there is no value."""


def as_flag(name: str, value: object = None) -> str:
    """As on the command line: ``--worker sync``."""
    flag = str(CELL_FIELDS[name].flag)
    return flag if value is None else f"{flag} {value}"


def as_keyword(name: str, value: object = None) -> str:
    """As in Python: ``worker='sync'``."""
    return name if value is None else f"{name}={value!r}"


Rule = Callable[[Cell, Wording], UsageError | None]


def find_contradiction(cell: Cell, say: Wording = as_flag) -> UsageError | None:
    """The error of the first rule that the cell breaks; None where there is none."""
    return next((problem for rule in RULES if (problem := rule(cell, say)) is not None), None)


def _one_thread(cell: Cell, say: Wording) -> UsageError | None:
    if cell.threads == 1 or find_worker(cell.worker).has_threads:
        return None
    return UsageError(
        what=f"{say('worker', cell.worker)} has one thread, not {cell.threads}.",
        remedy=f"Leave {say('threads')} out, or use {say('worker', with_threads())}.",
    )


def _way_to_the_socket(cell: Cell, say: Wording) -> UsageError | None:
    if (cell.proxy, cell.load) != ("none", "wrk") or cell.bind == "tcp":
        return None
    alone = say("proxy", "none")
    return UsageError(
        what=f"wrk can't talk to a Unix socket, and with {alone} there is no proxy between.",
        remedy=f"Use {say('bind', 'tcp')} with {alone}, a proxy with {say('bind', 'unix')}, or {say('load', 'httpx')}.",
    )


def _way_to_an_abstract_socket(cell: Cell, say: Wording) -> UsageError | None:
    if cell.bind != "abstract":
        return None
    abstract, able = say("bind", cell.bind), [name for name, row in PROXIES.items() if row and row.REACHES_ABSTRACT]
    remedy = f"Use {say('proxy', able[0])}, or {say('proxy', 'none')} with {say('load', 'httpx')}."
    if cell.proxy != "none" and cell.proxy not in able:
        return UsageError(what=f"{cell.proxy} can't connect to an abstract socket ({abstract}).", remedy=remedy)
    if cell.proxy_config is not None:
        return UsageError(what=f"{abstract} can't be put into your own {say('proxy_config')}.", remedy=remedy)
    return None


def _constant_rate(cell: Cell, say: Wording) -> UsageError | None:
    if cell.rate_per_s is None or cell.load == "httpx":
        return None
    return UsageError(
        what=f"{cell.load} has no constant rate: it asks as fast as it is answered.",
        remedy=f"Use {say('rate_per_s')} with {say('load', 'httpx')}, or leave it out.",
    )


def _own_proxy(cell: Cell, say: Wording) -> UsageError | None:
    if cell.proxy_config is None:
        return None
    from harness.stack.own_proxies import ADAPTERS  # few runs have a configuration of the user's own

    if cell.proxy in ADAPTERS and cell.upstream_keepalive:
        return None
    if not cell.upstream_keepalive:
        return UsageError(
            what=f"{say('upstream_keepalive')} and {say('proxy_config')}: the file says whether connections are kept.",
            remedy=f"Leave {say('upstream_keepalive')} out.",
        )
    return UsageError(
        what=f"{say('proxy_config', cell.proxy_config)} can't be had with {say('proxy', cell.proxy)}.",
        remedy=f"Use {say('proxy')} with one of: {', '.join(ADAPTERS)}.",
    )


def _not_on_the_back_end(cell: Cell, _say: Wording) -> UsageError | None:
    return BACKENDS[cell.backend].why_not(cell)


def _known_disturbances(cell: Cell, say: Wording) -> UsageError | None:
    try:
        read_names(cell.disturb)
    except KeyError as unknown:
        import difflib

        named = str(unknown.args[0] or "nothing")
        near = difflib.get_close_matches(named, DISTURBANCES, n=1)
        meant = f" Did you mean {near[0]}?" if near else ""
        return UsageError(
            what=f"{say('disturb', cell.disturb)}: {named} is no disturbance.{meant}",
            remedy=f"Name {', '.join(DISTURBANCES)}, several with commas between, or all.",
        )
    return None


def _path_to_disturb(cell: Cell, say: Wording) -> UsageError | None:
    if cell.bind == "unix":
        return None
    for name in list_turns(cell):
        if Prerequisite.PATH in DISTURBANCES[name].NEEDS:
            return UsageError(
                what=f"{say('disturb', name)}: {Prerequisite.PATH.value}.",
                remedy=f"Use {say('bind', 'unix')}, or leave it out.",
            )
    return None


def _inherited_for_all(cell: Cell, say: Wording) -> UsageError | None:
    turns = list_turns(cell)
    others = [name for name in turns if not inherits_listener((name,))]
    if len(others) in {0, len(turns)}:
        return None
    alone = next(name for name in turns if name not in others)
    return UsageError(
        what=f"{say('disturb', cell.disturb)}: with {alone} gunicorn inherits its listener in the whole run, "
        f"and {others[0]} is about one that it has bound itself.",
        remedy=f"Run {say('disturb', alone)} by itself.",
    )


def _moment_to_aim_at(cell: Cell, say: Wording) -> UsageError | None:
    if cell.aim is None:
        return None
    aim = AIMS.get(cell.aim)
    if aim is None:
        return UsageError(what=f"{say('aim', cell.aim)}: no such moment.", remedy=f"Name {', '.join(AIMS)}.")
    if not list_turns(cell):
        return UsageError(what=f"{say('aim', cell.aim)}: nothing is aimed.", remedy=f"Add {say('disturb', 'reload')}.")
    if Prerequisite.PATH in aim.needs and (cell.bind != "unix" or inherits_listener(list_turns(cell))):
        return UsageError(
            what=f"{say('aim', cell.aim)}: gunicorn binds no path by itself here.",
            remedy=f"Use {say('bind', 'unix')}, and another disturbance than one that inherits the listener.",
        )
    if Prerequisite.TRACER in aim.needs and not cell.trace:
        return UsageError(
            what=f"{say('aim', cell.aim)} needs the tracer, which holds the arbiter there.",
            remedy=f"Leave {say('trace')} out.",
        )
    return None


def _disturbance_that_has_the_moment(cell: Cell, say: Wording) -> UsageError | None:
    aim = AIMS.get(cell.aim or "")
    if aim is None:
        return None
    if aim.only is not None and set(list_turns(cell)) != {aim.only}:
        return UsageError(
            what=f"{say('aim', cell.aim)}: that moment comes in {say('disturb', aim.only)} alone.",
            remedy=f"Use {say('disturb', aim.only)}, and nothing beside it.",
        )
    if Prerequisite.PID_FILE in aim.needs and not cell.pidfile:
        return UsageError(what=f"{say('aim', cell.aim)}: there is no pid file.", remedy=f"Add {say('pidfile')}.")
    return None


RULES: tuple[Rule, ...] = (
    _known_disturbances,
    _path_to_disturb,
    _inherited_for_all,
    _moment_to_aim_at,
    _disturbance_that_has_the_moment,
    _one_thread,
    _way_to_the_socket,
    _way_to_an_abstract_socket,
    _constant_rate,
    _own_proxy,
    _not_on_the_back_end,
)
"""In the order in which they are checked."""
