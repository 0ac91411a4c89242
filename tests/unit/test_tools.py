"""Finding the native tools, and what a user is told where one is missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.cli.fetching import main as tools_main
from harness.core.errors import SurroundingsError, UsageError
from harness.provision import apt, tools
from harness.stack.programs import RECIPES, recipe_of


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty PATH and an empty cache; its folder holds ``bin`` and ``cache``."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("RECYCLE_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
    monkeypatch.setattr(tools, "SYSTEM_FOLDERS", ())
    return tmp_path


def place_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return path


def test_a_missing_tool_is_none(bare: Path) -> None:
    assert tools.find_tool(recipe_of("wrk")) is None


def test_a_tool_on_path_needs_no_environment(bare: Path) -> None:
    program = place_program(bare / "bin" / "wrk")
    assert tools.find_tool(recipe_of("wrk")) == tools.Tool(name="wrk", path=program)


def test_the_sbin_folders_are_looked_at_too(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = place_program(bare / "sbin" / "h2o")
    monkeypatch.setattr(tools, "SYSTEM_FOLDERS", (str(bare / "sbin"),))
    assert tools.find_tool(recipe_of("h2o")) == tools.Tool(name="h2o", path=program)


def test_an_unpacked_tool_is_told_where_its_libraries_and_data_are(bare: Path) -> None:
    tree = bare / "cache" / "tools" / "h2o-2.2.5"
    program = place_program(tree / "usr" / "bin" / "h2o")
    libraries = tree / "usr" / "lib" / "x86_64-linux-gnu"
    libraries.mkdir(parents=True)
    found = tools.find_tool(recipe_of("h2o"))
    assert found is not None
    assert found.path == program
    assert found.env["LD_LIBRARY_PATH"].split(os.pathsep)[0] == str(libraries)
    assert found.env["H2O_ROOT"] == str(tree / "usr")


def test_an_inherited_library_path_comes_after_the_tool_s_own(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = bare / "cache" / "tools" / "wrk-4.1.0"
    place_program(tree / "usr" / "bin" / "wrk")
    (tree / "usr" / "lib").mkdir()
    monkeypatch.setenv("LD_LIBRARY_PATH", "/elsewhere")
    found = tools.find_tool(recipe_of("wrk"))
    assert found is not None
    assert found.env == {"LD_LIBRARY_PATH": f"{tree / 'usr' / 'lib'}{os.pathsep}/elsewhere"}


def test_a_half_unpacked_tree_is_not_found(bare: Path) -> None:
    place_program(bare / "cache" / "tools" / "h2o.tmp" / "usr" / "bin" / "h2o")
    place_program(bare / "cache" / "tools" / "h2o-2.2.5.tmp" / "usr" / "bin" / "h2o")
    assert tools.find_tool(recipe_of("h2o")) is None


@pytest.mark.parametrize("name", RECIPES)
def test_the_error_names_who_needs_it_and_the_package_of_each_system(name: str, bare: Path) -> None:
    with pytest.raises(SurroundingsError) as caught:
        tools.require_tool(recipe_of(name), "this very test")
    text = str(caught.value)
    assert "this very test" in text
    assert f"harness doctor --install {name}" in text
    for system in ("Debian, Ubuntu", "Fedora", "Alpine", "macOS"):
        assert f"{system}: {RECIPES[name].packages[system]}" in text


def test_an_unknown_tool_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="curl"):
        tools.find_tool(recipe_of("curl"))


def test_without_apt_an_install_says_which_package_is_missing(bare: Path) -> None:
    with pytest.raises(SurroundingsError, match="brew install wrk"):
        tools.install_tool(recipe_of("wrk"))


def test_an_install_of_what_is_there_does_nothing(bare: Path) -> None:
    program = place_program(bare / "bin" / "h2o")
    assert tools.install_tool(recipe_of("h2o")).path == program
    assert not (bare / "cache").exists()


def test_a_service_that_comes_with_a_package_is_switched_off(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []

    def install(packages: Sequence[str], *, rights: Sequence[str]) -> None:
        called.append(("install", *packages, *rights))
        place_program(bare / "bin" / packages[0])

    monkeypatch.setattr(apt, "available", lambda: True)
    monkeypatch.setattr(apt, "privileges", lambda: ["sudo", "-n"])
    monkeypatch.setattr(apt, "install", install)
    monkeypatch.setattr(apt, "disable_service", lambda service, rights: called.append(("disable", service, *rights)))
    for name in ("nginx", "wrk"):
        tools.install_tool(recipe_of(name))
    assert called == [
        ("install", "nginx", "sudo", "-n"),
        ("disable", "nginx", "sudo", "-n"),
        ("install", "wrk", "sudo", "-n"),
    ]


@pytest.mark.parametrize(
    ("name", "said", "version"),
    [
        ("nginx", "nginx version: nginx/1.22.1\n", "1.22.1"),
        ("haproxy", "HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\n", "2.6.12-1+deb12u4"),
        ("caddy", "2.6.2\n", "2.6.2"),
        ("caddy", "v2.8.4 h1:q3pe0wpBj1OcHFZ3n/1nl4V4bxBrYoSoab7rL9BMYNk=\n", "2.8.4"),
        ("haproxy", "HA-Proxy version 2.0.13-2ubuntu0.5 2022/03/02\n", "2.0.13-2ubuntu0.5"),
    ],
)
def test_the_version_is_read_from_what_the_tool_says(name: str, said: str, version: str) -> None:
    assert tools.parse_version(recipe_of(name), said) == version


def test_the_command_line_says_what_is_missing(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tools_main(["--install", "h2o"]) == 4
    assert "apk add h2o" in capsys.readouterr().err
