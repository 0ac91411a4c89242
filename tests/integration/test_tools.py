"""Tools that are really started: stub scripts that answer as h2o and wrk do."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.fetching import main as tools_main
from harness.core.errors import SurroundingsError
from harness.provision import apt, tools
from harness.stack.programs import recipe_of

WRK = "#!/bin/sh\necho 'wrk debian/4.1.0-3+b2 [epoll] Copyright'\nexit 1\n"
UNLOADABLE = "#!/bin/sh\necho 'error while loading shared libraries: libh2o.so' >&2\nexit 127\n"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any tool or root, whose cache is empty."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tools, "SYSTEM_FOLDERS", ())
    monkeypatch.setattr(apt, "available", lambda: True)
    monkeypatch.setattr(apt, "privileges", lambda: None)
    return tmp_path / "cache" / "tools"


def place_script(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True)
    path.write_text(script)
    path.chmod(0o755)


def place_switch(folder: Path, name: str) -> None:
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f'#!/bin/sh\necho "{name} $*"\nexit 1\n')
    (folder / "bin" / name).chmod(0o755)


@pytest.mark.usefixtures("cache")
def test_a_service_that_cannot_be_switched_off_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "SBIN", ())
    monkeypatch.setattr(apt, "INIT_SCRIPTS", tmp_path)
    apt.disable_service("nginx", rights=[])  # nothing here starts services
    place_switch(tmp_path, "update-rc.d")
    apt.disable_service("nginx", rights=[])  # nothing starts this one
    (tmp_path / "nginx").touch()
    with pytest.raises(SurroundingsError, match=r"service nginx .*\n.*update-rc\.d nginx disable"):
        apt.disable_service("nginx", rights=[])
    place_switch(tmp_path, "systemctl")
    with pytest.raises(SurroundingsError, match=r"service nginx .*\n.*systemctl disable nginx"):
        apt.disable_service("nginx", rights=[])


def test_without_rights_a_tool_is_unpacked_and_moved_into_place(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(package: str, into: Path) -> str:
        place_script(into / "usr" / "bin" / package, WRK)
        return "4.1.0-3+b2"

    monkeypatch.setattr(apt, "unpack", unpack)
    place_script(cache / "wrk.tmp" / "usr" / "bin" / "left-by-a-killed-call", WRK)
    tool = tools.install_tool(recipe_of("wrk"))
    assert tool.path == cache / "wrk-4.1.0-3+b2" / "usr" / "bin" / "wrk"
    assert tools.tool_version(recipe_of("wrk"), tool) == "4.1.0"
    assert [path.name for path in tool.path.parent.iterdir()] == ["wrk"]


def test_a_tool_that_does_not_start_is_not_moved_into_place(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(package: str, into: Path) -> str:
        place_script(into / "usr" / "bin" / package, UNLOADABLE)
        return "2.2.5"

    monkeypatch.setattr(apt, "unpack", unpack)
    with pytest.raises(SurroundingsError, match=r"libh2o\.so"):
        tools.install_tool(recipe_of("h2o"))
    assert tools.find_tool(recipe_of("h2o")) is None


def test_the_command_line_lists_what_is_there(tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place_script(tmp_path / "bin" / "wrk", WRK)
    assert tools_main(["wrk"]) == 0
    assert capsys.readouterr().out == f"wrk 4.1.0 {tmp_path / 'bin' / 'wrk'}\n"
