"""What the user has, read without running it: settings files, command lines, systemd units, Dockerfiles, nginx.

Only what the answer depends on is read. A value that is computed is computed where it is arithmetic on known numbers
(``multiprocessing.cpu_count() * 2 + 1``, ``int(os.environ.get("WORKERS", 4))``); else it is named as not read.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from harness.core.errors import UsageError
from harness.core.files import is_file
from harness.core.frozen import dataclass
from harness.engine.settings_reading import strip_program
from harness.studies.advise.expressions import evaluate

WANTED = (
    "bind",
    "workers",
    "worker_class",
    "threads",
    "max_requests",
    "max_requests_jitter",
    "keepalive",
    "timeout",
    "graceful_timeout",
    "reuse_port",
    "preload_app",
    "worker_connections",
)
"""The settings that the answer depends on."""

_FLAGS: Mapping[str, str] = {
    "-b": "bind",
    "--bind": "bind",
    "-w": "workers",
    "--workers": "workers",
    "-k": "worker_class",
    "--worker-class": "worker_class",
    "--threads": "threads",
    "--max-requests": "max_requests",
    "--max-requests-jitter": "max_requests_jitter",
    "--keep-alive": "keepalive",
    "--worker-connections": "worker_connections",
    "-t": "timeout",
    "--timeout": "timeout",
    "--graceful-timeout": "graceful_timeout",
    "-c": "config",
    "--config": "config",
}
_SWITCHES = {"--reuse-port": "reuse_port", "-R": "enable_stdio_inheritance", "--preload": "preload_app"}
_NUMBERS = {*WANTED} - {"bind", "worker_class", "reuse_port", "preload_app"}
MOST_BYTES = 2**18
_SECONDS = {"": 1, "s": 1, "sec": 1, "min": 60, "m": 60}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What was read. ``settings``: by gunicorn's names; ``unread``: those whose values could not be told."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    proxy: str | None = None
    proxy_keepalive: bool | None = None
    proxy_kept: int | None = None  # idle connections that each of its processes keeps
    proxy_idle_s: float | None = None  # how long it keeps one
    stop_timeout_s: float | None = None
    sources: tuple[str, ...] = ()
    arguments: str | None = None  # gunicorn's own command line, where one was given
    config: str | None = None  # the settings file

    def merged(self, other: Deployment) -> Deployment:
        """Both; what ``other`` says wins."""
        return Deployment(
            settings={**self.settings, **other.settings},
            unread=tuple(dict.fromkeys([name for name in self.unread if name not in other.settings] + [*other.unread])),
            proxy=other.proxy or self.proxy,
            proxy_keepalive=self.proxy_keepalive if other.proxy_keepalive is None else other.proxy_keepalive,
            proxy_kept=self.proxy_kept if other.proxy_kept is None else other.proxy_kept,
            proxy_idle_s=self.proxy_idle_s if other.proxy_idle_s is None else other.proxy_idle_s,
            stop_timeout_s=self.stop_timeout_s if other.stop_timeout_s is None else other.stop_timeout_s,
            sources=(*self.sources, *other.sources),
            arguments=other.arguments or self.arguments,
            config=other.config or self.config,
        )


def read_all(names: Sequence[str]) -> Deployment:
    """What files and command lines say together: settings files first, command lines win.

    Raises:
        UsageError: one is neither a file nor a command line.
    """
    try:
        told = [_read_one(name) for name in names]
    except OSError as problem:
        raise UsageError(
            what=f"{problem.filename}: {problem.strerror}.", remedy="Name a settings file that can be read."
        ) from problem
    files, lines = [one for one in told if one.arguments is None], [one for one in told if one.arguments is not None]
    result = Deployment()
    for one in [*files, *lines]:
        result = result.merged(one)
    return result


def _read_one(name: str) -> Deployment:
    path = Path(name)
    if not is_file(path):
        if " " in name.strip():
            return replace(read_command(_split(name), Path.cwd()), sources=("the command line",))
        raise UsageError(
            what=f"{name}: there is no such file.", remedy="Name a settings file, or write a command line."
        )
    text = _read_text(path)
    if path.suffix in (".service", ".socket"):
        told = read_unit(text, path.parent)
    elif path.name.lower().startswith("dockerfile") or path.suffix.lower() == ".dockerfile":
        told = read_dockerfile(text, path.parent)
    elif path.suffix != ".py" and re.search(r"\b(?:upstream|proxy_pass|server)\b[^;\n]*[{;]", text):
        told = read_nginx(text)
    else:
        told = replace(read_settings(text), config=str(path))
    return replace(told, sources=(path.name,))


def _read_text(path: Path) -> str:
    """UsageError where it is longer than what anybody writes; a file's length costs nothing where it is sparse."""
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise UsageError(what=f"{path} has more than {MOST_BYTES} bytes.", remedy="Name a settings file.")
    return content.decode("utf-8", "replace")


def _split(said: str) -> list[str]:
    """A command line as words."""
    try:
        return shlex.split(said)
    except ValueError as problem:
        raise UsageError(
            what=f"{said[:200]}: {problem}.", remedy="Quote the command line as a shell wants it."
        ) from None


