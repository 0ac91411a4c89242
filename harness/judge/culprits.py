"""Whose code made a call: gunicorn's, or the user's app that runs inside it."""

from __future__ import annotations

from collections.abc import Iterable

WORKERS_LIBRARIES = frozenset({"gevent", "eventlet", "greenlet", "tornado", "uvloop"})
"""What the worker classes rest on: their frames are in every call, the app's and gunicorn's."""

OUR_FILES = frozenset({"noting.py", "noted.py", "noted_asgi.py", "asked.py", "sitecustomize.py"})


def is_apps(files: Iterable[str]) -> bool:
    """Whether a call is the app's: of its frames (innermost last), the last that is no library is not gunicorn's."""
    own = [file for file in files if not _is_neutral(file)]
    return bool(own) and own[-1].partition("/")[0] != "gunicorn"


def _is_neutral(file: str) -> bool:
    """The interpreter's own files, ours, and the libraries of the worker classes."""
    top = file.partition("/")[0]
    return file.startswith(("<", "lib/python")) or top in WORKERS_LIBRARIES or file in OUR_FILES
