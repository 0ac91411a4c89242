"""What a run does otherwise than a user's settings say, each with its reason; and the table that tells of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.stack.own_settings.reading import (
    FIELDS,
    FLEET,
    OPTIONAL,
    GunicornSetting,
    Reading,
    describes_fleet,
    merge_cell,
)
from harness.stack.own_settings.writing import render_source
from harness.stack.workers import find_worker

_LOUD = ("debug", "info")
_NO_TLS = "the proxy here talks plain HTTP to gunicorn"
_OWN_LOG = "gunicorn's own log is what tells of its workers"
_NOT_OUTSIDE = "nothing is sent out of the run"

REPLACED: Mapping[str, str] = {
    "bind": "the run has a path or port of its own",
    "accesslog": "the run reads it, in a file of its own",
    "access_log_format": "the run reads it: request id and worker pid stand in it",
    "errorlog": "the run reads it, from standard error",
    "daemon": "the run has to watch the arbiter",
    "pidfile": "the run knows the pid; two arbiters never share a file",
    "logger_class": _OWN_LOG,
    "logconfig": _OWN_LOG,
    "logconfig_dict": _OWN_LOG,
    "logconfig_json": _OWN_LOG,
    "syslog": _NOT_OUTSIDE,
    "statsd_host": _NOT_OUTSIDE,
    "dogstatsd_tags": _NOT_OUTSIDE,
    "certfile": _NO_TLS,
    "keyfile": _NO_TLS,
    "ca_certs": _NO_TLS,
    "ssl_context": _NO_TLS,
    "proxy_protocol": "the clients here don't speak it",
    "control_socket": "the run has a HOME of its own",
}
"""Settings that a run always replaces where they are set, and why. Those with a value of ours: ``_owned``."""

UNLESS_POSSIBLE: Mapping[str, str] = {
    "user": "it can't be taken here",
    "group": "it can't be taken here",
    "chdir": "there is no such folder here",
    "worker_tmp_dir": "there is no such folder here",
}
"""Settings that are replaced where gunicorn refuses them here."""

_HERE: Mapping[str, Json] = {"chdir": ".", "user": None, "group": None}
"""Their values where the reader's own folder and user are the default, which need not be those of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; ``run_with`` is what the run has instead, where that differs."""

    setting: str
    yours: str
    run_with: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The user's settings once they are read: the cell that they mean, the table, and the text of the settings."""

    cell: Cell
    rows: tuple[Row, ...]
    text: str  # before what ``render_owned`` adds
    overrides: Mapping[str, Json]  # what the run replaces, but for the bind and the logs
    backlog: int | None = None

    def to_json(self) -> list[Json]:
        """The table, for the facts."""
        return [
            {"setting": row.setting, "yours": row.yours, "run_with": row.run_with, "why": row.why} for row in self.rows
        ]


def resolve(
    cell: Cell, reading: Reading, given: Collection[str], *, source: str, proxy_is_another_user: bool = False
) -> Resolved:
    """What is run, and how it differs from what the user has. ``source``: the settings file's text, or ""."""
    merged = merge_cell(cell, reading, given)
    overrides = dict(_find_overrides(merged, reading, given, proxy_is_another_user=proxy_is_another_user))
    backlog = reading.settings["backlog"].value if "backlog" in reading.settings else None
    return Resolved(
        cell=merged,
        rows=tuple(_rows(merged, reading, given, overrides)),
        text=render_source(source, reading),
        overrides={name: value for name, (value, _) in overrides.items()},
        backlog=backlog if isinstance(backlog, int) else None,
    )


def _find_overrides(
    cell: Cell, reading: Reading, given: Collection[str], *, proxy_is_another_user: bool
) -> Iterator[tuple[str, tuple[Json, str]]]:
    """Each setting that the run changes, with its value and the reason; the bind and the logs are in ``_LATER``."""
    found = reading.settings
    for name, field in FIELDS.items():
        said = getattr(cell, field)
        if name not in found or (said is None and field in OPTIONAL):
            continue
        if field in given:
            said = _started_class(cell) if name == "worker_class" else said
            yield name, (said, f"--{field.replace('_', '-')} was given")
        elif not found[name].origin and not (describes_fleet(reading) and name in FLEET):
            yield name, (_started_class(cell) if name == "worker_class" else said, "it is not set; the run's default")
    for name, why in UNLESS_POSSIBLE.items():
        if name in (reading.refused or {}):
            yield name, (_HERE[name] if name in _HERE else found[name].default, why)
    for name, why in REPLACED.items():
        if name in found and found[name].origin and name not in _LATER:
            value: Json = False if name in ("daemon", "syslog") else found[name].default
            yield name, (None if found[name].is_code else value, why)
    level = found["loglevel"]
    if level.origin and str(level.value).lower() not in _LOUD:
        yield "loglevel", ("info", _OWN_LOG)
    umask = found["umask"].value
    if proxy_is_another_user and cell.bind == "unix" and isinstance(umask, int) and umask & 0o002:
        yield "umask", (0, "the proxy here runs as another user, who must be able to connect")


_LATER = ("bind", "accesslog", "access_log_format", "errorlog")
"""Known only once the run's folder is made; see ``render_owned``."""


def _started_class(cell: Cell) -> str:
    return (find_worker(cell.worker).named_with_threads if cell.threads > 1 else None) or cell.worker


def _rows(
    cell: Cell, reading: Reading, given: Collection[str], overrides: Mapping[str, tuple[Json, str]]
) -> Iterator[Row]:
    """What is set or replaced, in gunicorn's order of names."""
    for name, setting in sorted(reading.settings.items()):
        if name in ("config", "wsgi_app") or (setting.origin is None and name not in overrides):
            continue
        yours = write_setting(setting) if setting.origin else f"not set ({write_setting(setting)})"
        if name in (reading.refused or {}):
            yours = repr((reading.refused or {})[name])
        if name in overrides:
            yield Row(setting=name, yours=yours, run_with=repr(overrides[name][0]), why=overrides[name][1])
        elif name == "bind":
            why = "--bind was given" if "bind" in given else REPLACED["bind"]
            yield Row(setting=name, yours=yours, run_with=_own_bind(cell), why=why)
        elif name in _LATER:
            yield Row(setting=name, yours=yours, run_with="the run's own", why=REPLACED[name])
        else:
            yield Row(setting=name, yours=yours, run_with=yours, why=f"as in {setting.origin}")
    if "bind" in reading.settings and reading.settings["bind"].origin is None:
        yield Row(setting="bind", yours="not set", run_with=_own_bind(cell), why="it is not set; the run's default")
    if cell.app is not None or reading.app is not None:
        why = "--app was given" if "app" in given else "as you name it"
        yield Row(setting="app", yours=reading.app or "not set", run_with=str(cell.app), why=why)
    for name in reading.unknown:
        yield Row(setting=name, yours="set", run_with="nothing", why="this release has no such setting and ignores it")


def _own_bind(cell: Cell) -> str:
    kinds = {"unix": "a Unix socket of the run", "abstract": "an abstract socket of the run"}
    return kinds.get(cell.bind, "a free port of 127.0.0.1")


def write_setting(setting: GunicornSetting) -> str:
    """A value as Python writes it; of code only that there is some."""
    return "your function" if setting.is_code else repr(setting.value)
