"""The program of a container: the engine reports its end and sends it signals."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from harness.backends.docker import connection
from harness.core.errors import SurroundingsError

if TYPE_CHECKING:
    from docker import APIClient
    from harness.backends.docker.observer import Observer

STOP_S = 10.0


class DockerProcess:
    """The program of a container; see ``backends.Process``. Only the ``observer`` sees its processes."""

    def __init__(self, api: APIClient, container: str, name: str, observer: Observer) -> None:
        self._api = api
        self._observer = observer
        self.container = container
        self.name = name
        self.pid = 0  # known once it has run its first instruction
        self._status: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait, name=f"wait-{name}", daemon=True).start()

    def poll(self) -> int | None:
        """See ``backends.Process``."""
        return self._status

    def is_stopped(self, *, with_children: bool) -> bool:
        """See ``backends.Process``."""
        if self._status is not None or not self.pid:
            return False
        return self._observer.is_stopped(self.pid, with_children=with_children)

    def interrupt(self) -> None:
        """See ``backends.Process``."""
        self.send(signal.SIGINT)

    def send(self, number: int) -> None:
        """See ``backends.Process``."""
        self._kill(signal.Signals(number).name)

    def stop(self) -> int:
        """See ``backends.Process``."""
        self._kill("SIGKILL")
        if not self._ended.wait(STOP_S) or self._status is None:
            raise SurroundingsError(
                what=f"The container of {self.name} could not be ended within {STOP_S:g} s.",
                remedy="`harness clean` removes it once the engine answers again.",
            )
        return self._status

    def _kill(self, name: str) -> None:
        import docker.errors

        if self._status is not None:
            return
        with connection.speaking(f"The container of {self.name} could not be sent {name}"):
            try:
                self._api.kill(self.container, name)
            except docker.errors.APIError as problem:
                if problem.status_code not in (404, 409):  # it has ended meanwhile
                    raise

    def _wait(self) -> None:
        """Wait for the status. The engine reports a signal as 128 plus its number; ``Process`` as its negative."""
        import docker.errors
        import requests.exceptions

        try:
            code = int(self._api.wait(self.container, timeout=None)["StatusCode"])
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            self._ended.set()  # removed, or the engine has ended: ``poll`` returns None, and the observer notices
            return
        self._status = code if code <= 128 else 128 - code  # noqa: PLR2004 - the shell's convention
        self._ended.set()
