"""``reproduce.sh``: the run again with plain commands, for people who don't have the harness.

The shell text is the template ``reproduce.sh.j2``; here the run's own files are freed of the paths and ports of the
recorded run. All that comes from the record is data in the script: quoted, or inside a quoted here-document.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.paths import fixtures_dir
from harness.core.patterns import pattern
from harness.disturb import DISTURBANCES, inherits_listener, list_turns
from harness.disturb.course import Loss, PathRule
from harness.report.fields import clean, text, texts
from harness.report.templates import render
from harness.stack.asked import BODY_FILE, Asked, make_asked, render_lua
from harness.stack.gunicorn import fixture_app
from harness.stack.proxies import PROXIES, Proxy

CONTROL_REQUESTS = 20
HANGING = "hanging.py"
DEFAULT_TIMEOUT_S = 30
ERA = "era"
"""The folder of a run's configuration that puts back what left Python, where it has one."""

_SHARED_FOLDERS = {"/", "/tmp", "/run", "/var/run", "/var/tmp"}  # noqa: S108 - not used, only never rewritten
_PINNED = pattern(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_PLAIN_NAME = pattern(r"[a-z_]+\.py")
_RELEASE = pattern(r"latest|\d+(\.\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptFile:
    """A file that the script writes as a here-document, which the line ``end`` ends."""

    name: str
    content: str
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptView:
    """What the script is about; texts as recorded."""

    run_id: str
    cell: Cell
    release: str
    series: str  # of Python, such as 3.6
    python: str
    app: str
    load_threads: int
    connections: int
    duration_s: int
    control: int  # requests before the load
    from_source: bool
    files: Sequence[ScriptFile]
    requirements: ScriptFile
    proxy_command: Sequence[str]
    asked: Asked
    curl: Sequence[str]  # what curl needs to send the same
    turns: Sequence[str]  # the disturbances, in their order
    path_changes: bool  # whether one of them may replace the path
    loses_nothing: bool  # whether none of them may lose a request
    timeout_s: int
    shimmed: bool  # whether the run needed what left Python to be put back


def render_script(cell: Cell, facts: Mapping[str, Json], config: Path) -> str:
    """The text of ``reproduce.sh`` for a run whose configuration files lie in the folder ``config``.

    Raises:
        UsageError: there is nothing to repeat (the run ended before its environment or its servers were configured),
            or no script can be made for this proxy.
    """
    python, freeze = text(facts, "python", "version", default=cell.python or ""), texts(facts, "gunicorn", "freeze")
    if not python or not freeze:
        raise _nothing("the environment was built")
    if cell.proxy not in PROXIES:
        raise UsageError(
            what=f"There is no reproduce.sh for the proxy {cell.proxy!r}.", remedy=f"Use one of: {', '.join(PROXIES)}."
        )
    series = re.match(r"\d+\.\d+", python)
    if series is None:
        raise _nothing("the version of its Python was known")
    from_source = _RELEASE.fullmatch(text(facts, "gunicorn", "spec", default=cell.spec)) is None
    proxy, asked, turns = PROXIES[cell.proxy], read_asked(cell, config), list_turns(cell)
    untold = find_untold(cell)
    if untold is not None:
        raise UsageError(what=f"There is no reproduce.sh for {untold}.", remedy="Repeat it with harness reproduce.")
    script = ScriptView(
        run_id=config.parent.name,
        cell=cell,
        release=text(facts, "gunicorn", "version", default=cell.gunicorn or cell.spec),
        series=series[0],
        python=python,
        app=cell.app or fixture_app(cell.worker),
        load_threads=max(1, min(cell.load_threads, cell.connections)),
        connections=max(1, cell.connections),
        duration_s=max(1, math.ceil(cell.duration_s)),
        control=_control(cell),
        from_source=from_source,
        files=[_file(name, content) for name, content in _files(cell, config).items()],
        requirements=_file("requirements.txt", "\n".join(_requirements(freeze, from_source))),
        shimmed=(config / ERA).is_dir(),
        turns=turns,
        path_changes=any(DISTURBANCES[name].PATH is not PathRule.KEPT for name in turns),
        loses_nothing=all(DISTURBANCES[name].MAY_LOSE is Loss.NOTHING for name in turns),
        timeout_s=cell.timeout or DEFAULT_TIMEOUT_S,
        asked=asked,
        curl=_curl_options(asked),
        proxy_command=[] if proxy is None else proxy.render_command(proxy.RECIPE.name, _proxy_config(cell, proxy)),
    )
    return render("reproduce.sh.j2", script=script)


def find_untold(cell: Cell) -> str | None:
    """What plain commands can't repeat of a cell; None where there is nothing."""
    if cell.bind == "abstract":
        return "--bind abstract"
    return next((name for name in list_turns(cell) if inherits_listener((name,))), None)


def read_asked(cell: Cell, config: Path) -> Asked:
    """The request of a recorded run."""
    body = config / BODY_FILE
    return make_asked(cell, body.read_bytes() if cell.body is not None and body.is_file() else b"")


def _curl_options(asked: Asked) -> list[str]:
    options = [] if asked.method == "GET" else ["-X", asked.method]
    options += [word for name, value in asked.headers for word in ("-H", f"{name}: {value}")]
    return [*options, "--data-binary", f"@{BODY_FILE}"] if asked.body else options


def _requirements(freeze: Sequence[str], from_source: bool) -> list[str]:
    """The pinned packages; anything else (an option, a path of another machine) is only mentioned."""
    return [
        one if _PINNED.fullmatch(one) else f"# not from an index, to be installed by hand: {one.partition('@')[0]}"
        for one in freeze
        if not (from_source and re.match(r"gunicorn\s*(==|@)", one))
    ]


def _control(cell: Cell) -> int:
    """How many requests may be sent before the load, after one for readiness, without recycling a worker."""
    return CONTROL_REQUESTS if cell.max_requests == 0 else max(0, min(CONTROL_REQUESTS, cell.max_requests - 3))


def _files(cell: Cell, config: Path) -> dict[str, str]:
    """Every file that the script writes, with @SOCKET@, @DIR@, @PORT@ and @BACKEND_PORT@ for what it chooses itself."""
    settings = _read(config / "config.py")
    relocate = _relocation(_bind(settings))
    files = {"config.py": relocate(_own_logs(settings))}
    if cell.app is None:
        app = fixture_app(cell.worker).partition(":")[0] + ".py"
        files[app] = _read(config / app)
    proxy = PROXIES[cell.proxy]
    if proxy is not None:
        name = _proxy_config(cell, proxy)
        files[name] = relocate(proxy.render_portable(_read(config / name)))
    for shim in sorted((config / ERA).glob("*.py")):
        if _PLAIN_NAME.fullmatch(shim.name):
            files[f"{ERA}/{shim.name}"] = _read(shim)
    if (config / HANGING).is_file():
        files[HANGING] = _read(config / HANGING)
    asked = read_asked(cell, config)
    if not asked.is_plain:
        files["request.lua"] = render_lua(asked)
        files["request.py"] = f"REQUEST = {_render_raw(asked)!r}\n"
        files["body.py"] = _BODY.format(body=asked.body)
    direct = cell.proxy == "none" and cell.bind == "unix"
    if direct or cell.load != "wrk":
        files["client.py"] = _own("client.py")
    if not direct:
        files["stop.lua"] = _own("stop.lua")
    return files


def _proxy_config(cell: Cell, proxy: Proxy) -> str:
    if cell.proxy_config is None:
        return proxy.CONFIG
    from harness.stack.own_proxies import ADAPTERS  # few runs have a configuration of the user's own

    return ADAPTERS[cell.proxy].CONFIG


_BODY = 'open("body", "wb").write({body!r})\n'


def _render_raw(asked: Asked) -> bytes:
    """What client.py sends."""
    head = [f"{asked.method} {asked.path} HTTP/1.0", *(f"{name}: {value}" for name, value in asked.headers)]
    head += [] if any(name.lower() == "host" for name, _ in asked.headers) else ["Host: localhost"]
    head += [f"Content-Length: {len(asked.body)}"] if asked.body else []
    return "\r\n".join([*head, "", ""]).encode() + asked.body


def _own(name: str) -> str:
    return (fixtures_dir() / "reproduce" / name).read_text(encoding="utf-8")


def _read(path: Path) -> str:
    try:
        return clean(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError as problem:
        raise _nothing(f"{path.name} was written") from problem


def _bind(settings: str) -> str:
    found = re.findall(r"^bind\s*=\s*(.+)$", settings, re.MULTILINE)  # the last one counts: a user's own come before
    try:
        bind = ast.literal_eval(found[-1]) if found else None
    except (ValueError, SyntaxError):
        bind = None
    if not isinstance(bind, str) or not re.fullmatch(r"unix:/.+|[\w.]+:\d+", bind):
        raise UsageError(
            what="config.py does not say where gunicorn was bound, as one plain `bind = 'unix:/path'`.",
            remedy="Render the script from the configuration that the harness wrote.",
        )
    return bind


def _relocation(bind: str) -> Callable[[str], str]:
    """What replaces the recorded run's address by that of the script."""
    if not bind.startswith("unix:"):
        port = bind.rpartition(":")[2]
        return lambda content: re.sub(rf"\b{re.escape(bind)}(?!\d)", "127.0.0.1:@BACKEND_PORT@", content).replace(
            f"localhost:{port}", "127.0.0.1:@BACKEND_PORT@"
        )
    path = bind.removeprefix("unix:")
    folder = str(PurePosixPath(path).parent)
    if folder in _SHARED_FOLDERS:
        return lambda content: content.replace(path, "@SOCKET@")
    return lambda content: content.replace(path, "@SOCKET@").replace(f"{folder}/", "@DIR@/")


def _own_logs(settings: str) -> str:
    """The script keeps the logs itself: gunicorn writes them to its standard output and error."""
    settings = re.sub(r"^(accesslog|errorlog)(\s*=\s*).*$", r"\1\2'-'", settings, flags=re.MULTILINE)
    settings = re.sub(r"'[^'\n]*/hanging\.py'", "'hanging.py'", settings)
    return re.sub(r'(_hanging\["wrap"\]\(worker, )[^)]*', r"\1'hanging.told'", settings)


def _file(name: str, content: str) -> ScriptFile:
    """With a line that ends a here-document and does not stand in it."""
    lines = set(content.splitlines())
    end = next(mark for mark in (f"END_{number}" for number in range(len(lines) + 1)) if mark not in lines)
    return ScriptFile(name=name, content=content, end=end)


def _nothing(missing: str) -> UsageError:
    return UsageError(
        what=f"There is nothing to repeat: the run ended before {missing}.",
        remedy="Look at its verdict: harness report RUN",
    )
