"""Finds the Python interpreters of this machine: what each candidate is, and which of them a user asked for.

The answer of an interpreter is remembered by path, size and time of change, so that a second look starts no process.
``candidates`` knows where to look, ``releases`` which release runs on which Python, and ``installer`` downloads.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass as changing_dataclass
from dataclasses import field
from pathlib import Path
from typing import TypeAlias

from harness.core.errors import UsageError
from harness.core.files import replace_file
from harness.core.frozen import dataclass
from harness.core.paths import expand_home
from harness.core.patterns import pattern
from harness.provision.candidates import list_candidates, one_per_file
from harness.provision.releases import Minor, parse_minor

OLDEST_PYTHON: Minor = (3, 6)
"""The oldest Python into which uv installs: it starts interpreters with ``-I``, and its own code there needs 3.6."""

PROBE_TIMEOUT_S = 20.0
MEMORY_SCHEMA = 1

_VERSION_REQUEST = pattern(r"(?:python)?([0-9]{1,3}(?:\.[0-9]{1,4}){1,2})")
_VERSION = pattern(r"[0-9]+\.[0-9]+\.[0-9]+[0-9a-z+]*")

PYTHON_2 = "Python 2 (or before 3.4), which is out of scope"
"""The one rejection that is remembered: others (a missing library) may be gone tomorrow, this one stays."""

_PROBE = """
import platform, sys
base = getattr(sys, "_base_executable", None) or sys.executable
prefix = getattr(sys, "base_prefix", sys.prefix)
inside = prefix != sys.prefix
print("\\n".join([platform.python_version(), platform.python_implementation(), base, prefix, str(inside)]))
"""
_PROBE_LINES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python to build environments from: the real executable (never a virtual environment's), and what it is."""

    path: Path
    version: str  # full: "3.6.15"
    implementation: str  # "CPython", "PyPy"

    @property
    def minor(self) -> Minor:
        """The first two numbers of the version."""
        return parse_minor(self.version)


Answer: TypeAlias = Interpreter | str
"""What a candidate turned out to be: an interpreter, or why it can't be one (a line)."""

