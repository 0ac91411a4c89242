"""Damaged and hostile records: each rendering is refused in a few lines, or shows them without becoming their tool."""

from __future__ import annotations

import json
import os
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.attacks.attempt import Attempt, Done, Place, a_place
from tests.unit.runs import bursts, write_run

HOSTILE = (
    "\x1b]0;x\x07\x00\u202e</script><script>hostile()</script><img src=x onerror=hostile()>']]>${{7*7}}$(id)`id`|\n## x"
)
RENDERINGS = (
    ("judge",),
    ("judge", "--json"),
    ("report", "--format", "md"),
    ("report", "--format", "html"),
    ("report", "--format", "json"),
    ("report", "--format", "junit"),
    ("bundle",),
)
CODES = (0, 2, 3)

Damage = Callable[[Path], object]


def attack(every: int = 1) -> Iterator[Attempt]:
    """Each damage in each rendering; ``every``: only each n-th of them."""
    tried = [(name, damage, rendering) for name, damage in _list_damages() for rendering in RENDERINGS]
    with a_place() as place:
        for name, damage, (command, *options) in tried[::every]:
            yield _try(place, f"{name}: {command} {' '.join(options)}".strip(), damage, [command, *options])


def _try(place: Place, name: str, damage: Damage, arguments: list[str]) -> Attempt:
    folder = place.root / "record"
    shutil.rmtree(folder, ignore_errors=True)
    write_run(bursts(), folder)
    damage(folder)
    words = [arguments[0], str(folder), *arguments[1:]]
    if arguments[0] == "bundle":
        words += ["--out", str(place.root / "a.zip")]
    done = place.run(*words)
    raw = arguments[-1] == "json" or "--json" in arguments
    complaints = _without_escapes(done.complain(CODES), allowed=raw)
    if done.code == 0:
        complaints += _examine(done, arguments)
    return Attempt(name=name, complaints=(*complaints, *place.leftovers()))


def _without_escapes(complaints: list[str], *, allowed: bool) -> list[str]:
    """JSON has the text as it was recorded; its escapes are JSON's."""
    return [one for one in complaints if not (allowed and one.startswith("prints"))]


def _examine(done: Done, arguments: list[str]) -> list[str]:
    if arguments[-1] == "html":
        page = _Page()
        page.feed(done.out)
        return page.complaints
    try:
        if arguments[-1] == "junit":
            ET.fromstring(done.out)  # noqa: S314 - our own text
        if "json" in arguments[-1]:
            json.loads(done.out)
    except (ET.ParseError, ValueError) as problem:
        return [f"{arguments[-1]} is broken: {problem}"]
    return []


class _Page(HTMLParser):
    """Looks for elements and attributes that the hostile text has made."""

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script"
        self.complaints += [
            f"<{tag} {name}>" for name, value in attrs if name.startswith("on") and "hostile" in str(value)
        ]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip().startswith("hostile()"):
            self.complaints.append("a script of the record's")

    def handle_endtag(self, tag: str) -> None:
        self._script = False


def _list_damages() -> Iterator[tuple[str, Damage]]:
    for name in ("cell.json", "facts.json", "verdict.json", "events.jsonl"):
        yield f"{name} is missing", lambda folder, name=name: (folder / name).unlink()  # type: ignore[misc]
        yield f"{name} is a FIFO", lambda folder, name=name: _make_fifo(folder / name)  # type: ignore[misc]
        yield f"{name} is a folder", lambda folder, name=name: _make_folder(folder / name)  # type: ignore[misc]
        for what, content in CONTENTS.items():
            yield f"{name} is {what}", lambda folder, name=name, content=content: (folder / name).write_bytes(content)  # type: ignore[misc]
    for name in ("cell.json", "facts.json", "verdict.json"):
        yield f"{name} has a hostile text in each field", lambda folder, name=name: _poison_file(folder / name)  # type: ignore[misc]
    yield (
        "hostile texts in the log",
        lambda folder: (folder / "logs/gunicorn.error.log").write_text(f"ERROR {HOSTILE}\n" * 9),
    )
    yield "a log is a FIFO", lambda folder: _make_fifo(folder / "logs" / "gunicorn.error.log")
    yield "a log is a link to a device", lambda folder: _link(folder / "logs" / "gunicorn.error.log", "/dev/zero")
    yield "a setting is a link out", lambda folder: _link(folder / "config" / "config.py", "/etc/passwd")
    yield "logs is a link out", lambda folder: _link(folder / "logs", "/etc")


CONTENTS: Mapping[str, bytes] = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "cut": b'{"schema": 1, "cell": {',
    "no UTF-8": b'{"a": "\xff\xfe"}',
    "NaN": b'{"schema": NaN}',
    "nested deeply": b"[" * 100_000,
    "nested as deeply as can be read": b'{"schema": 1, "at_ns": 1, "kind": "x", "a": ' + b"[" * 900 + b"]" * 900 + b"}",
    "of another schema": b'{"schema": 99}',
    "of huge numbers": b'{"at_ns": ' + b"9" * 5000 + b', "kind": "phase"}',
    "zeros": bytes(4096),
}


def _make_fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path, target: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _poison_file(path: Path) -> None:
    path.write_text(json.dumps(_poison(json.loads(path.read_text()) or {"os": {"kernel": "x"}, "deviations": ["x"]})))


def _poison(data: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(data, str):
        return data + HOSTILE
    if isinstance(data, dict):
        return {key: value if key in {"verdict", "schema"} else _poison(value) for key, value in data.items()}
    return [_poison(value) for value in data] if isinstance(data, list) else data
