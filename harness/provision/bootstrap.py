"""Makes the project's virtual environment, ``.venv``, from the lock; a second call finds its stamp and does nothing.

This script runs on whatever Python is installed. It uses the standard library alone, and no syntax that Python 3.6
does not know, so that an old Python can look for a newer one or say clearly what is missing. What the *harness* needs
beyond its own environment (h2o, wrk, the pinned gunicorns) is made elsewhere.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, Iterable, Iterator, List, Optional

ROOT = Path(__file__).resolve().parents[2]
EXIT_ERROR = 4  # as in harness.core.errors, which an old Python can't import
OLDEST = (3, 10)
NAMES = ("python3.13", "python3.12", "python3.11", "python3.10")
SYSTEM_WHEELS = "/usr/share/python-wheels"
"""Where Debian and Fedora keep the wheels that ensurepip bundles elsewhere."""

NOT_OURS = ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_REQUIRE_VIRTUALENV")
"""Variables that would lead pip or uv out of the environment being made."""


class Setup:
    """The paths of one checkout's environment."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.stamp = self.venv / "recycle-harness.stamp"
        self.log = self.venv / "setup.log"
        self.lock = root / "requirements" / "dev.txt"
        self.inputs = (root / "pyproject.toml", self.lock)

    def fingerprint(self) -> str:
        """What the environment was made from: pyproject, lock, folder and Python. A moved checkout gets another one."""
        digest = hashlib.sha256(str(self.root).encode())
        for path in (*self.inputs, self.venv / "pyvenv.cfg"):
            digest.update(b"\0" + path.read_bytes())
        return digest.hexdigest()

    def is_ready(self) -> bool:
        """Whether the environment was made to its end, from these very inputs, and its Python still exists."""
        try:
            return os.access(str(self.python), os.X_OK) and self.stamp.read_text() == self.fingerprint()
        except FileNotFoundError:
            return False


def main(arguments: List[str]) -> int:
    """Make the environment; with ``--check``, only return whether that is needed, as exit code 0 (no) or 1 (yes)."""
    setup = Setup(ROOT)
    if "--check" in arguments:
        return 0 if setup.is_ready() else 1
    if sys.version_info < OLDEST:
        return _start_again_with_newer(arguments)
    from harness.core.errors import HarnessError

    try:
        with _alone(setup.root) as lock_fd:
            if not setup.is_ready() or _another_python_is_wanted(setup):
                make(setup, lock_fd)
    except HarnessError as error:
        print(f"set-up failed: {error}", file=sys.stderr)
        return error.exit_code
    except (OSError, LookupError) as error:
        print(
            f"set-up failed: {type(error).__name__}: {error}\n"
            f"To do: check that the checkout {setup.root} is whole and writable, and that the disk has room",
            file=sys.stderr,
        )
        return EXIT_ERROR
    return 0


