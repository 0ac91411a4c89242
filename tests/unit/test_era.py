"""Era shims: their rows, their files, and which of them a source has a use for. No interpreter is started."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.engine.facts import explain_shims, list_deviations
from harness.provision import era
from harness.provision.build import make_plan
from harness.provision.environments import Environment
from harness.provision.interpreters import Interpreter
from harness.provision.releases import EraShim, load_catalogue
from harness.provision.sources import describe_source
from harness.provision.spec import Release

SHIMS = {shim.name: shim for shim in load_catalogue().era_shims}
USES = {
    "collections-names": ("from collections import namedtuple, Mapping\n", "from collections import deque\n"),
    "inspect-getargspec": ("x = inspect.getargspec(f)[0]\n", "x = inspect.getfullargspec(f)[0]\n"),
    "asyncio-selectors": ("try:\n    from asyncio import selectors\n", "import selectors\n"),
    "six-importer": (
        "class _SixMetaPathImporter(object):\n    def find_module(self):\n        pass\n",
        "class _SixMetaPathImporter(object):\n    def find_module(self):\n        pass\n    def find_spec(self): ...\n",
    ),
    "cgi-escape": ("import os\nimport cgi\ncgi.escape(x)\n", "try:\n    import cgi\n    cgi.escape(x)\n"),
    "ssl-wrap-socket": ("self.sock = ssl.wrap_socket(client)\n", "context.wrap_socket(client)\n"),
    "ssl-match-hostname": ("from ssl_match_hostname import x\n", "from ssl import SSLContext\n"),
    "imp-module": ("def f():\n    from imp import find_module\n", "from important import find_module\n"),
    "async-modules": (
        "from gunicorn.workers.async import AsyncWorker\n",
        "from gunicorn.workers.base import A\n",
    ),
}


def write_site(folder: Path, **files: str) -> Path:
    site = folder / "site-packages"
    for name, text in files.items():
        (site / name).mkdir(parents=True)
        (site / name / "module.py").write_text(text)
    return site


def test_every_row_has_a_file_and_every_file_a_row() -> None:
    files = {path for path in (fixtures_dir() / "era").glob("*.py") if path.name != era.LOADER}

    assert {era.shim_file(name) for name in SHIMS} == files


def test_every_limit_that_era_shims_lift_names_some_that_there_are() -> None:
    named = {name for limit in load_catalogue().limits for name in limit.era}

    assert named <= SHIMS.keys()
    assert named


def test_every_row_is_about_some_pythons_only() -> None:
    assert all(str(shim.scope.python) for shim in SHIMS.values())


@pytest.mark.parametrize("name", SHIMS)
def test_a_shim_is_for_source_that_uses_what_it_puts_back(name: str, tmp_path: Path) -> None:
    using, other = USES[name]

    assert era.find_used([SHIMS[name]], write_site(tmp_path / "using", gunicorn=using)) == (SHIMS[name],)
    assert era.find_used([SHIMS[name]], write_site(tmp_path / "other", gunicorn=other)) == ()


def test_tools_that_no_worker_imports_are_not_asked(tmp_path: Path) -> None:
    site = write_site(tmp_path, setuptools="import imp\n", pip="import imp\n", gunicorn="import os\n")

    assert era.find_used([SHIMS["imp-module"]], site) == ()


def test_the_answers_of_an_interpreter_are_names() -> None:
    shims = [SHIMS["imp-module"], SHIMS["cgi-escape"]]

    assert era.parse_missing(shims, "[false, true]\n") == ("cgi-escape",)
    with pytest.raises(ValueError, match="zip"):
        era.parse_missing(shims, "[true]")


def test_a_planted_folder_holds_the_loader_and_the_shims_that_were_chosen(tmp_path: Path) -> None:
    era.plant(["imp-module"], tmp_path / "era")

    assert {path.name for path in (tmp_path / "era").iterdir()} == {era.LOADER, "imp_module.py"}


def keys(*, worker: str, era_shims: bool, version: str = "3.11.2") -> tuple[str, tuple[str, ...]]:
    interpreter = Interpreter(path=Path("/opt/python"), version=version, implementation="CPython")
    plan = make_plan(
        load_catalogue(),
        describe_source(Release(version="19.6.0")),
        interpreter,
        worker=worker,
        envs=Path("/envs"),
        era_shims=era_shims,
    )
    return plan.key, tuple(shim.name for shim in plan.era_shims)


def test_an_environment_for_era_shims_is_another_one_and_knows_what_may_be_needed() -> None:
    plain, none = keys(worker="gthread", era_shims=False)
    shimmed, some = keys(worker="gthread", era_shims=True)
    other, fewer = keys(worker="sync", era_shims=True)

    assert len({plain, shimmed, other}) == 3
    assert none == ()
    assert set(some) - set(fewer) == {"asyncio-selectors"}


def test_only_the_shims_of_a_python_may_be_needed_there() -> None:
    assert "six-importer" not in keys(worker="sync", era_shims=True)[1]
    assert "six-importer" in keys(worker="sync", era_shims=True, version="3.12.1")[1]


def test_the_facts_tell_the_shims_and_why() -> None:
    environment = SimpleNamespace(
        shims=("hide-so-reuseport",),
        era_shims=("imp-module",),
        python_version="3.12.1",
        revision=None,
        freeze=(),
    )

    told = dict(explain_shims(cast(Environment, environment)))
    deviations = list_deviations(Cell(spec="19.7.1"), cast(Environment, environment))

    assert list(told) == ["hide-so-reuseport", "imp-module"]
    assert told["imp-module"] == SHIMS["imp-module"].reason
    assert f"shim imp-module: {SHIMS['imp-module'].reason}" in deviations
    assert "Python 3.12.1 instead of 3.6" in deviations


def test_identity_changes_with_the_row() -> None:
    shim = SHIMS["imp-module"]
    changed = EraShim(scope=shim.scope, name=shim.name, uses="other", reason=shim.reason)

    assert era.identify([]) == []
    assert era.identify([shim]) != era.identify([changed])
