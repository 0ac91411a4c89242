"""What gunicorn read of a user's settings, and the cell that it means."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.stack.workers import find_worker, name_worker

FILE, VARIABLE, ARGUMENTS = "the file", "GUNICORN_CMD_ARGS", "the command line"

FIELDS: Mapping[str, str] = {
    "worker_class": "worker",
    "workers": "workers",
    "threads": "threads",
    "max_requests": "max_requests",
    "max_requests_jitter": "max_requests_jitter",
    "timeout": "timeout",
    "graceful_timeout": "graceful_timeout",
}
"""A setting -> the field of the cell that says the same."""

OPTIONAL = frozenset({"timeout", "graceful_timeout"})
"""Fields that say nothing where they are None: then gunicorn's own default holds."""

LATER = frozenset(
    [
        "asgi_lifespan",
        "asgi_loop",
        "capture_output",
        "child_exit",
        "control_socket",
        "enable_backlog_metric",
        "forwarder_headers",
        "header_map",
        "http_parser",
        "http_protocols",
        "initgroups",
        "logconfig_dict",
        "logconfig_json",
        "max_requests_jitter",
        "raw_paste_global_conf",
        "reload_engine",
        "reload_extra_files",
        "reuse_port",
        "root_path",
        "sendfile",
        "ssl_context",
        "statsd_host",
        "statsd_prefix",
        "strip_header_spaces",
    ]
)
"""Settings that not all releases have; a release ignores what it does not know."""

FLEET = ("worker_class", "workers", "threads", "max_requests")
"""Settings of which one that is set means that they tell of the whole fleet; then gunicorn's own defaults hold for the
others. Where none is set, the fleet is described elsewhere, and the cell has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GunicornSetting:
    """One setting as gunicorn read it. ``origin``: where it was set, None where it was not."""

    name: str
    value: Json
    default: Json
    origin: str | None
    is_code: bool = False  # a function; its value is not data


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that gunicorn read. ``app`` is ``module:app`` where the user names one."""

    settings: Mapping[str, GunicornSetting]
    file: str | None
    app: str | None
    unknown: tuple[str, ...] = ()  # settings of the file that other releases have, and this one ignores
    refused: Mapping[str, Json] | None = None  # what gunicorn refused here, and is replaced anyway


def parse_reading(data: Mapping[str, Any]) -> Reading:
    """What ``fixtures/settings/reading.py`` wrote."""
    origins: Mapping[str, str] = data["origin"]
    variable = set(data["from_variable"])

    def origin(name: str) -> str | None:
        said = origins.get(name)
        if said == "file":
            return FILE
        return None if said is None else VARIABLE if name in variable else ARGUMENTS

    settings = {
        name: GunicornSetting(
            name=name, value=row["value"], default=row["default"], origin=origin(name), is_code=bool(row["code"])
        )
        for name, row in data["settings"].items()
    }
    app = data.get("app")
    if app is None and "wsgi_app" in settings:
        app = settings["wsgi_app"].value
    if app is None:
        app = data.get("wsgi_app")
    unknown = tuple(name for name in data["names"] if name in LATER and name not in settings)
    return Reading(
        settings=settings,
        file=data["file"],
        app=app if isinstance(app, str) and app else None,
        unknown=unknown,
        refused=dict(data["refused"]),
    )


def describes_fleet(reading: Reading) -> bool:
    """Whether the settings say what the workers are; see FLEET."""
    return any(name in reading.settings and reading.settings[name].origin for name in FLEET)


def merge_cell(cell: Cell, reading: Reading, given: Collection[str]) -> Cell:
    """The cell with all that the settings say, but for the fields that the user gave on the command line.

    Raises:
        UsageError: a number of the settings is none that a run can have.
    """
    found = reading.settings
    values: dict[str, Any] = {}
    for name, field in FIELDS.items():
        if (
            field not in given
            and name in found
            and (found[name].origin or (describes_fleet(reading) and name in FLEET))
        ):
            values[field] = found[name].value
    if "worker" in values:
        threads = values.get("threads", cell.threads)
        values["worker"] = name_worker(str(values["worker"]), threads if isinstance(threads, int) else 1)
    if "app" not in given and reading.app is not None:
        values["app"] = reading.app
    kind = bind_kind(reading)
    if "bind" not in given and kind is not None:
        values["bind"] = kind
    for field, least in (("workers", 1), ("threads", 1), ("max_requests", 0), ("max_requests_jitter", 0)):
        if field in values and not (isinstance(values[field], int) and values[field] >= least):
            raise UsageError(
                what=f"The settings have {field} = {values[field]!r}, which no run can have.",
                remedy="Set a whole number, or give the option on the command line.",
            )
    for field in OPTIONAL & values.keys():
        if not (isinstance(values[field], int) and values[field] >= 1):  # a run with no time-out at all
            values[field] = None
    merged = replace(cell, **values)
    if "threads" not in given and not find_worker(merged.worker).has_threads:
        merged = replace(merged, threads=1)
    return merged


def bind_kind(reading: Reading) -> str | None:
    """``unix`` or ``tcp`` where the settings say what to bind; an inherited descriptor says nothing."""
    setting = reading.settings.get("bind")
    if setting is None or setting.origin is None:
        return None
    addresses = setting.value if isinstance(setting.value, list) else [setting.value]
    named = [str(address) for address in addresses if not str(address).startswith("fd:")]
    if not named:
        return None
    return "unix" if any(address.startswith("unix:") for address in named) else "tcp"
