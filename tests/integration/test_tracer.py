"""The unlink tracer on every interpreter that is here: it reports what removes the bound path, and changes nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.core.paths import fixtures_dir

WANTED = ((3, 6), (3, 7), (3, 8), (3, 9), (3, 10), (3, 11), (3, 12), (3, 13), (3, 14))
IN_EACH_TEST_RUN = ((3, 6), (3, 8), (3, 11), (3, 13), (3, 14))
"""The oldest, the first with an audit hook, the newest, and one in between."""
AUDITED_SINCE = (3, 8)
TRACER = fixtures_dir() / "trace" / "sitecustomize.py"


def _find_python(version: tuple[int, int]) -> str | None:
    """The real program of a version: this one, one of pyenv, or one on PATH (a shim of pyenv may refuse)."""
    if sys.version_info[:2] == version:
        return sys.executable
    dotted = f"{version[0]}.{version[1]}"
    kept = sorted(Path.home().glob(f".pyenv/versions/{dotted}.*/bin/python"))
    found = [str(path) for path in kept] + [path for path in [shutil.which(f"python{dotted}")] if path]
    works = (
        path for path in found if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0
    )
    return next(works, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a traced script left behind."""

    stdout: str
    stderr: str
    status: int
    said: list[dict[str, Any]]

    @property
    def removals(self) -> list[dict[str, Any]]:
        """What was said about the path."""
        return [line for line in self.said if line["kind"] == "removal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """Runs scripts with one interpreter, traced or not. The scripts know SOCK, the bound path, and its FOLDER."""

    python: str
    version: tuple[int, int]
    root: Path

    @property
    def sock(self) -> Path:
        """The path that is watched; it exists before each script."""
        return self.root / "socket" / "gunicorn.sock"

    def run(self, script: str, *, trace: bool = True, path: Sequence[Path] = ()) -> Ran:
        """Run a script in a fresh state."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.sock.parent.mkdir(parents=True)
        self.sock.touch()
        site = self.root / "site"
        site.mkdir()
        for name in ("sitecustomize.py", "recycle_harness_doings.py"):
            shutil.copyfile(TRACER.with_name(name), site / name)
        log = self.root / "trace.jsonl"
        head = f"import os, sys\nSOCK = {str(self.sock)!r}\nFOLDER = os.path.dirname(SOCK)\n"
        (self.root / "script.py").write_text(head + script)
        folders = [str(site)] * trace + [str(folder) for folder in path]
        env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(folders), "PYTHONDONTWRITEBYTECODE": "1"}
        env |= {"RECYCLE_HARNESS_TRACE_FILE": str(log), "RECYCLE_HARNESS_TRACE_PATH": str(self.sock)} if trace else {}
        done = subprocess.run(
            [self.python, str(self.root / "script.py")],
            env=env,
            cwd=self.sock.parent,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        lines = log.read_text().splitlines() if log.exists() else []
        said = [json.loads(line) for line in lines]
        return Ran(stdout=done.stdout, stderr=done.stderr, status=done.returncode, said=said)

    def one(self, script: str) -> dict[str, Any]:
        """The only removal that a script caused; the script itself must have gone well."""
        ran = self.run(script)
        assert (ran.status, ran.stderr) == (0, "")
        (removal,) = ran.removals
        return removal


@pytest.fixture(
    params=[pytest.param(one, marks=() if one in IN_EACH_TEST_RUN else pytest.mark.slow) for one in WANTED],
    ids=lambda version: f"{version[0]}.{version[1]}",
)
def traced(request: pytest.FixtureRequest, tmp_path: Path) -> Traced:
    """One interpreter; those that are not here are skipped by name."""
    version: tuple[int, int] = request.param
    python = _find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version[0]}.{version[1]} here")
    return Traced(python=python, version=version, root=tmp_path / "run")