def make(setup: Setup, lock_fd: int) -> None:
    """Make the environment from nothing: remove what a killed call left behind, install, and write the stamp last."""
    import venv

    _say(f"making .venv with Python {sys.version.split()[0]} (the first time, its packages are downloaded)")
    if setup.venv.exists():
        shutil.rmtree(str(setup.venv))
    venv.EnvBuilder(with_pip=False, symlinks=True).create(str(setup.venv))
    _install_uv(setup, lock_fd)
    uv = [str(setup.venv / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(setup.python), "--no-deps"]
    locked = ["--require-hashes", "--compile-bytecode", "--requirement", str(setup.lock)]
    run_step(setup, lock_fd, [*uv, *locked], "installing the locked requirements")
    editable = ["--no-build-isolation", "--offline", "--editable", str(setup.root)]
    run_step(setup, lock_fd, [*uv, *editable], "installing the project itself")
    fresh = setup.stamp.with_suffix(".new")
    fresh.write_text(setup.fingerprint())
    fresh.replace(setup.stamp)
    _say(".venv is ready")


def parse_locked(lock_text: str, name: str) -> str:
    """The lines of one requirement, with its hashes, from a lock.

    Raises:
        LookupError: the lock has none.
    """
    block: List[str] = []
    inside = False
    for line in lock_text.splitlines(keepends=True):
        inside = inside or line.startswith(name + "==")
        if inside:
            block.append(line)
        inside = inside and line.rstrip().endswith("\\")
    if not block:
        raise LookupError(name)
    return "".join(block)


def _install_uv(setup: Setup, lock_fd: int) -> None:
    """Put the locked uv into the environment with a pip that runs from its wheel and is not installed itself."""
    requirement = setup.venv / "uv.txt"
    requirement.write_text(parse_locked(setup.lock.read_text(), "uv"))
    pip = [str(setup.python), "-I", str(_pip_wheel(setup) / "pip"), "install", "--quiet", "--no-input"]
    options = ["--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    run_step(setup, lock_fd, [*pip, *options, "--requirement", str(requirement)], "installing uv")


def _pip_wheel(setup: Setup) -> Path:
    """A pip wheel: Python's own, the system's, or a fetched one; SurroundingsError where none is to be had."""
    from harness.core.errors import SurroundingsError
    from harness.provision import apt

    folders = [Path(SYSTEM_WHEELS), Path(sysconfig.get_config_var("WHEEL_PKG_DIR") or SYSTEM_WHEELS)]
    bundled = find_spec("ensurepip")
    if bundled is not None and bundled.origin is not None:
        folders.insert(0, Path(bundled.origin).parent / "_bundled")
    found = _first_pip(folders)
    if found is None and apt.available():
        rights = apt.privileges()
        if rights is not None:
            _say("this Python has no pip to begin with: installing python3-venv")
            apt.install(["python3-venv"], rights=rights)
        else:
            _say("this Python has no pip to begin with: fetching python3-pip-whl")
            folders.append(setup.venv / "pip" / SYSTEM_WHEELS.lstrip("/"))
            apt.unpack("python3-pip-whl", setup.venv / "pip")
        found = _first_pip(folders)
    if found is None:
        raise SurroundingsError(
            what=f"Python {sys.executable} has no ensurepip, so .venv can't be filled",
            remedy="install the package python3-venv (Debian, Ubuntu), python3-pip (Fedora), py3-pip (Alpine)",
        )
    return found


def _first_pip(folders: Iterable[Path]) -> Optional[Path]:
    """The pip of the first folder that has one: Python's own fits it best."""
    return next((wheel for folder in folders for wheel in sorted(folder.glob("pip-*.whl"), reverse=True)), None)


def run_step(setup: Setup, lock_fd: int, argv: List[str], what: str) -> None:
    """Run one step with its output in the log. It inherits the lock, so no other call starts while it still runs."""
    from harness.core.errors import SurroundingsError

    _say(what)
    with setup.log.open("a") as log:
        log.write(f"\n$ {' '.join(argv)}\n")
        log.flush()
        done = subprocess.run(
            argv,
            env=_clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(lock_fd,),
            check=False,
        )
    if done.returncode != 0:
        last = "\n".join(f"    {line}" for line in setup.log.read_text(errors="replace").splitlines()[-8:])
        raise SurroundingsError(
            what=f"{what} ended with status {done.returncode}; it printed last:\n{last}",
            remedy="check that the Python package index can be reached (set UV_SYSTEM_CERTS=1 where its certificate is "
            "one that only this system trusts), then run the same command again",
            log=setup.log,
        )


def _clean_environment() -> Dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in NOT_OURS}


@contextmanager
def _alone(root: Path) -> Iterator[int]:
    """Hold the checkout's lock until the process ends; a second caller waits, then finds the work done."""
    lock_fd = os.open(str(root), os.O_RDONLY)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX)
        yield lock_fd
    finally:
        os.close(lock_fd)


def _another_python_is_wanted(setup: Setup) -> bool:
    """Whether BOOTSTRAP_PYTHON names this Python and the environment was made with another one."""
    if not os.environ.get("BOOTSTRAP_PYTHON"):
        return False
    made_with = (setup.venv / "pyvenv.cfg").read_text()
    return f"version = {sys.version.split()[0]}\n" not in made_with


def _start_again_with_newer(arguments: List[str]) -> int:
    """Start this script again with a Python that is new enough, or report where one was looked for."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none
    newer = find_newer_python(os.environ.get("PATH", ""), home)
    if newer is None:
        print(
            f"set-up failed: Python {sys.version.split()[0]} ({sys.executable}) is too old, 3.10 is needed; looked "
            f"for {', '.join(NAMES)} on PATH and below ~/.pyenv/versions\n"
            "To do: install a newer Python, or name one: make BOOTSTRAP_PYTHON=/path/to/python3 ...",
            file=sys.stderr,
        )
        return EXIT_ERROR
    return subprocess.call([newer, "-I", str(Path(__file__).resolve()), *arguments])


def find_newer_python(search_path: str, home: Path) -> Optional[str]:
    """The newest Python of 3.10 to 3.13 that starts and has ``venv``: on ``search_path``, else below ~/.pyenv."""
    on_path = [shutil.which(name, path=search_path) for name in NAMES]
    in_pyenv = [str(found) for name in NAMES for found in _pyenv_pythons(home, name)]
    return next((path for path in [*on_path, *in_pyenv] if path and _starts(path)), None)


def _pyenv_pythons(home: Path, name: str) -> List[Path]:
    version = name[len("python") :]
    return sorted((home / ".pyenv" / "versions").glob(f"{version}.*/bin/{name}"))


def _starts(python: str) -> bool:
    """Whether it runs at all: pyenv's shims exist for versions that are not switched on."""
    test = [python, "-I", "-c", "import venv, sys; sys.exit(sys.version_info < (3, 10))"]
    return subprocess.run(test, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _say(text: str) -> None:
    print(f"set-up: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    # As a script, this file's own folder may lead the path, where our modules would hide Python's (bisect).
    sys.path[:] = [str(ROOT), *(entry for entry in sys.path if entry != str(Path(__file__).resolve().parent))]
    sys.exit(main(sys.argv[1:]))
