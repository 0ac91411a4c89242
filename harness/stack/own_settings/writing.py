"""The settings file that gunicorn gets: the user's text, what was set beside it, and what the run replaces."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from harness.core.model import Json
from harness.stack.gunicorn import ACCESS_FORMAT, OWN_LOG
from harness.stack.own_settings.reading import ARGUMENTS, VARIABLE, Reading
from harness.stack.shims import SHIMS
from harness.stack.workers import find_worker


def render_source(source: str, reading: Reading) -> str:
    """The settings file's text, or what loads the module; then what was set beside it."""
    file = reading.file or ""
    if file.startswith("python:"):
        module = file.removeprefix("python:")
        source = (
            "from importlib import import_module as _import_module\n\n"
            f"_theirs = vars(_import_module({module!r}))\n"
            "globals().update({name: value for name, value in _theirs.items() if not name.startswith('__')})\n"
        )
    elif source:
        source = _with_file_name(source, file.removeprefix("file:"))
    lines = [
        f"{setting.name} = {setting.value!r}  # from {setting.origin}\n"
        for setting in reading.settings.values()
        if setting.origin in (VARIABLE, ARGUMENTS) and not setting.is_code and setting.name != "config"
    ]
    beside = "\n\n# what was set beside the file\n" + "".join(lines) if lines else ""
    return source + beside


def _with_file_name(source: str, path: str) -> str:
    """The text with ``__file__`` as gunicorn would have it, where it is used; after what has to come first."""
    if "__file__" not in source or not path:
        return source
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return source
    first = [node for node in body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    if not first and body and ast.get_docstring(ast.Module(body=body, type_ignores=[])) is not None:
        first = body[:1]  # type: ignore[assignment]
    lines = source.splitlines(keepends=True)
    at = (first[-1].end_lineno or 0) if first else 0
    return "".join([*lines[:at], f"__file__ = {path!r}\n", *lines[at:]])


def render_owned(
    text: str, overrides: Mapping[str, Json], *, worker: str, bind: str, access_log: str, shims: Sequence[str]
) -> str:
    """The whole settings file of the run: ``text``, which is the user's, then what the run replaces."""
    owned: dict[str, Json] = {
        **overrides,
        "bind": bind,
        "accesslog": access_log,
        "access_log_format": ACCESS_FORMAT,
        "errorlog": "-",
        "daemon": False,
        "pidfile": None,
    }
    lines = "".join(f"{name} = {value!r}\n" for name, value in owned.items())
    before = "".join(SHIMS[name] for name in shims) + find_worker(worker).settings_lines
    own = "\n\n# What the run has to own, and what the command line says; why, stands in facts.json\n"
    return f"{text}{own}{before}{lines}\n{OWN_LOG}"
