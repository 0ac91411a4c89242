"""One attempt: the harness is started in a place of its own, and what it did is compared with what it may do."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.core.clock import wait_until
from tests.integration.stubs import command, environ

MARK = "RECYCLE_HARNESS_ATTACK"
"""A variable of the attempt's own: processes that carry it, or the marker of one of its runs, belong to it."""

LONGEST_S = 60.0
END_S = 5.0
"""How long a process that is being ended may still be seen."""

MOST_LINES = 12
"""What a refusal may take: a cause, a remedy, and what was looked at."""

SAYS_BUG = ("Traceback (most recent call last)", "failure of the harness itself", "harness itself failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was tried and what is wrong with the outcome; no complaints: it was withstood."""

    name: str
    complaints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def complain(self, codes: Sequence[int], *, brief: bool = False) -> list[str]:
        """What is wrong: another exit code, a traceback, raw control characters, or (``brief``) too many words."""
        found = [] if self.code in codes else [f"exit {self.code}: {self.err[-300:]!r}"]
        found += [f"says {sign!r}: {self.err[-600:]!r}" for sign in SAYS_BUG if sign in self.out + self.err]
        found += [f"prints {sign!r}" for sign in ("\x1b", "\x07", "\0") if sign in self.out + self.err]
        if brief and len(self.err.splitlines()) > MOST_LINES:
            found.append(f"{len(self.err.splitlines())} lines on standard error")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder for one attempt: records, temporary files, and a canary that must stay as it is."""

    root: Path
    mark: str

    @property
    def out(self) -> Path:
        """Where the records go."""
        return self.root / "runs"

    @property
    def temporary(self) -> Path:
        """TMPDIR of the attempt."""
        return self.root / "t"

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of the attempt."""
        return environ(**{"TMPDIR": str(self.temporary), MARK: self.mark, **(more or {})})

    def start(self, *arguments: str | Path, more: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the command line."""
        return subprocess.Popen(
            command(*arguments),
            env=self.environ(more),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            start_new_session=True,
        )

    def run(self, *arguments: str | Path, more: Mapping[str, str] | None = None) -> Done:
        """Run the command line to its end."""
        return finish(self.start(*arguments, more=more))

    def leftovers(self) -> list[str]:
        """What an ended attempt has left that it must not."""
        wait_until(lambda: not self.processes(), timeout_s=END_S, alive=lambda: True)
        left = [f"still running: {line}" for line in self.processes().values()]
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not any(self.temporary.iterdir()), timeout_s=END_S, alive=lambda: True)
        left += [f"temporary: {path.name}" for path in self.temporary.iterdir()]
        if (self.root / "canary").read_text() != "alive":
            left.append("the canary is gone")
        return left

    def processes(self) -> dict[int, str]:
        """Those that carry our mark or the marker of one of our runs; pid -> command line."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                variables = (entry / "environ").read_bytes()
                argv = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            ours = b"RECYCLE_HARNESS_RUN=" in variables and os.fsencode(self.root) in argv
            if ours or f"{MARK}={self.mark}\0".encode() in variables:
                found[int(entry.name)] = argv.replace(b"\0", b" ").decode(errors="replace")[:200]
        return found


def finish(running: subprocess.Popen[str]) -> Done:
    """Wait for the end of a command; one that does not end is ended, and its exit code is a lie that no one expects."""
    try:
        out, err = running.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        os.killpg(running.pid, signal.SIGKILL)
        out, err = running.communicate()
        return Done(code=-999, out=out, err=f"it did not end within {LONGEST_S:g} s; {err}")
    return Done(code=running.returncode, out=out, err=err)


@contextmanager
def a_place() -> Iterator[Place]:
    """A fresh place, which is removed afterwards. Its path is short, and the proxy's user may enter it."""
    root = Path(tempfile.mkdtemp(prefix="rha-"))
    root.chmod(0o755)
    place = Place(root=root, mark=os.urandom(6).hex())
    place.temporary.mkdir(mode=0o755)
    (root / "canary").write_text("alive")
    try:
        yield place
    finally:
        shutil.rmtree(root, ignore_errors=True)
