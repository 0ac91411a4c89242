"""What in somebody's settings asks for trouble, each backed by a run that a test of this repository makes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.core.frozen import dataclass
from harness.studies.advise.deployment import Deployment

CLEANED = ("/tmp/", "/var/tmp/")  # noqa: S108 - named, not used
"""Folders that tmpwatch, tmpreaper or a job of one's own empties on many systems."""

LEAST_SPREAD = 10
"""A jitter is small from this part of max_requests on; see the run."""

_RUNS = "tests/regression/test_advise_warnings.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingWarning:
    """Something in the settings that asks for trouble, and the run in this repository that shows it."""

    id: str
    said: str
    shown_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What the rules look at: the settings with gunicorn's own defaults, and what else was told."""

    settings: Mapping[str, Any]
    worker: str
    bind: str
    told: Deployment

    def number(self, name: str) -> int:
        """A setting that is a number; 0 where it is none."""
        value = self.settings[name]
        return int(value) if isinstance(value, int | float | str) and re.fullmatch("[0-9]{1,18}", str(value)) else 0

    @property
    def keeps_connections(self) -> bool:
        """Whether the worker class keeps a client's connection for its next request: the sync worker never does."""
        return self.worker != "sync"


def warn(one: Warned) -> Iterator[SettingWarning]:
    """Each rule that speaks, with its words."""
    for name, (rule, shown_by) in RULES.items():
        said = rule(one)
        if said is not None:
            yield SettingWarning(id=name, said=said, shown_by=shown_by)


def _no_jitter(one: Warned) -> str | None:
    if not one.number("max_requests") or one.number("workers") < 2 or one.number("max_requests_jitter"):  # noqa: PLR2004
        return None
    return "max_requests without max_requests_jitter: workers that get like shares restart together"


def _small_jitter(one: Warned) -> str | None:
    limit, jitter = one.number("max_requests"), one.number("max_requests_jitter")
    if one.number("workers") < 2 or not 0 < jitter * LEAST_SPREAD < limit:  # noqa: PLR2004 - one has nobody beside it
        return None
    return (
        f"max_requests_jitter {jitter} is little beside max_requests {limit}: restarts of a round are spread over as "
        f"long as a worker takes for {jitter} requests; where the app boots longer than that, all are away together"
    )


def _reuse_port(one: Warned) -> str | None:
    if not one.settings["reuse_port"] or one.bind != "unix":
        return None
    return "reuse_port with a Unix socket: recent kernels refuse it, and gunicorn does not start"


def _stop_timeout(one: Warned) -> str | None:
    graceful_s, stop_s = one.number("graceful_timeout"), one.told.stop_timeout_s
    if stop_s is None or graceful_s <= stop_s:
        return None
    return (
        f"graceful_timeout {graceful_s} s is above the unit's TimeoutStopSec {stop_s:g} s: systemd kills the workers "
        "while they finish what they have in hand"
    )


def _proxy_keeps_longer(one: Warned) -> str | None:
    idle_s, kept_s = one.told.proxy_idle_s, one.number("keepalive")
    if idle_s is None or not one.keeps_connections or idle_s <= kept_s:
        return None
    return (
        f"the proxy keeps idle connections for {idle_s:g} s, gunicorn for {kept_s} s (keepalive): a request that comes "
        f"when gunicorn closes one is lost if it may not be sent again; set keepalive above {idle_s:g}, or "
        f"keepalive_timeout of the upstream below {kept_s}"
    )


def _limit_below_connections(one: Warned) -> str | None:
    limit = one.number("max_requests")
    own = one.number("worker_connections") if "worker_connections" in one.told.settings else 0
    connections = one.told.proxy_kept or own
    if not limit or not one.keeps_connections or connections <= limit:
        return None
    return (
        f"max_requests {limit} is below the {connections} connections that are kept: a worker restarts before each "
        "of them has had its turn, and each restart closes them"
    )


def _cleaned_folder(one: Warned) -> str | None:
    bind = one.settings["bind"]
    paths = [
        str(address).removeprefix("unix:") for address in (bind if isinstance(bind, list) else str(bind).split(","))
    ]
    found = next((path for path in paths if path.startswith(CLEANED)), None)
    if found is None:
        return None
    return f"{found} lies in a folder that cleaners empty: once the socket file is gone, every new connection fails"


RULES: Mapping[str, tuple[Callable[[Warned], str | None], str]] = {
    "no-jitter": (_no_jitter, "tests/records/scenario-jitter-violated.zip: 6 of 6 workers away at once"),
    "small-jitter": (_small_jitter, f"{_RUNS}: a jitter of 5, and of 60, at max_requests 60"),
    "reuse-port-unix": (_reuse_port, "tests/integration/test_advise.py"),
    "stop-timeout": (_stop_timeout, f"{_RUNS}: a request of 3 s, killed after 1 s"),
    "proxy-keeps-longer": (
        _proxy_keeps_longer,
        f"{_RUNS}: nginx with 60 s before gunicorn with 1 s, and the other way",
    ),
    "limit-below-connections": (_limit_below_connections, f"{_RUNS}: max_requests 10 and 400 under 100 connections"),
    "cleaned-folder": (_cleaned_folder, f"{_RUNS}: the socket file of a running service is removed"),
}
"""By id: when it speaks and what it says, and the run that shows it."""