CALLS = {
    "os.unlink": "os.unlink(SOCK)",
    "os.remove": "os.remove(SOCK)",
    "os.unlink by keyword": "os.unlink(path=SOCK)",
    "os.unlink of bytes": "os.unlink(os.fsencode(SOCK))",
    "os.unlink of a relative path": "os.unlink('gunicorn.sock')",
    "os.unlink of a winding path": "os.unlink('./../socket//gunicorn.sock')",
    "os.unlink of a Path": "import pathlib; os.unlink(pathlib.Path(SOCK))",
    "os.unlink below a folder's fd": "os.unlink('gunicorn.sock', dir_fd=os.open(FOLDER, os.O_RDONLY))",
    "os.unlink through a link": "os.symlink(FOLDER, FOLDER + '2'); os.unlink(FOLDER + '2/gunicorn.sock')",
    "os.rename away": "os.rename(SOCK, SOCK + '2')",
    "os.rename by keyword": "os.rename(src=SOCK, dst=SOCK + '2')",
    "os.rename onto it": "open(SOCK + '2', 'w').close(); os.rename(SOCK + '2', SOCK)",
    "os.replace away": "os.replace(SOCK, SOCK + '2')",
    "os.replace onto it": "open(SOCK + '2', 'w').close(); os.replace(SOCK + '2', SOCK)",
    "os.rename below a folder's fd": (
        "fd = os.open(FOLDER, os.O_RDONLY); os.rename('gunicorn.sock', 'x', src_dir_fd=fd, dst_dir_fd=fd)"
    ),
    "pathlib unlink": "import pathlib; pathlib.Path(SOCK).unlink()",
    "pathlib rename": "import pathlib; pathlib.Path(SOCK).rename(SOCK + '2')",
    "pathlib replace": "import pathlib; pathlib.Path(SOCK).replace(SOCK + '2')",
    "shutil.move": "import shutil; shutil.move(SOCK, SOCK + '2')",
    "shutil.rmtree": "import shutil; os.chdir('/'); shutil.rmtree(FOLDER)",
}


def test_every_way_to_remove_the_path_is_reported_once(traced: Traced) -> None:
    """One test for all of them: to start an interpreter each costs more than to tell which one failed."""
    missed = {}
    for name, script in CALLS.items():
        ran = traced.run(script + "\n")
        calls = [(removal["call"], removal["failed"]) for removal in ran.removals]
        if ran.status != 0 or ran.stderr or len(calls) != 1 or calls[0][1] is not None:
            missed[name] = (ran.status, ran.stderr, calls)
    assert missed == {}


def test_the_call_the_time_and_the_stack_are_told(traced: Traced) -> None:
    removal = traced.one(
        "import time\nbefore = time.monotonic()\ndef close():\n    os.unlink(SOCK)\ndef run():\n    close()\nrun()\n"
    )
    assert (removal["call"], removal["paths"], removal["role"]) == ("os.unlink", [str(traced.sock)], "arbiter")
    assert [(name, text) for _, _, name, text in removal["stack"]] == [
        ("<module>", "run()"),
        ("run", "close()"),
        ("close", "os.unlink(SOCK)"),
    ]
    assert removal["stack"][-1][:2] == [str(traced.root / "script.py"), 7]
    assert removal["thread"] == "MainThread"


def test_a_tracer_that_was_loaded_says_so(traced: Traced) -> None:
    (said,) = traced.run("pass\n").said
    assert said["kind"] == "tracer"
    assert said["python"].startswith(f"{traced.version[0]}.{traced.version[1]}.")


def test_a_call_that_fails_is_reported_with_its_errno_and_raises_as_ever(traced: Traced) -> None:
    script = """
os.unlink(SOCK)
for call in (lambda: os.unlink(SOCK), lambda: os.rename(SOCK, SOCK + "2"), lambda: os.replace(SOCK, "/")):
    try:
        call()
    except OSError as problem:
        print(type(problem).__name__, problem.errno, problem.filename)
    else:
        print("nothing raised")
"""
    ran = traced.run(script)
    assert ran.stdout == traced.run(script, trace=False).stdout
    assert ran.stdout.startswith(f"FileNotFoundError 2 {traced.sock}\n")
    assert [removal["failed"] for removal in ran.removals][:3] == [None, "ENOENT", "ENOENT"]
    assert None not in [removal["failed"] for removal in ran.removals][1:]


def test_an_uncaught_error_ends_the_process_as_ever(traced: Traced) -> None:
    ran = traced.run("os.unlink(SOCK)\nos.unlink(SOCK)\n")
    assert ran.status == 1
    assert ran.stderr.splitlines()[-1] == f"FileNotFoundError: [Errno 2] No such file or directory: '{traced.sock}'"


def test_a_forked_child_is_a_worker_and_its_child_is_not(traced: Traced) -> None:
    script = """
def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    os.waitpid(pid, 0)

fork(lambda: os.unlink(SOCK))
open(SOCK, "w").close()
fork(lambda: fork(lambda: os.unlink(SOCK)))
print(os.getpid())
"""
    ran = traced.run(script)
    assert (ran.status, ran.stderr) == (0, "")
    worker, other = ran.removals
    assert (worker["role"], worker["ppid"], other["role"]) == ("worker", int(ran.stdout), "other")
    assert len({worker["pid"], other["pid"], int(ran.stdout)}) == 3


