"""Does what a runner does with a composite action: its steps in their order, with inputs, outputs and a job summary."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.integration.stubs import environ

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")


def load_action() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(ACTION.read_text())
    return content


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job left: the exit code of the first step that failed, all output, the outputs, the page, the artefact."""

    code: int
    said: str
    outputs: Mapping[str, str]
    summary: str
    artefact: Path


def run_action(workspace: Path, temp: Path, *, base: str, skip: tuple[str, ...] = (), **inputs: str) -> Job:
    """Run the steps in ``workspace``; ``base``: the commit that the event names; ``skip``: steps by their name."""
    action = load_action()
    temp.mkdir(exist_ok=True)
    values = {f"inputs.{name}": inputs.get(name, row["default"]) for name, row in action["inputs"].items()}
    values |= {"github.action_path": str(ROOT), "runner.temp": str(temp)}
    files = {"GITHUB_OUTPUT": temp / "output", "GITHUB_STEP_SUMMARY": temp / "summary.md"}
    code, said, artefact = 0, "", temp / "no-artefact"
    for step in action["runs"]["steps"]:
        if "uses" in step:
            assert step["if"] == "${{ !cancelled() }}"
            artefact = Path(_fill(step["with"]["path"], values, base))
        elif code == 0 and step["name"] not in skip:
            own = {name: _fill(value, values, base) for name, value in step.get("env", {}).items()}
            done = _run(step["run"], workspace, {**own, "RUNNER_TEMP": str(temp)}, files)
            code, said = done.returncode, said + done.stdout + done.stderr
    found = [line.partition("=") for line in _read(files["GITHUB_OUTPUT"]).splitlines()]
    outputs = {name: value for name, _, value in found}
    return Job(code=code, said=said, outputs=outputs, summary=_read(files["GITHUB_STEP_SUMMARY"]), artefact=artefact)


def _run(
    script: str, folder: Path, own: Mapping[str, str], files: Mapping[str, Path]
) -> subprocess.CompletedProcess[str]:
    told = {name: str(path) for name, path in files.items()}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],  # noqa: S607 - whatever bash is here
        cwd=folder,
        env=environ(**own, **told, GITHUB_ACTIONS="true", GITHUB_WORKSPACE=str(folder)),
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )


def _fill(text: str, values: Mapping[str, str], base: str) -> str:
    """Expressions replaced; one that is about the event is the commit of the base."""
    return _EXPRESSION.sub(lambda found: base if "github.event" in found[1] else values[found[1]], text)


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
