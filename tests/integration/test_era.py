"""Era shims on the interpreters that are here: what each lacks, and that it has it once the shim is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.core import paths
from harness.provision import era
from harness.provision.interpreters import Interpreter, Memory, survey
from harness.provision.releases import load_catalogue
from harness.provision.specifiers import meets

SHIMS = {shim.name: shim for shim in load_catalogue().era_shims}
USES = {
    "collections-names": "import collections, collections.abc; assert collections.Mapping is collections.abc.Mapping",
    "inspect-getargspec": "import inspect; assert inspect.getargspec(lambda a, b=1: 0).args == ['a', 'b']",
    "asyncio-selectors": "from asyncio import selectors; selectors.DefaultSelector().close()",
    "cgi-escape": "import cgi; assert cgi.escape('<a&\"', quote=True) == '&lt;a&amp;&quot;', cgi.escape('<')",
    "ssl-wrap-socket": (
        "import socket, ssl\n"
        "here, _ = socket.socketpair()\n"
        "made = ssl.wrap_socket(here, do_handshake_on_connect=False)\n"
        "assert isinstance(made, ssl.SSLSocket)"
    ),
    "ssl-match-hostname": "import ssl; ssl.match_hostname({'subjectAltName': [('DNS', 'a.example')]}, 'a.example')",
    "imp-module": (
        "import imp, sys\n"
        "stream, path, kind = imp.find_module('fractions')\n"
        "assert kind[2] == imp.PY_SOURCE and 'class Fraction' in stream.read() and path.endswith('fractions.py')\n"
        "assert imp.new_module('x').__name__ == 'x' and imp.reload(sys.modules['types'])"
    ),
}
SIX = """
import sys, types

class _SixMetaPathImporter(object):
    def find_module(self, fullname, path=None):
        return self if fullname == "box.moves" else None

    def is_package(self, fullname):
        return False

    def load_module(self, fullname):
        return sys.modules.setdefault(fullname, types.ModuleType(fullname))

sys.meta_path.append(_SixMetaPathImporter())
__path__ = []
"""


def _interpreters() -> list[Interpreter]:
    memory = Memory.load(paths.cache_dir() / "interpreters.json")
    found = survey(memory, environ=os.environ, home=Path.home(), own=Path(sys.executable)).interpreters
    by_minor = {one.minor: one for one in found if one.implementation == "CPython" and one.minor >= (3, 6)}
    return [by_minor[minor] for minor in sorted(by_minor)]


@pytest.fixture(scope="module")
def interpreters() -> list[Interpreter]:
    return _interpreters()


def run(interpreter: Interpreter, code: str, *folders: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(map(str, folders)), "PYTHONWARNINGS": "ignore"}
    command = [str(interpreter.path), "-s", "-B", "-c", code]
    return subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", timeout=60, check=False)


def probe(interpreter: Interpreter, name: str) -> bool:
    command = [str(interpreter.path), "-I", "-c", era.PROBE, str(era.shim_file(name))]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=True)
    return bool(era.parse_missing([SHIMS[name]], done.stdout))


def has_module(interpreter: Interpreter, name: str) -> bool:
    """cgi left with 3.13; where a release imports it, a pin puts the module back, and the shim what it had."""
    return name != "cgi-escape" or interpreter.minor < (3, 13)


@pytest.mark.parametrize("name", SHIMS)
def test_an_interpreter_lacks_it_on_the_pythons_of_the_row(name: str, interpreters: list[Interpreter]) -> None:
    lacking = [one.version for one in interpreters if probe(one, name)]
    able = [one.version for one in interpreters if has_module(one, name)]

    assert lacking == [version for version in able if meets(version, SHIMS[name].scope.python)]


@pytest.mark.parametrize("name", USES)
def test_what_is_missing_is_there_once_the_shim_is_loaded(
    name: str, interpreters: list[Interpreter], tmp_path: Path
) -> None:
    era.plant([name], tmp_path / "era")
    for one in interpreters:
        if has_module(one, name):
            without, loaded = run(one, USES[name]), run(one, USES[name], tmp_path / "era")

            assert (without.returncode != 0) == probe(one, name), one
            assert (loaded.returncode, loaded.stderr) == (0, ""), one


def test_an_importer_of_old_is_asked_again(interpreters: list[Interpreter], tmp_path: Path) -> None:
    era.plant(["six-importer"], tmp_path / "era")
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "box.py").write_text(SIX)
    for one in interpreters:
        code = "import box, box.moves, sys; assert box.moves is sys.modules['box.moves']"
        without, loaded = (run(one, code, *folders, tmp_path / "site") for folders in ((), (tmp_path / "era",)))

        assert (without.returncode != 0) == (one.minor >= (3, 12)), one
        assert (loaded.returncode, loaded.stderr) == (0, ""), one


def test_a_module_called_async_is_imported_and_its_readers_keep_their_lines(
    interpreters: list[Interpreter], tmp_path: Path
) -> None:
    era.plant(["async-modules"], tmp_path / "era")
    package = tmp_path / "site" / "gunicorn" / "workers"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "async.py").write_text("class AsyncWorker(object):\n    pass\n")
    (package / "ggevent.py").write_text(
        "import sys\n\nfrom gunicorn.workers.async import AsyncWorker\n\nLINE = sys._getframe().f_lineno\n"
    )
    code = "from gunicorn.workers import ggevent as g; assert g.LINE == 5 and g.__file__.endswith('ggevent.py')"
    for one in interpreters:
        without, loaded = (run(one, code, *folders, tmp_path / "site") for folders in ((), (tmp_path / "era",)))

        assert (without.returncode != 0) == (one.minor >= (3, 7)), one
        assert (loaded.returncode, loaded.stderr) == (0, ""), one


def test_the_sitecustomize_behind_it_is_run_and_a_shim_that_fails_is_told(tmp_path: Path) -> None:
    era.plant(["imp-module"], tmp_path / "era")
    (tmp_path / "era" / "broken.py").write_text("def missing():\n    raise RuntimeError('no answer')\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text("import sys; sys.was_run = True\n")
    own = Interpreter(path=Path(sys.executable), version="", implementation="CPython")

    done = run(own, "import sys; assert sys.was_run", tmp_path / "era", tmp_path / "other")

    assert done.returncode == 0
    assert done.stderr == "recycle-harness: the era shim broken.py failed: RuntimeError('no answer')\n"
