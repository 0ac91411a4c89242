"""Settings that only some cells name: written at the end of gunicorn's settings file, where they win over all others.

Whether a release knows them is asked of the release itself, as it reads the file.
"""

from __future__ import annotations

import re

from harness.core.model import Cell
from harness.core.patterns import pattern

PID_FILE = "gunicorn.pid"
"""Its name, in the HOME of the run."""


def render_further(cell: Cell) -> str:
    """Settings that only some cells name, at the end, where they win over all others."""
    asked = {
        "graceful_timeout": cell.graceful_timeout,
        "timeout": cell.timeout,
        "reuse_port": cell.reuse_port or None,
        "preload_app": cell.preload_app or None,
        "umask": None if cell.umask is None else int(cell.umask.removeprefix("0o"), 8),
        "user": cell.user,
        "control_socket_disable": None if cell.control_socket else True,
    }
    named = {name: repr(value) for name, value in asked.items() if value is not None}
    if cell.pidfile:
        named["pidfile"] = f'__import__("os").path.expanduser("~/{PID_FILE}")'
    lines = [f"{name} = {value}\n" for name, value in named.items()]
    return "".join(["\n\n", *lines, REQUIRE_SETTINGS.format(names=sorted(named))]) if lines else ""


REQUIRE_SETTINGS = """

# Else a release would pass over a setting that it does not know.
for _name in {names!r}:
    if _name not in [_known.name for _known in __import__("gunicorn.config", fromlist=["config"]).KNOWN_SETTINGS]:
        raise RuntimeError("this release has no setting " + _name)
"""

_NO_SETTING = pattern(r"^RuntimeError: this release has no setting (\w+)$", re.MULTILINE)


def unknown_setting(log_tail: str) -> str | None:
    """The setting that a gunicorn which ended does not know; None if it ended for another reason."""
    found = _NO_SETTING.search(log_tail)
    return None if found is None else found[1]
