"""A user's own proxy configuration: read, freed of what a run can't have, and written anew; one module a proxy.

It may listen on the run's port alone, ask the run's gunicorn alone, and write nowhere outside the run. So what a
configuration says is known by its name (and then kept, replaced or left out), or it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

from harness.stack.own_proxies import caddy, h2o, haproxy, nginx
from harness.stack.own_proxies.changes import Adapted, ReadFiles
from harness.stack.proxies.setting import Setting


class Adapter(Protocol):
    """What is asked of a proxy's module."""

    CONFIG: str
    """The name of the configuration in the run's ``config`` folder."""

    MAIN_FOLDER: str
    """Where the files lie that the proxy's own packages include."""

    LOOKS_LIKE: re.Pattern[str]
    """What only this proxy's configuration has."""

    def render_reading(self, program: str, config: str) -> list[str] | None:
        """The argv that prints the configuration as the proxy reads it; None: its text is what ``adapt`` takes."""

    def render_check(self, program: str, config: str) -> list[str]:
        """The argv of the proxy's own check of a configuration."""

    def adapt(self, text: str, name: str, setting: Setting, read: ReadFiles) -> Adapted:
        """The configuration as a run can have it; ``read`` gives included files.

        Raises:
            UsageError: it can't be honoured.
        """


ADAPTERS: Mapping[str, Adapter] = {"h2o": h2o, "nginx": nginx, "haproxy": haproxy, "caddy": caddy}
"""By the name of ``--proxy``."""


def guess_proxy(name: str, text: str) -> str | None:
    """Whose configuration this is: by the file's name, else by what stands in it; None where that is open."""
    named = [proxy for proxy in ADAPTERS if proxy in name.lower()]
    found = named or [proxy for proxy, adapter in ADAPTERS.items() if adapter.LOOKS_LIKE.search(text)]
    return found[0] if len(found) == 1 else None
