"""Runs uv to make virtual environments, to install and to ask the index; and tells what uv's error messages mean.

The user's own configuration of *where* packages come from is honoured (mirrors, certificates, cache, offline).
Configuration that would change *what* is installed is ignored, because an environment here is pinned.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.errors import HarnessError, NoSuchReleaseError, SurroundingsError, UnrunnableError
from harness.core.paths import cache_dir
from harness.core.patterns import pattern
from harness.core.secrets import redact
from harness.core.subprocesses import Done, run
from harness.provision.complaints import SIGNS, Complaint, find_remedy, name_complaint
from harness.provision.hashes import with_hashes
from harness.provision.releases import suggest_release

INSTALL_TIMEOUT_S = 600.0
DOWNLOAD_TIMEOUT_S = 60.0
LINE_LENGTH = 400
"""How much of a complaint is shown in one line; the whole of it lies in the log."""

# fmt: off
_STEERING = frozenset({
    "CONDA_PREFIX", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH", "UV_BUILD_CONSTRAINT",
    "UV_COMPILE_BYTECODE", "UV_CONSTRAINT", "UV_EXCLUDE", "UV_EXCLUDE_NEWER", "UV_FORK_STRATEGY", "UV_NO_BINARY",
    "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD", "UV_NO_BUILD_ISOLATION", "UV_NO_BUILD_PACKAGE", "UV_OVERRIDE",
    "UV_PRERELEASE", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_REQUIRE_HASHES", "UV_RESOLUTION", "UV_SYSTEM_PYTHON",
    "UV_VENV_CLEAR", "UV_VENV_SEED", "VIRTUAL_ENV",
})
# fmt: on
_PIP_SETTINGS = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_CERT": "SSL_CERT_FILE"}


_NO_GUNICORN = pattern(r"there is no version of gunicorn\b")
_BUILT = pattern(r"Failed to build[^\w]*(?P<name>[A-Za-z0-9._-]+)")
_WANTS_PYTHON = pattern(r"gunicorn\S* depends on Python(?P<specifier>[<>=!~0-9.,]*[0-9])")
_OTHER_WANTS_PYTHON = pattern(r"(?P<name>[A-Za-z0-9._-]+(?:==\S+)?) depends on Python(?P<specifier>[<>=!~0-9.,]*[0-9])")
_ERROR_MARK = pattern(r"^error: ", re.MULTILINE)
_LAST_ERROR = pattern(r"^\s*(?P<line>\w*(?:Error|Exception|Exit)\b.*)$", re.MULTILINE)


@dataclass(kw_only=True, eq=False)
class WrongPythonError(UnrunnableError):
    """A distribution's metadata exclude the interpreter; ``wants`` is a PEP 440 specifier ("" where not told)."""

    wants: str = ""


def find_uv() -> Path:
    """The uv executable: of the ``uv`` distribution that the harness depends on, else on PATH.

    Raises:
        SurroundingsError: there is none.
    """
    try:
        import uv
    except ModuleNotFoundError:
        found = shutil.which("uv")
    else:
        try:
            found = uv.find_uv_bin()
        except FileNotFoundError:
            found = shutil.which("uv")
    if found is None:
        raise SurroundingsError(what="uv is missing", remedy="install the harness with its dependencies, or uv on PATH")
    return Path(found)


def uv_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv: without what steers a resolution, and with pip's mirror where uv has none of its own."""
    kept = {name: value for name, value in environ.items() if name not in _STEERING}
    for pip_name, uv_name in _PIP_SETTINGS.items():
        names = {uv_name, "UV_INDEX_URL"} if uv_name == "UV_DEFAULT_INDEX" else {uv_name}
        if environ.get(pip_name) and not names & kept.keys():
            kept[uv_name] = environ[pip_name]
    return kept


def create_venv(folder: Path, *, base: Path) -> None:
    """Make an empty virtual environment that can be moved; what ``install`` puts into it makes its folders.

    It is what PEP 405 asks for, and nothing else: ``uv venv`` adds scripts that nobody here runs, and takes a tenth of
    the time that a whole environment does.
    """
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(base)
    (folder / "lib64").symlink_to("lib")
    (folder / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n", encoding="utf-8"
    )


def install(
    folder: Path,
    requirements: Sequence[str],
    *,
    base: Path,
    subject: str,
    cwd: Path,
    log: Path,
    pinned: bool = True,
    keep_open: Sequence[int] = (),
) -> None:
    """Install into an environment. ``subject`` names the gunicorn; ``log`` gets all that uv said if it fails.

    ``base``: the Python that it was made of. The console scripts that come along name that one, which has none of these
    packages: nothing here starts them.
    ``pinned``: False where the index may have something newer than the cache. A file of a version whose digests are
    recorded (``hashes``) has to have one of them; else nothing is installed.

    Raises:
        WrongPythonError: a distribution's metadata exclude the interpreter.
        UnrunnableError, SurroundingsError: there is no such release, or its build fails; anything else failed.
    """
    listed = "".join(f"{with_hashes(line)}\n" for line in requirements)
    # uv would start a new environment's Python to learn what it is, a tenth of a second; it knows the base already.
    command = ["pip", "install", "--python", str(base), "--prefix", str(folder), "--requirement", "-"]
    # Try uv's cache first: asking the index again takes seconds, some answers make uv build an old source distribution
    # anew, and the requirements are pinned, so that the index has nothing newer.
    for cached_only in (["--offline"], []) if pinned else ([],):
        done = run_uv([*command, *cached_only], cwd, keep_open=keep_open, stdin=listed)
        if done.status == 0:
            return
    log.write_text(redact(done.stdout + done.stderr), encoding="utf-8")
    raise judge_failure(done.stderr, subject=subject, log=log)


