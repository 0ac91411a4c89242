"""gunicorn seen from outside: the command line and settings for a cell, and what its log lines mean.

The functions are pure: they take and return text. No version number may come in here: differences between releases are
shims, named by the catalogue and rendered as text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from string import Template

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.core.patterns import pattern
from harness.stack.further_settings import render_further
from harness.stack.shims import RUN_BY_NAME, SHIMS
from harness.stack.workers import find_worker

REPORT_ACCESS_FORMAT = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
ACCESS_FORMAT = REPORT_ACCESS_FORMAT + " %({x-request-id}i)s %(p)s"

BACKLOG = 2048
"""How many connections may wait for a worker, if the kernel lets so many: the settings of the original report."""

DEVIATIONS = (
    "access log: written to a file of its own instead of standard output, so that it can be read as a stream",
    "access log format: the request's id and the worker's pid are appended, so that requests can be traced and counted",
    "HOME: a folder of this run alone, because recent releases keep a control socket there",
)


def started_worker_class(cell: Cell) -> tuple[str, int]:
    """(worker_class, threads) as written into the settings.

    As in the original report, thread workers are asked for as ``sync`` with several threads; with one thread
    gunicorn would then really choose its sync worker, so that case names ``gthread``.
    """
    worker = find_worker(cell.worker)
    name = worker.named_with_threads if cell.threads > 1 else None
    return name or cell.worker, cell.threads if worker.has_threads else 1


def most_in_hand(cell: Cell) -> int:
    """The most requests of the load that one worker may handle at a time."""
    return cell.threads if find_worker(cell.worker).bounded else cell.connections


def fixture_app(worker: str) -> str:
    """The app under test for a worker class, as ``module:app``: WSGI, or its ASGI twin."""
    return "asgi:app" if find_worker(worker).asgi else "web:app"


def noting_app(worker: str) -> str:
    """The same app, wrapped so that it notes the id of each request that it runs and sends it back."""
    return "noted_asgi:app" if find_worker(worker).asgi else "noted:app"


def render_config(template: str, cell: Cell, *, bind: str, access_log: str, shims: Sequence[str]) -> str:
    """The settings file for a cell.

    Raises:
        UsageError: the catalogue names an unknown shim.
    """
    worker_class, threads = started_worker_class(cell)
    unknown = [name for name in shims if name not in SHIMS]
    if unknown:
        raise UsageError(
            what=f"The release catalogue asks for the unknown shim {unknown[0]!r}.",
            remedy=f"Use one of: {', '.join(SHIMS)}.",
        )
    values = {
        "bind": bind,
        "backlog": BACKLOG,
        "workers": cell.workers,
        "threads": threads,
        "worker_class": worker_class,
        "max_requests": cell.max_requests,
        "max_requests_jitter": cell.max_requests_jitter,
        "accesslog": access_log,
        "access_log_format": ACCESS_FORMAT,
    }
    rendered = {name: repr(value) for name, value in values.items()}
    lines = [SHIMS[name] for name in shims] + [find_worker(cell.worker).settings_lines]
    return Template(template).substitute(rendered, shims="".join(lines)) + render_further(cell)


HOOKS_MARK = "\n\ndef pre_fork("
"""The line between the fixture's values and its hooks."""


OWN_LOG = """\
# gunicorn's own log is what tells of its workers
logger_class = "gunicorn.glogging.Logger"
logconfig = None
logconfig_dict = {}
logconfig_json = None
"""
"""Undoes a user's settings of gunicorn's own log, which tells of its workers; a release ignores unknown ones."""


def put_before_values(settings: str, template: str) -> str:
    """A template with the user's own settings: theirs (hooks too) first, then the values that the cell fixes."""
    values, _, _ = template.partition(HOOKS_MARK)
    return settings.replace("$", "$$") + "\n\n" + values + "\n" + OWN_LOG


NOTING = """

# The user's own app is wrapped once a worker has loaded it, so that what it does can be told from what gunicorn does.
_noting, _their_hooks = None, [globals().get(name) for name in ("post_worker_init", "worker_exit")]
if "RECYCLE_HARNESS_NOTES" in __import__("os").environ:
    _noting = {{"__name__": "noting", "__file__": {path}}}
    exec(compile(open({path}).read(), {path}, "exec"), _noting)


def _call_hook(hook, *args):
    import importlib

    if isinstance(hook, str):
        module, _, name = hook.rpartition(".")
        hook = getattr(importlib.import_module(module), name)
    if hook is not None:
        hook(*args)


def post_worker_init(worker):
    _call_hook(_their_hooks[0], worker)
    if _noting:
        _noting["wrap"](worker)


def worker_exit(server, worker):
    _call_hook(_their_hooks[1], server, worker)
    if _noting:
        _noting["tell_threads"](worker)
"""
"""What the settings end with where the app is the user's own: their hooks first, then ours."""


def render_noting(path: str) -> str:
    """The lines of the settings that load the wrapper of the user's app from ``path``."""
    return NOTING.format(path=repr(path))


HANGING = """

# A disturbance wants a request that takes long: the app is wrapped once a worker has loaded it.
_hanging, _hook_before = {{"__name__": "hanging", "__file__": {path}}}, globals().get("post_worker_init")
exec(compile(open({path}).read(), {path}, "exec"), _hanging)


def post_worker_init(worker):
    hook = _hook_before
    if isinstance(hook, str):
        import importlib

        module, _, name = hook.rpartition(".")
        hook = getattr(importlib.import_module(module), name)
    if hook is not None:
        hook(worker)
    _hanging["wrap"](worker, {told})
"""
"""The same for ``fixtures/hanging.py``."""


def render_hanging(path: str, told: str) -> str:
    """The lines of the settings that let the app take long where a request asks for it; ``told``: see the fixture."""
    return HANGING.format(path=repr(path), told=repr(told))


