"""``reproduce.sh``: the run again with plain commands, for people who don't have the harness.

The shell text lies in ``fixtures/reproduce.sh.in``; here the run's own files are freed of the paths and ports of the
recorded run and put into it. All that comes from the record is data in it: quoted, or inside a quoted here-document.
"""

from __future__ import annotations

import ast
import math
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from harness.core.errors import UsageError
from harness.core.model import Cell, Json
from harness.core.paths import fixtures_dir
from harness.report.fields import clean, line, text, texts
from harness.stack.gunicorn import fixture_app
from harness.stack.proxies import PROXIES

TEMPLATE = "reproduce.sh.in"
CONTROL_REQUESTS = 20

_SHARED_FOLDERS = {"/", "/tmp", "/run", "/var/run", "/var/tmp"}  # noqa: S108 - not used, only never rewritten
_PINNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9.!+_-]+")
_RELEASE = re.compile(r"latest|\d+(\.\w+)*")

_STOP_LUA = """\
-- wrk has no option for a number of requests: stop after that many answers.
local wanted = tonumber(os.getenv("ANSWERS"))
local answers = 0
function response()
  answers = answers + 1
  if answers >= wanted then wrk.thread:stop() end
end
"""

_CLIENT = """\
# What wrk does, for a Unix socket or without wrk: client.py SOCKET|HOST:PORT THREADS SECONDS [REQUESTS OF EACH THREAD]
import socket
import sys
import threading
import time

target, threads, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
host, _, port = target.rpartition(":")
family, address = (socket.AF_UNIX, target) if "/" in target else (socket.AF_INET, (host, int(port)))
limit = int(sys.argv[4]) if len(sys.argv) > 4 else None
end = time.monotonic() + seconds
outcomes = []


def ask():
    with socket.socket(family) as s:
        s.settimeout(5)
        s.connect(address)
        s.sendall(b"GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
        return s.recv(65536).split(b" ")[1:2] == [b"200"]


def loop():
    asked = 0
    while time.monotonic() < end and (limit is None or asked < limit):
        asked += 1
        try:
            outcomes.append(ask())
        except OSError:
            outcomes.append(False)
            time.sleep(0.01)  # where nothing listens any more, asking faster tells nothing more


loops = [threading.Thread(target=loop) for _ in range(min(threads, 50))]
for thread in loops:
    thread.start()
for thread in loops:
    thread.join()
print("%d requests, %d answered, %d failed" % (len(outcomes), outcomes.count(True), outcomes.count(False)))
"""


def render_script(cell: Cell, facts: Mapping[str, Json], config: Path) -> str:
    """The text of ``reproduce.sh`` for a run whose configuration files lie in the folder ``config``.

    Raises:
        UsageError: there is nothing to repeat (the run ended before its environment or its servers were configured),
            or no script can be made for this proxy.
    """
    python = text(facts, "python", "version", default=cell.python or "")
    freeze = texts(facts, "gunicorn", "freeze")
    if not python or not freeze:
        raise _nothing("the environment was built")
    if cell.proxy not in PROXIES:
        raise UsageError(
            what=f"There is no reproduce.sh for the proxy {cell.proxy!r}.", remedy=f"Use one of: {', '.join(PROXIES)}."
        )
    from_source = _RELEASE.fullmatch(text(facts, "gunicorn", "spec", default=cell.spec)) is None
    requirements = "\n".join(_requirement(one) for one in freeze if not (from_source and _is_gunicorn(one)))
    values = _values(cell, python, from_source) | {
        "RUN": line(config.parent.name),
        "SUBJECT": line(f"gunicorn {_release(cell, facts)}, {cell.worker}, {cell.proxy} over {cell.bind}"),
        "RELEASE": re.sub(r"[^\w.+-]", "-", _release(cell, facts)),
        "FILES": "\n".join(_here_document(name, content) for name, content in _files(cell, config).items()),
        "REQUIREMENTS": requirements,
        "REQUIREMENTS_END": _end_mark(requirements),
        "START_PROXY": _start_proxy(cell.proxy),
    }
    template = (fixtures_dir() / TEMPLATE).read_text(encoding="utf-8")
    return re.sub(r"%%([A-Z_]+)%%", lambda found: values[found[1]], template)