def test_threads_that_remove_at_the_same_time_are_told_apart(traced: Traced) -> None:
    script = """
import threading
def work():
    try:
        os.unlink(SOCK)
    except FileNotFoundError:
        pass
threads = [threading.Thread(target=work, name="t%d" % number) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""
    removals = traced.run(script).removals
    assert sorted(removal["thread"] for removal in removals) == [f"t{number}" for number in range(8)]
    assert sorted(str(removal["failed"]) for removal in removals) == ["ENOENT"] * 7 + ["None"]


def test_calls_that_go_round_the_wrappers_are_audited(traced: Traced) -> None:
    if traced.version < AUDITED_SINCE:
        pytest.skip("audit hooks came with Python 3.8")
    for script, call in (
        ("import posix; posix.unlink(SOCK)\n", "os.remove (audited)"),
        ("import posix; posix.rename(SOCK, SOCK + '2')\n", "os.rename (audited)"),
        ("import posix; posix.replace(b'gunicorn.sock', b'x')\n", "os.rename (audited)"),
    ):
        removal = traced.one(script)
        assert removal["call"] == call
        assert removal["stack"][-1][3] == script.strip(), "the frame that called, not the hook's own"


def _calls(ran: Ran) -> list[tuple[str, str, Any]]:
    assert (ran.status, ran.stderr) == (0, "")
    return [(line["call"], line["effect"], line.get("mode")) for line in ran.said if line["kind"] == "path-call"]


def test_what_changes_its_rights_is_reported_once_and_removes_nothing(traced: Traced) -> None:
    for script, call in {
        "os.chmod(SOCK, 0o600)": ("os.chmod", "rights", 0o600),
        "os.chmod('gunicorn.sock', mode=0)": ("os.chmod", "rights", 0),
        "import pathlib; pathlib.Path(SOCK).chmod(0o777)": ("os.chmod", "rights", 0o777),
        "os.chmod(FOLDER, 0o755)": ("os.chmod", "folder-rights", 0o755),
        "os.chown(SOCK, os.getuid(), os.getgid())": ("os.chown", "rights", None),
        "os.chmod(SOCK + '/..', 0o755) if False else os.chmod('.', 0o755)": ("os.chmod", "folder-rights", 0o755),
    }.items():
        ran = traced.run(script + "\n")
        assert (_calls(ran), ran.removals) == ([call], []), script


def test_a_rename_tells_whether_the_path_went_or_names_another_file(traced: Traced) -> None:
    for script, effect in {
        "os.rename(SOCK, SOCK + '2')": "removed",
        "os.unlink(SOCK)": "removed",
        "open(SOCK + '2', 'w').close(); os.replace(SOCK + '2', SOCK)": "replaced",
        "os.rename(FOLDER, FOLDER + '2')": "removed",
    }.items():
        assert traced.one(script + "\n")["effect"] == effect, script


def test_who_starts_a_command_that_names_the_path_is_told(traced: Traced) -> None:
    for script, call in {
        "import subprocess; subprocess.call(['true', SOCK])": "subprocess.Popen",
        "import subprocess; subprocess.call('true ' + SOCK, shell=True)": "subprocess.Popen",
        "import subprocess; subprocess.call(['true', 'gunicorn.sock'])": "subprocess.Popen",
        "import subprocess; subprocess.call([b'true', os.fsencode(FOLDER)])": "subprocess.Popen",
        "os.system('true ' + SOCK)": "os.system",
        "os.popen('true ' + SOCK).close()": "subprocess.Popen",
        "os.spawnlp(os.P_WAIT, 'true', 'true', SOCK)": "os.spawn",
    }.items():
        ran = traced.run(script + "\n")
        assert _calls(ran)[0] == (call, "command", None), script
        told = next(line for line in ran.said if line["kind"] == "path-call")
        assert told["stack"][-1][3] == script, "who wants it, not the library that starts it"


def test_a_command_that_names_something_else_is_not(traced: Traced) -> None:
    script = "import subprocess\nsubprocess.call(['true', '/gunicorn'])\nos.system('true')\nos.chdir('/')\n"
    ran = traced.run(script + "subprocess.call(['true', 'gunicorn.sock'])\nprint(os.system('exit 3') >> 8)\n")
    assert (_calls(ran), ran.stdout) == ([], "3\n")


def test_binding_it_and_looking_up_what_could_remove_it_are_seen_by_the_audit_hook(traced: Traced) -> None:
    if traced.version < AUDITED_SINCE:
        pytest.skip("audit hooks came with Python 3.8")
    bind = "os.unlink(SOCK)\nimport socket\nsocket.socket(socket.AF_UNIX).bind(SOCK)\n"
    assert _calls(traced.run(bind)) == [("socket.bind", "bound", None)]
    look = "import ctypes\nlibrary = ctypes.CDLL(None)\nlibrary.getpid\nlibrary.unlink\n"
    assert _calls(traced.run(look)) == [("ctypes.dlsym", "symbol", None)]


def test_nothing_is_said_about_other_paths(traced: Traced) -> None:
    script = """