def judge_failure(stderr: str, *, subject: str, log: Path | None) -> HarnessError:
    """The error for what uv said: the release's own fault, the interpreter's, or the surroundings'."""
    complaint, line, flat = classify(stderr), one_line(stderr), " ".join(stderr.split())
    if complaint is Complaint.WRONG_PYTHON:
        wants = _WANTS_PYTHON.search(flat)
        if wants is not None:
            specifier = wants["specifier"]
            return WrongPythonError(what=f"{subject} asks for Python {specifier}", wants=specifier, log=log)
        other = _OTHER_WANTS_PYTHON.search(flat)
        if other is not None:
            asks = f"{other['name']}, which is to be installed beside it, asks for Python {other['specifier']}"
            return WrongPythonError(what=f"{subject}: {asks}", wants=other["specifier"], log=log)
    if complaint is Complaint.NO_SUCH_VERSION and _NO_GUNICORN.search(flat):
        remedy = suggest_release(subject.removeprefix("gunicorn "))
        return NoSuchReleaseError(
            what=f"{subject} can't be installed: the package index has no such release", remedy=remedy
        )
    if complaint is Complaint.BUILD:
        built = _BUILT.search(flat)
        if built is not None and built["name"].lower().startswith("gunicorn"):
            reasons = _LAST_ERROR.findall(stderr)
            why = one_line(reasons[-1]) if reasons else line
            return UnrunnableError(what=f"{subject} can't be built: {why}", log=log)
    what = f"{subject} can't be installed: {name_complaint(complaint)}{line}"
    return SurroundingsError(what=what, remedy=find_remedy(complaint), log=log)


def newest_release(*, base: Path, cwd: Path) -> str:
    """The newest final release of gunicorn in the index, on whatever Python it runs; uv needs any one as ``base``.

    Raises:
        SurroundingsError: the index can't be reached.
    """
    output = ["--quiet", "--no-deps", "--no-header", "--no-annotate"]
    target = ["--refresh-package", "gunicorn", "--python", str(base), "--python-version", "3.99"]
    done = run_uv(["pip", "compile", *output, *target, "-"], cwd, stdin="gunicorn\n")
    found = re.search(r"^gunicorn==(?P<version>\S+)$", done.stdout, re.MULTILINE)
    if done.status != 0 or found is None:
        why = name_complaint(classify(done.stderr)) + one_line(done.stderr)
        raise SurroundingsError(
            what=f"the newest release of gunicorn can't be told: {why}",
            remedy="name a release (19.6.0) instead of latest, or mend the connection to the package index",
        )
    return found["version"]


def download_python(version: str, *, cwd: Path) -> str | None:
    """Let uv fetch a Python ("3.10"). None where it succeeded, else in one line why it didn't. At most 60 s."""
    try:
        done = run_uv(["python", "install", "--no-bin", version], cwd, timeout_s=DOWNLOAD_TIMEOUT_S, retries=1)
    except SurroundingsError as error:
        return error.what
    return None if done.status == 0 else name_cause(done.stderr)


_ADDRESS = pattern(r"(?: for url)? \(https?://[^)]*\)|:? `?https?://[^\s`]*`?")


def name_cause(text: str) -> str:
    """The last cause in uv's complaint, which is what all the others come from, without addresses."""
    start = _ERROR_MARK.search(text)
    last = text[start.end() if start else 0 :].rsplit(" cause: ", maxsplit=1)[-1]
    return " ".join(_ADDRESS.sub("", last).split()).strip(" :") or "it says nothing"


def is_unknown_python(failure: str) -> bool:
    """Whether uv fetched nothing because it knows no such Python, and not because the download failed."""
    return "No download found" in failure or "cannot be installed" in failure


def classify(stderr: str) -> Complaint:
    """The kind of a failure, from uv's output; a fault of the surroundings is looked for before one of the release."""
    flat = " ".join(stderr.split())
    return next((complaint for complaint, sign in SIGNS if sign.search(flat)), Complaint.OTHER)


def one_line(text: str) -> str:
    """An error message of many lines as one, without secrets: from where uv says "error", at most LINE_LENGTH long."""
    start = _ERROR_MARK.search(text)
    joined = " ".join(redact(text[start.end() if start else 0 :]).split()).replace(" cause: ", ": ")
    return joined if len(joined) <= LINE_LENGTH else joined[: LINE_LENGTH - 3] + "..."


def run_uv(
    arguments: Sequence[str],
    cwd: Path,
    *,
    keep_open: Sequence[int] = (),
    stdin: str = "",
    timeout_s: float = INSTALL_TIMEOUT_S,
    retries: int | None = None,
) -> Done:
    """Run uv with the user's configuration of where packages come from; ``cwd`` is a folder of ours."""
    # An empty uv.toml ends uv's search for a project's settings above the cache; the user's own are still read.
    (cwd / "uv.toml").touch()
    command = [str(find_uv()), "--color", "never", "--no-progress", *arguments]
    environ = uv_environ(os.environ) | {"TMPDIR": str(_locks_dir())}
    if retries is not None:
        environ.setdefault("UV_HTTP_RETRIES", str(retries))
    return run(command, cwd=cwd, environ=environ, timeout_s=timeout_s, keep_open=keep_open, stdin=stdin)


def _locks_dir() -> Path:
    """Where uv leaves its lock files, which it never removes."""
    folder = cache_dir() / "uv"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def complain(done: Done, what: str, kind: type[HarnessError]) -> HarnessError:
    """Make an error of that kind from ``what`` and uv's output, with a remedy where one is known."""
    complaint = classify(done.stderr)
    return kind(what=f"{what}: {one_line(done.stderr)}", remedy=find_remedy(complaint))