def _start_proxy(name: str) -> str:
    """The lines that start a proxy, set PROXY_PID and keep its logs; "" where there is none."""
    proxy = PROXIES[name]
    if proxy is None:
        return ""
    command = shlex.join(proxy.render_command(proxy.TOOL, proxy.CONFIG))
    return f"""\
say "Starting {name} on $URL ..."
HOME=$DIR {command} >proxy.access.log 2>proxy.error.log &
PROXY_PID=$!"""


def _values(cell: Cell, python: str, from_source: bool) -> dict[str, str]:
    wrk = "" if cell.load != "wrk" or (cell.proxy == "none" and cell.bind == "unix") else ", wrk"
    series = re.match(r"\d+\.\d+", python)
    if series is None:
        raise _nothing("the version of its Python was known")
    return {
        "NEEDS": wrk if cell.proxy == "none" else f", {cell.proxy}{wrk}",
        "SERIES": series[0],
        "FULL": shlex.quote(line(python)),
        "PROXY": shlex.quote(cell.proxy),
        "BIND": shlex.quote(cell.bind),
        "LOAD": shlex.quote(cell.load),
        "APP": shlex.quote(clean(cell.app or fixture_app(cell.worker))),
        "WORKERS": str(cell.workers),
        "LOAD_THREADS": str(max(1, min(cell.load_threads, cell.connections))),
        "CONNECTIONS": str(max(1, cell.connections)),
        "DURATION_S": str(max(1, math.ceil(cell.duration_s))),
        "CONTROL": str(_control(cell)),
        "FROM_SOURCE": "yes" if from_source else "no",
        "PYTHONPATH": '"$START"' if cell.app else "''",
    }


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
        files[proxy.CONFIG] = relocate(proxy.render_portable(_read(config / proxy.CONFIG)))
    direct = cell.proxy == "none" and cell.bind == "unix"
    if direct or cell.load != "wrk":
        files["client.py"] = _CLIENT
    if not direct:
        files["stop.lua"] = _STOP_LUA
    return files


def _read(path: Path) -> str:
    try:
        return clean(path.read_text(encoding="utf-8", errors="replace"))
    except FileNotFoundError as problem:
        raise _nothing(f"{path.name} was written") from problem


def _bind(settings: str) -> str:
    found = re.search(r"^bind\s*=\s*(.+)$", settings, re.MULTILINE)
    try:
        bind = ast.literal_eval(found[1]) if found else None
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
    return re.sub(r"^(accesslog|errorlog)(\s*=\s*).*$", r"\1\2'-'", settings, flags=re.MULTILINE)


def _here_document(name: str, content: str) -> str:
    end = _end_mark(content)
    fill = "s|@SOCKET@|$SOCKET|g; s|@DIR@|$DIR|g; s|@PORT@|$PORT|g; s|@BACKEND_PORT@|$BACKEND_PORT|g"
    return f"    sed \"{fill}\" >{name} <<'{end}'\n{content.rstrip(chr(10))}\n{end}"


def _end_mark(content: str) -> str:
    """A line that ends a here-document and does not stand in it."""
    lines = set(content.splitlines())
    return next(mark for mark in (f"END_{number}" for number in range(len(lines) + 1)) if mark not in lines)


def _requirement(one: str) -> str:
    """A pinned package; anything else (an option, a path of another machine) is only mentioned."""
    return one if _PINNED.fullmatch(one) else f"# not from an index, to be installed by hand: {one.partition('@')[0]}"


def _is_gunicorn(one: str) -> bool:
    return re.match(r"gunicorn\s*(==|@)", one) is not None


def _release(cell: Cell, facts: Mapping[str, Json]) -> str:
    return text(facts, "gunicorn", "version", default=cell.gunicorn or cell.spec)


def _nothing(missing: str) -> UsageError:
    return UsageError(
        what=f"There is nothing to repeat: the run ended before {missing}.",
        remedy="Look at its verdict: harness report RUN",
    )