import pathlib, shutil, tempfile
os.mkdir("deep")
for name in ("gunicorn.sock2", "other", "deep/gunicorn.sock"):
    open(name, "w").close()
os.unlink("gunicorn.sock2")
os.rename("other", "another")
os.replace("another", "third")
pathlib.Path("third").unlink()
os.unlink("deep/gunicorn.sock")
open("deep/gunicorn.sock", "w").close()
os.unlink("gunicorn.sock", dir_fd=os.open("deep", os.O_RDONLY))
shutil.rmtree("deep")
with tempfile.TemporaryDirectory() as folder:
    open(os.path.join(folder, "gunicorn.sock"), "w").close()
for wrong in (3, "x\\0y"):
    try:
        os.unlink(wrong)
    except (TypeError, ValueError) as problem:
        print(type(problem).__name__, problem)
assert os.path.exists(SOCK)
"""
    ran = traced.run(script)
    assert (ran.status, ran.stderr, ran.removals) == (0, "", [])
    assert [line["kind"] for line in ran.said] == ["tracer"]
    assert ran.stdout == traced.run(script, trace=False).stdout


SHAPE = """
import os, shutil, pathlib
for name in ("unlink", "remove", "rename", "replace"):
    call = getattr(os, name)
    print(name, call.__name__, (call.__doc__ or "")[:40].split("\\n")[0], callable(call))
    print(call in os.supports_dir_fd, call in os.supports_fd, call in os.supports_follow_symlinks)
print(shutil.rmtree.avoids_symlink_attacks)
for wrong in ((), (1, 2, 3, 4), (None,), ([],)):
    for name in ("unlink", "rename"):
        try:
            getattr(os, name)(*wrong)
        except Exception as problem:
            print(name, wrong, type(problem).__name__, problem)
try:
    os.unlink("x", nonsense=1)
except TypeError as problem:
    print(problem)
print(os.unlink(SOCK))
"""


def test_nothing_else_changes_for_the_traced_process(traced: Traced) -> None:
    """Names, documentation, what the os module says of its calls, wrong arguments and what comes back."""
    with_trace, without = traced.run(SHAPE), traced.run(SHAPE, trace=False)
    assert (with_trace.status, with_trace.stderr) == (0, "")
    assert with_trace.stdout.splitlines() == without.stdout.splitlines()


def test_another_sitecustomize_is_still_run(traced: Traced, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.theirs = __name__, __file__\n")
    ran = traced.run("print(*sys.theirs)\nos.unlink(SOCK)\n", path=[folder])
    assert ran.stdout == f"sitecustomize {folder / 'sitecustomize.py'}\n"
    assert len(ran.removals) == 1


def test_another_sitecustomize_that_fails_is_reported_by_python_as_ever(traced: Traced, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    ran = traced.run("print('goes on')\nos.unlink(SOCK)\n", path=[folder])
    assert (ran.stdout, ran.status, len(ran.removals)) == ("goes on\n", 0, 1)
    assert "ValueError: theirs" in ran.stderr


def test_a_trace_that_cannot_be_written_changes_nothing_but_standard_error(traced: Traced) -> None:
    script = "os.environ['X'] = '1'\nos.rmdir(FOLDER + '3') if False else None\nos.unlink(SOCK)\nprint('done')\n"
    ran = traced.run(f"import sitecustomize\nsitecustomize._FILE = '/no/such/folder/trace'\n{script}")
    assert (ran.status, ran.stdout) == (0, "done\n")
    assert "recycle-harness tracer: FileNotFoundError" in ran.stderr


def test_without_its_variables_it_does_nothing(traced: Traced) -> None:
    ran = traced.run("import os\nprint(type(os.unlink).__name__)\nos.unlink(SOCK)\n", trace=False, path=[TRACER.parent])
    assert (ran.stdout, ran.stderr, ran.said) == ("builtin_function_or_method\n", "", [])
