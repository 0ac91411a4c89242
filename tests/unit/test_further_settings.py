"""Settings that change the picture: what is written for them, and a release that does not know one."""

from __future__ import annotations

import types
from typing import Any

import pytest

from harness.core.model import Cell
from harness.engine.options import make_request
from harness.stack.further_settings import render_further, unknown_setting


def _run(monkeypatch: pytest.MonkeyPatch, text: str, *known: str) -> dict[str, Any]:
    """What the lines set in a release that knows these settings."""
    config = types.ModuleType("gunicorn.config")
    config.KNOWN_SETTINGS = [types.SimpleNamespace(name=name) for name in known]  # type: ignore[attr-defined]
    package = types.ModuleType("gunicorn")
    package.config = config  # type: ignore[attr-defined]
    monkeypatch.setitem(__import__("sys").modules, "gunicorn", package)
    monkeypatch.setitem(__import__("sys").modules, "gunicorn.config", config)
    found: dict[str, Any] = {}
    exec(text, found)  # noqa: S102 - as gunicorn does it
    return found


def test_a_cell_that_names_none_adds_nothing() -> None:
    assert render_further(Cell(spec="1.0")) == ""


@pytest.mark.parametrize(
    ("field", "value", "setting", "set_to"),
    [
        ("reuse_port", True, "reuse_port", True),
        ("preload_app", True, "preload_app", True),
        ("umask", "022", "umask", 0o22),
        ("umask", "0o77", "umask", 0o77),
        ("user", "nobody", "user", "nobody"),
        ("control_socket", False, "control_socket_disable", True),
        ("graceful_timeout", 3, "graceful_timeout", 3),
        ("timeout", 4, "timeout", 4),
    ],
)
def test_each_field_becomes_its_setting(
    monkeypatch: pytest.MonkeyPatch, field: str, value: object, setting: str, set_to: object
) -> None:
    text = render_further(Cell(spec="1.0", **{field: value}))  # type: ignore[arg-type]
    assert _run(monkeypatch, text, setting)[setting] == set_to


def test_the_pid_file_lies_in_gunicorns_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of/it")
    found = _run(monkeypatch, render_further(Cell(spec="1.0", pidfile=True)), "pidfile")
    assert found["pidfile"] == "/home/of/it/gunicorn.pid"


def test_a_release_that_does_not_know_a_setting_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    text = render_further(Cell(spec="1.0", reuse_port=True, preload_app=True))
    with pytest.raises(RuntimeError) as raised:
        _run(monkeypatch, text, "preload_app")
    assert unknown_setting(f"Traceback ...\nRuntimeError: {raised.value}\n") == "reuse_port"
    assert unknown_setting("RuntimeError: something else\n") is None


@pytest.mark.parametrize("wrong", ["--umask=8", "--umask=-1", "--user=", "--user=a b"])
def test_what_can_not_be_meant_is_refused(wrong: str) -> None:
    from harness.cli.main import make_parser

    with pytest.raises(SystemExit):
        make_parser().parse_args(["reproduce", wrong, "19.6.0"])


def test_settings_of_the_users_own_say_these_themselves() -> None:
    from harness.cli.main import make_parser
    from harness.core.errors import UsageError

    options = make_parser().parse_args(["reproduce", "--settings=x.py", "--preload-app", "19.6.0"])
    with pytest.raises(UsageError, match="--preload-app and --settings"):
        make_request(options)
