"""A checkout is built in a container: its code runs neither on this machine nor with a network."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.backends.docker import images
from harness.core.errors import UnrunnableError
from harness.core.model import Cell
from maintenance.bills import list_packages

if TYPE_CHECKING:
    from docker import DockerClient

SETUP = """\
import pathlib, socket
from setuptools import setup
try:
    pathlib.Path({ran!r}).write_text("built here")
except OSError:
    pass
interfaces = [name for _, name in socket.if_nameindex() if name != "lo"]
setup(name="gunicorn", version="19.99", packages=["gunicorn", "gunicorn.app"], description=repr(interfaces))
"""


def checkout(folder: Path, setup: str) -> Path:
    (folder / "gunicorn" / "app").mkdir(parents=True)
    (folder / "gunicorn" / "__init__.py").write_text('__version__ = "19.99"\n')
    (folder / "gunicorn" / "app" / "__init__.py").touch()
    (folder / "gunicorn" / "app" / "wsgiapp.py").touch()
    (folder / "setup.py").write_text(setup)
    return folder


def test_a_checkout_is_built_in_a_container(client: DockerClient, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    tree = checkout(tmp_path / "tree", SETUP.format(ran=str(ran)))
    environment, made = images.prepare(Cell(spec=str(tree), proxy="none"), python="3.6", say=lambda _line: None)
    environment.close()
    assert environment.gunicorn_version == "19.99"
    assert not ran.exists()
    command = ["cat", "/opt/gunicorn/lib/python3.6/site-packages/gunicorn-19.99.dist-info/METADATA"]
    told = client.containers.run(made.gunicorn.identity, command, remove=True, network_mode="none").decode()
    assert "Summary: []" in told  # no interface but the loopback
    packages = {(package.kind, package.name) for package in list_packages(client, made.gunicorn.identity)}
    assert {("pypi", "gunicorn"), ("deb", "libc6"), ("generic", "python")} <= packages
    assert not (tree / "build").exists()


def test_one_that_cannot_be_built_is_unrunnable(client: DockerClient, tmp_path: Path) -> None:
    tree = checkout(tmp_path / "tree", "raise ValueError('it does not like this place')\n")
    with pytest.raises(UnrunnableError, match="can't be built: ValueError: it does not like this place"):
        images.prepare(Cell(spec=str(tree), proxy="none"), python="3.10", say=lambda _line: None)
    shutil.rmtree(tree)
