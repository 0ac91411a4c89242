"""What gunicorn reads of a user's settings, made up for tests."""

from __future__ import annotations

from typing import Any

from harness.stack.own_settings.reading import Reading, parse_reading

DEFAULTS: dict[str, Any] = {
    "wsgi_app": None,
    "bind": ["127.0.0.1:8000"],
    "backlog": 2048,
    "workers": 1,
    "worker_class": "sync",
    "threads": 1,
    "worker_connections": 1000,
    "max_requests": 0,
    "max_requests_jitter": 0,
    "timeout": 30,
    "graceful_timeout": 30,
    "keepalive": 2,
    "reuse_port": False,
    "chdir": "/home/me",
    "daemon": False,
    "pidfile": None,
    "user": 0,
    "group": 0,
    "umask": 0,
    "certfile": None,
    "accesslog": None,
    "errorlog": "-",
    "loglevel": "info",
    "statsd_host": None,
    "post_fork": "<function>",
}


def make_reading(
    *,
    file: str | None = "/home/me/gunicorn.conf.py",
    app: str | None = None,
    arguments: dict[str, Any] | None = None,
    variable: dict[str, Any] | None = None,
    refused: dict[str, Any] | None = None,
    unknown: tuple[str, ...] = (),
    without: tuple[str, ...] = (),
    **in_file: Any,
) -> Reading:
    """What was read of a file with these settings, and of what was set beside it."""
    beside, said = {**(arguments or {}), **(variable or {})}, {}
    for name, default in DEFAULTS.items():
        if name in without:
            continue
        value = beside.get(name, in_file.get(name, default))
        said[name] = {"value": value, "default": default, "code": name == "post_fork"}
    return parse_reading(
        {
            "origin": {**dict.fromkeys(in_file, "file"), **dict.fromkeys(beside, "arguments")},
            "from_variable": list(variable or {}),
            "refused": refused or {},
            "names": [*in_file, *unknown],
            "file": file,
            "app": app,
            "settings": said,
        }
    )