def render_command(python: str, app: str, config: str, shims: Sequence[str] = ()) -> list[str]:
    """The argv that starts the arbiter: the module form, which works wherever the environment lies."""
    by_name = ["-c", "from gunicorn.app.wsgiapp import run; run()"]
    form = by_name if RUN_BY_NAME in shims else ["-m", "gunicorn.app.wsgiapp"]
    return [python, *form, app, "-c", config]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the error log: ``state`` where it says something about a process, ``pid`` of the one meant."""

    text: str
    pid: int | None
    level: str | None
    state: str | None


_HEAD = pattern(
    r"(?:^\[[^]]*\]|\[[-0-9]{10} [:0-9]{8}[^]]*\]|[-0-9]{10} [:0-9]{8})"
    r" \[(?P<pid>\d+)\] \[(?P<level>[A-Z]+)\] (?P<text>.*)$"
)
"""It may stand anywhere in the line: an app may have written text without a line break to standard error before."""

_NAMED_PID = pattern(r"\bpid:? ?(\d+)")
_STATES = (
    ("starting", pattern(r"^Starting gunicorn ")),
    ("booted", pattern(r"^Booting worker with pid")),
    ("ready", pattern(r"^Worker is ready \(pid: \d+\)")),
    ("restarting", pattern(r"^(?:Autorestarting worker|Maximum request limit of \d+ exceeded)")),  # or uvicorn's
    ("exiting", pattern(r"^Worker exiting")),
    ("crashed", pattern(r"^Exception in worker process")),
    ("timed-out", pattern(r"^WORKER TIMEOUT")),
    (
        "terminated",
        pattern(r"^Worker (?:\(pid:\d+\) was sent SIGTERM!|with pid \d+ was terminated due to signal 15$)"),
    ),
    ("signalled", pattern(r"^Worker (?:\(pid:\d+\) was sent|with pid \d+ was terminated due to signal) ")),
    ("failed", pattern(r"^Worker \(pid:\d+\) exited with code (?!0\b)")),
    ("asked-to-stop", pattern(r"^Handling signal: (?:term|int|quit)\b")),
    ("asked", pattern(r"^Handling signal: (?:hup|usr2|ttin|ttou)\b")),
    ("stopping", pattern(r"^Shutting down: Master")),
)
"""``starting`` is what an arbiter says first; ``terminated`` is how it itself ends a worker, hence no crash; ``asked``
is a signal to the arbiter that changes its workers; ``ready`` is said by a hook of ours
(``fixtures/scenarios/telling.py``), and by no release."""

_ALARMS = {"crashed", "timed-out", "signalled", "failed"}
_NO_ALARM = {"INFO", "DEBUG"}
"""All releases tell of a worker's bad end at a higher level; the same words at these say something else."""

_NAMES_ANOTHER = {"booted", "ready", "exiting", "timed-out", "terminated", "signalled", "failed"}
"""The states whose line names the pid of another process; the others are about the process that wrote the line."""


def parse_log_line(text: str) -> LogLine:
    """One line of the error log, whatever it is; lines of a traceback have neither pid nor level.

    ``text`` is gunicorn's own part of it, where there is one.
    """
    head = _HEAD.search(text)
    if head is None:
        return LogLine(text=text, pid=None, level=None, state=None)
    message = head["text"]
    state = next((name for name, pattern in _STATES if pattern.match(message)), None)
    if state in _ALARMS and head["level"] in _NO_ALARM:
        state = None
    named = _NAMED_PID.search(message) if state in _NAMES_ANOTHER else None
    pid = int(named[1] if named else head["pid"])
    return LogLine(text=text[head.start() :], pid=pid, level=head["level"], state=state)


_LIMIT = pattern(r"restarts after (\d+) requests$")


def parse_limit(text: str) -> int | None:
    """The requests after which a worker restarts, jitter included, from its ``ready`` line; None for other lines."""
    found = _LIMIT.search(text)
    return int(found[1]) if found else None


_ACCESS = pattern(rb'" (\d{3}) [^\n]*<(\d+)>$', re.MULTILINE)


def parse_access(chunk: bytes) -> Counter[tuple[int, str]]:
    """Whole lines of the access log -> how many answers by (worker pid, status)."""
    return Counter((int(pid), status.decode()) for status, pid in _ACCESS.findall(chunk))


_NUMBERED = pattern(rb'" (\d{3}) [^\n]* ([wpd])(\d+) <\d+>$', re.MULTILINE)


def parse_ledger(chunk: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """Whole lines of the access log -> (status, client's letter, number) of each request that carries an id."""
    return _NUMBERED.findall(chunk)


_IMPORTING = pattern(r"^  File \"[^\"]*\", line \d+, in import_app\b", re.MULTILINE)
_NO_APP = pattern(
    r"Failed to (?:find attribute|find application object|parse) .*|Application object must be callable.*"
)


def app_error(log_tail: str) -> str | None:
    """Why the app could not be loaded, from the log of a gunicorn that ended; None if it ended for another reason."""
    refused = _NO_APP.search(log_tail)
    if refused is not None:
        return refused[0]
    return last_error(log_tail) if _IMPORTING.search(log_tail) else None


def last_error(log_tail: str) -> str:
    """Why a process ended, from its log: the last exception, else the last error, else the last line."""
    lines = [line.rstrip() for line in log_tail.splitlines() if line.strip()]
    exceptions = [line for line in lines if re.match(r"^[A-Za-z_][\w.]*(?:Error|Exception|Interrupt|Exit)\b", line)]
    errors = [line for line in lines if "[ERROR]" in line or "[CRITICAL]" in line or line.startswith("Error: ")]
    return (exceptions or errors or lines or ["it said nothing"])[-1]