Probe: TypeAlias = Callable[[Path], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """All interpreters that were found, in the order of the search, and why each other candidate is none."""

    interpreters: tuple[Interpreter, ...]
    rejected: tuple[tuple[Path, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What ``--python`` asks for: a version ("3.6", "3.6.15"), one particular interpreter, or (neither is set) any."""

    version: str | None = None
    interpreter: Interpreter | None = None

    def matches(self, interpreter: Interpreter) -> bool:
        """Whether an interpreter is (one of) what was asked for."""
        if self.interpreter is not None:
            return interpreter.path == self.interpreter.path
        return self.version is None or f"{interpreter.version}.".startswith(f"{self.version}.")


@changing_dataclass(slots=True, kw_only=True)
class Memory:
    """What interpreters said of themselves, in one JSON file; a wrong or missing file only costs the time to ask."""

    file: Path
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    changed: bool = False

    @classmethod
    def load(cls, file: Path) -> Memory:
        """Load the stored memory; it is empty where there is none, or where the file can't be read."""
        try:
            data = json.loads(file.read_bytes())
        except (OSError, ValueError):
            data = {}
        known = data.get("interpreters") if isinstance(data, dict) and data.get("schema") == MEMORY_SCHEMA else {}
        return cls(file=file, answers=known if isinstance(known, dict) else {})

    def recall(self, path: Path) -> Answer | None:
        """What a path was found to be, if neither it nor the interpreter behind it changed since it was asked."""
        known = self.answers.get(str(path))
        if known is None or known.get("stamp") != _stamp(path):
            return None
        if known.keys() == {"stamp"}:
            return PYTHON_2
        base = Path(known["base"])
        if known["base_stamp"] != _stamp(base):
            return None
        return Interpreter(path=base, version=known["version"], implementation=known["implementation"])

    def ask_once(self, path: Path, ask: Probe) -> Answer:
        """The answer of a candidate: the remembered one, else by asking, and then it is remembered."""
        known = self.recall(path)
        if known is not None:
            return known
        answer = ask(path)
        if (isinstance(answer, Interpreter) or answer == PYTHON_2) and not _is_script(path):
            self.changed = True
            self.answers[str(path)] = {"stamp": _stamp(path), **_facts(answer)}
        return answer

    def save(self) -> None:
        """Write the file in one step if there is a new answer. A failed or a concurrent write loses an answer."""
        if not self.changed:
            return
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(self.file, json.dumps({"schema": MEMORY_SCHEMA, "interpreters": self.answers}))


def survey(
    memory: Memory, *, environ: Mapping[str, str], home: Path, own: Path | None = None, probe: Probe | None = None
) -> Survey:
    """Look at every candidate once, at last at ``own``, the Python that runs the harness.

    ``probe`` asks a candidate that the memory doesn't know (default: start it).
    """
    ask = probe or ask_interpreter
    interpreters: dict[Path, Interpreter] = {}
    rejected: list[tuple[Path, str]] = []
    for candidate in one_per_file([*list_candidates(environ, home), *([own] if own else [])]):
        answer = memory.ask_once(candidate, ask)
        if isinstance(answer, str):
            rejected.append((candidate, answer))
        else:
            interpreters.setdefault(answer.path, answer)
    memory.save()
    return Survey(interpreters=tuple(interpreters.values()), rejected=tuple(rejected))


def parse_request(
    text: str | None, memory: Memory, *, environ: Mapping[str, str], probe: Probe | None = None
) -> Request:
    """What ``--python`` means: a version, a path (executable, or the folder of an environment), or a name on PATH.

    A *version* that was asked for need not be here: uv or a container may provide it.

    Raises:
        UsageError: the text is none of these, or names something that isn't a Python.
    """
    if text is None:
        return Request()
    versioned = _VERSION_REQUEST.fullmatch(text)
    if versioned is not None:
        return Request(version=versioned[1])
    path = _find_named(text, environ)
    answer = memory.ask_once(path, probe or ask_interpreter)
    if isinstance(answer, str):
        raise UsageError(what=f"--python {text}: {path} is not a Python that can be used: {answer}", remedy=_REMEDY)
    return Request(interpreter=answer)


def ask_interpreter(path: Path) -> Answer:
    """Start a candidate and let it say what it is; a line where it can't be used, with what it said on stderr."""
    try:
        done = subprocess.run(
            [str(path), "-I", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it said nothing within {PROBE_TIMEOUT_S:g} s"
    except OSError as error:
        return f"it can't be started: {error.strerror}"
    if "Unknown option: -I" in done.stderr:
        return PYTHON_2
    return _parse_answer(path, done.returncode, done.stdout, done.stderr)


_REMEDY = "give a version (3.6, 3.6.15), the path of an interpreter, or its name on PATH; or leave --python out"


def _parse_answer(path: Path, status: int, stdout: str, stderr: str) -> Answer:
    lines = stdout.splitlines()
    if status != 0 or len(lines) != _PROBE_LINES or not _VERSION.fullmatch(lines[0]):
        said = next((line for line in stderr.splitlines() if line.strip()), "nothing")
        return f"it exits with {status} and says: {said.strip()}"
    version, implementation, base, prefix, inside = lines
    executable = Path(base or path).resolve()
    if inside == "True" and not executable.is_relative_to(Path(prefix).resolve()):
        # Before 3.8 a virtual environment doesn't tell its origin's executable, only the folder.
        origin = Path(prefix, "bin", "python" + ".".join(version.split(".")[:2]))
        executable = origin.resolve() if origin.is_file() else executable
    return Interpreter(path=executable, version=version, implementation=implementation)


def _facts(answer: Answer) -> dict[str, str]:
    if isinstance(answer, str):
        return {}
    facts = {"base": str(answer.path), "base_stamp": _stamp(answer.path)}
    return facts | {"version": answer.version, "implementation": answer.implementation}


def _is_script(path: Path) -> bool:
    """Which interpreter a script starts (a shim) depends on more than the file, so its answer is asked each time."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except PermissionError:
        return True  # it may be run, not read: nothing is known, as of a script


def _find_named(text: str, environ: Mapping[str, str]) -> Path:
    path = expand_home(Path(text))
    for inside in (path / "bin" / "python", path / "bin" / "python3"):
        if inside.is_file():
            return inside.absolute()
    if "/" in text:
        if path.is_file():
            return path.absolute()
        raise UsageError(what=f"--python {text}: there is no such file", remedy=_REMEDY)
    found = shutil.which(text, path=environ.get("PATH", "")) if text and not text.startswith("-") else None
    if found is None:
        raise UsageError(what=f"--python {text!r} is neither a version nor a program on PATH", remedy=_REMEDY)
    return Path(found)


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return "missing"
    return f"{status.st_mtime_ns}:{status.st_size}"