def read_settings(text: str) -> Deployment:
    """A settings file.

    Raises:
        UsageError: it is not Python.
    """
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise UsageError(what=f"The settings are not Python: {problem}.", remedy="Name a settings file.") from problem
    names: dict[str, Any] = {}
    unread: dict[str, None] = {}
    for node in ast.walk(ast.Module(body=body, type_ignores=[])):
        inside = node not in body
        target = node.target if isinstance(node, ast.AnnAssign) else None
        targets = node.targets if isinstance(node, ast.Assign) else [target] if target is not None else []
        for one in targets:
            if not isinstance(one, ast.Name) or node.value is None:  # type: ignore[attr-defined]
                continue
            try:
                names[one.id] = evaluate(node.value, names)  # type: ignore[attr-defined]
                unread.pop(one.id, None)
            except ValueError:
                names.pop(one.id, None)
                unread[one.id] = None
            if inside:  # in a branch, or in a function: which is taken is not known
                unread[one.id] = None
    unread |= {name: None for name, value in names.items() if name in WANTED and not _is_possible(name, value)}
    settings = {name: value for name, value in names.items() if name in WANTED and name not in unread}
    return Deployment(settings=settings, unread=tuple(name for name in unread if name in WANTED))


def _is_possible(name: str, value: Any) -> bool:  # noqa: ANN401 - whatever the file says
    """Whether gunicorn could take the value: what it refuses is not judged."""
    if name in _NUMBERS:
        return isinstance(value, int) or (isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value) is not None)
    if name == "bind":
        return all(isinstance(one, str) for one in (value if isinstance(value, list) else [value]))
    return isinstance(value, str) if name == "worker_class" else isinstance(value, bool | int)


def read_command(words: Sequence[str], folder: Path) -> Deployment:
    """Gunicorn's command line, with the settings file that it names."""
    words = strip_program(list(words))
    told, at = Deployment(), 0
    settings: dict[str, Any] = {}
    while at < len(words):
        name, joined, value = words[at].partition("=")
        if not joined and re.match(r"-[bwktc].", words[at]) and not words[at].startswith("--"):
            name, joined, value = words[at][:2], "=", words[at][2:]
        if name in _FLAGS:
            if not joined:
                at += 1
                value = words[at] if at < len(words) else ""
            _set(settings, _FLAGS[name], value)
        elif name in _SWITCHES:
            settings[_SWITCHES[name]] = True
        at += 1
    config = settings.pop("config", None)
    if config is not None and is_file(folder / config):
        told = replace(read_settings(_read_text(folder / config)), config=str(folder / config))
    return replace(told.merged(Deployment(settings=settings)), arguments=shlex.join(["gunicorn", *words]))


def _set(settings: dict[str, Any], name: str, value: str) -> None:
    if name == "bind":
        settings[name] = [*settings.get(name, []), value]
    elif name in _NUMBERS:
        if re.fullmatch(r"[0-9]{1,18}", value):
            settings[name] = int(value)
    else:
        settings[name] = value


def read_unit(text: str, folder: Path) -> Deployment:
    """A systemd service or socket unit."""
    joined = re.sub(r"\\\n\s*", " ", text)
    keys: dict[str, str] = dict(re.findall(r"^(\w+)\s*=\s*(.+?)\s*$", joined, re.MULTILINE))
    told = Deployment()
    if "ExecStart" in keys:
        told = read_command(_split(keys["ExecStart"].lstrip("@-:+!")), folder)
    if "ListenStream" in keys:
        place = keys["ListenStream"]
        told = told.merged(Deployment(settings={"bind": [f"unix:{place}" if place.startswith(("/", "%")) else place]}))
    usual = f"{SYSTEMD_STOP_S}s" if "ExecStart" in keys else ""
    stop_s = _read_seconds(keys.get("TimeoutStopSec", usual))
    return told if stop_s is None else replace(told, stop_timeout_s=stop_s)


SYSTEMD_STOP_S = 90
"""systemd's own TimeoutStopSec."""


def _read_seconds(said: str) -> float | None:
    found = re.fullmatch(r"([0-9]{1,18})\s*(\w*)", said)
    return float(found[1]) * _SECONDS[found[2]] if found is not None and found[2] in _SECONDS else None


def read_dockerfile(text: str, folder: Path) -> Deployment:
    """The last ENTRYPOINT and CMD of a Dockerfile, in either form."""
    joined = re.sub(r"\\\n\s*", " ", text)
    words: list[str] = []
    for name in ("ENTRYPOINT", "CMD"):
        found = re.findall(rf"^\s*{name}\s+(.+)$", joined, re.MULTILINE | re.IGNORECASE)
        if found:
            words += _split_command(found[-1])
    return read_command(words, folder)


def _split_command(said: str) -> list[str]:
    try:
        listed = json.loads(said)
    except (ValueError, RecursionError):
        return _split(said)
    words = [str(word) for word in listed] if isinstance(listed, list) else []
    return _split(words[2]) if words[1:2] == ["-c"] and len(words) > 2 else words  # noqa: PLR2004 - sh -c LINE


def read_nginx(text: str) -> Deployment:
    """An nginx configuration, or a part of one: whether it keeps connections to gunicorn."""
    plain = re.sub(r"#.*", "", text)
    number = re.search(r"\bkeepalive\s+([1-9][0-9]{0,17})\s*;", plain)
    kept = number is not None and "proxy_http_version 1.1" in " ".join(plain.split())
    upstream = re.search(r"\bupstream\b[^{]*\{([^}]*)\}", plain)
    idle = re.search(r"\bkeepalive_timeout\s+(\w+)", upstream[1] if upstream is not None else "")
    unix = re.search(r"unix:(/[^\s;:]+)", plain)
    settings = {"bind": [f"unix:{unix[1]}"]} if unix is not None else {}
    return Deployment(
        settings=settings,
        proxy="nginx",
        proxy_keepalive=kept,
        proxy_kept=int(number[1]) if kept and number is not None else None,
        proxy_idle_s=_read_seconds(idle[1] if idle is not None else f"{NGINX_IDLE_S}s") if kept else None,
    )


NGINX_IDLE_S = 60
"""nginx's own keepalive_timeout of an upstream."""
