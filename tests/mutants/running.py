"""One run of one mutant: the command line as a user would type it, and what its JSON says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.scoring import list_complaints
from tests.mutants.subjects import REPOSITORY, WORKSHOP, FetchError, PatchError, make_subject
from tests.mutants.table import Mutant

RUN_TIMEOUT_S = 300.0
CLEAN_UP_S = 30.0
PROFILE = ("--profile", "quick")
_SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the harness said of a mutant in one run, and what is wrong with that."""

    mutant: Mutant
    verdict: str
    findings: tuple[str, ...]
    notes: tuple[str, ...]
    complaints: tuple[str, ...]
    record: Path | None
    took_s: float
    said: dict[str, Any]

    @property
    def right(self) -> bool:
        """Whether it is all as the table says."""
        return not self.complaints


def run_mutant(mutant: Mutant, runs: Path | None = None) -> Outcome:
    """Make the mutant, run the harness on it, and compare. A patch that does not apply is a complaint, too."""
    began = time.monotonic()
    runs = (runs or WORKSHOP / "runs") / mutant.name
    try:
        command = build_command(mutant, make_subject(mutant), runs)
    except (FetchError, PatchError) as problem:
        return _outcome(mutant, {}, [str(problem)], None, began)
    try:
        done = run_beside_nobody(command)
    except subprocess.TimeoutExpired:
        return _outcome(mutant, {}, [f"the harness did not end within {RUN_TIMEOUT_S:g} s"], None, began)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        told = done.stderr.strip()[-_SHOWN_CHARACTERS:]
        return _outcome(mutant, {}, [f"no verdict, exit status {done.returncode}: {told}"], None, began)
    record = (runs / "latest").resolve()
    return _outcome(mutant, said, list_complaints(mutant, said), record, began)


def build_command(mutant: Mutant, subject: Path, runs: Path) -> list[str]:
    """The command line of a run, with the settings file that it names written."""
    runs.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "harness", "reproduce", str(subject), "--worker", mutant.worker, *PROFILE]
    if mutant.settings:
        settings = runs / "settings.py"
        settings.write_text("".join(f"{name} = {value!r}\n" for name, value in mutant.settings.items()))
        command += ["--settings", str(settings)]
    return [*command, *mutant.options, "--json", "--out", str(runs)]


def run_beside_nobody(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run the harness with a folder of temporary files of its own: some mutants leave files there on purpose."""
    # Short, for the path of a socket is, too; and open, for the proxy comes as another user.
    with tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o755)
        environ = {name: value for name, value in os.environ.items() if name != "ARGS"}
        environ |= {"NO_COLOR": "1", "TMPDIR": scratch}
        with subprocess.Popen(
            command, cwd=REPOSITORY, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                out, err = process.communicate(timeout=RUN_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                _end(process)
                raise
        return subprocess.CompletedProcess(command, process.returncode, out, err)


def _end(process: subprocess.Popen[str]) -> None:
    """Let the harness clean up behind itself; only then end it the hard way."""
    process.terminate()
    try:
        process.communicate(timeout=CLEAN_UP_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _outcome(mutant: Mutant, said: dict[str, Any], complaints: list[str], record: Path | None, began: float) -> Outcome:
    return Outcome(
        mutant=mutant,
        verdict=said.get("verdict", "none"),
        findings=tuple(finding["id"] for finding in said.get("findings", ())),
        notes=tuple(note["id"] for note in said.get("notes", ())),
        complaints=tuple(complaints),
        record=record,
        took_s=time.monotonic() - began,
        said=said,
    )
