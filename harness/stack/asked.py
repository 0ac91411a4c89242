"""The request that all clients of a run send: control, load, probes, and the script that repeats the run.

A GET of / unless the user says otherwise. The functions are pure; each client has its own form of it.
"""

from __future__ import annotations

import binascii
import json

from harness.core.frozen import dataclass
from harness.core.model import Cell

REQUEST_VARIABLE = "RECYCLE_HARNESS_REQUEST"
"""The variable that names a file with the request, in the form of the load that reads it; unset for a GET of /."""

BODY_FILE = "body"
"""The user's body in the record's ``config``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, but for its id; ``status`` is the one with which the app answers it."""

    method: str = "GET"
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    status: str = "200"

    @property
    def is_plain(self) -> bool:
        """Whether nothing but the path makes it differ from what every client sends by itself."""
        return self.method == "GET" and not self.headers and not self.body


ASKED = Asked()


def make_asked(cell: Cell, body: bytes) -> Asked:
    """The request of a cell; ``body`` is the content of its file, b"" where it has none."""
    return Asked(
        method=cell.method,
        path=cell.path,
        headers=split_headers(cell.header),
        body=body,
        status=str(cell.expect_status),
    )


def split_headers(text: str | None) -> tuple[tuple[str, str], ...]:
    """(name, value) of each line."""
    pairs = (line.partition(":") for line in (text or "").splitlines())
    return tuple((name, value.strip()) for name, _, value in pairs)


def is_plain_get(cell: Cell) -> bool:
    """Whether the clients do what they do without being told: GET / until 200."""
    return (cell.method, cell.path, cell.header, cell.body, cell.expect_status) == ("GET", "/", None, None, 200)


def render_lua(asked: Asked) -> str:
    """The lines that make wrk send it; its path stands in the URL."""
    lines = [f"wrk.method = {_quote(asked.method.encode())}"]
    lines += [f"wrk.headers[{_quote(name.encode())}] = {_quote(value.encode())}" for name, value in asked.headers]
    lines += [f"wrk.body = {_quote(asked.body)}"] if asked.body else []
    return "\n".join(lines) + "\n"


def _quote(data: bytes) -> str:
    """A string of Lua that holds these bytes."""
    return '"' + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\{b:03d}" for b in data) + '"'  # noqa: PLR2004


def render_json(asked: Asked) -> str:
    """For the load on httpx."""
    data = {
        "method": asked.method,
        "path": asked.path,
        "headers": [list(pair) for pair in asked.headers],
        "body": binascii.b2a_base64(asked.body, newline=False).decode(),
        "status": asked.status,
    }
    return json.dumps(data, indent=1) + "\n"


def parse_json(text: str) -> Asked:
    """The inverse of ``render_json``."""
    data = json.loads(text)
    return Asked(
        method=data["method"],
        path=data["path"],
        headers=tuple((name, value) for name, value in data["headers"]),
        body=binascii.a2b_base64(data["body"]),
        status=data["status"],
    )
