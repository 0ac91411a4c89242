"""The action, the workflow and the GitLab component: valid by their schemas, and what their steps make of an outcome.

The harness is a stub here; tests/regression/test_action.py makes the real runs.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.integration.action_steps import ACTION, ROOT, load_action, run_action

WORKFLOW = ROOT / ".github" / "workflows" / "compare.yml"
COMPONENT = ROOT / "templates" / "compare.yml"
SET_UP = ("Get the harness", "Get the proxy and the load generator")
PINNED = re.compile(r"^ +(?:- )?uses: (?!\./)\S+@[0-9a-f]{40} # v[0-9.]+$")


def check(schema: str, path: Path, *more: str) -> None:
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *more, str(path)]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_the_action_and_the_workflow_are_valid() -> None:
    check("vendor.github-actions", ACTION)
    check("vendor.github-workflows", WORKFLOW)


def test_the_component_is_valid_and_uses_every_input(tmp_path: Path) -> None:
    head, _, pipeline = COMPONENT.read_text().partition("\n---\n")
    inputs = YAML(typ="safe", pure=True).load(head)["spec"]["inputs"]
    (tmp_path / "pipeline.yml").write_text(pipeline)
    check("vendor.gitlab-ci", tmp_path / "pipeline.yml", "--data-transform", "gitlab-ci")
    assert set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", pipeline)) == set(inputs)
    assert all(set(row) == {"description", "default"} for row in inputs.values())


def test_the_contracts_inputs_and_outputs() -> None:
    action = load_action()
    assert list(action["inputs"]) == ["subject", "baseline", "workers", "disturb", "profile"]
    assert list(action["outputs"]) == ["verdict", "report"]
    called: dict[str, Any] = YAML(typ="safe", pure=True).load(WORKFLOW.read_text())
    assert set(action["inputs"]) < set(called["on"]["workflow_call"]["inputs"])


@pytest.mark.parametrize(
    "path", [ACTION, *sorted((ROOT / ".github" / "workflows").glob("*.yml"))], ids=lambda path: path.name
)
def test_foreign_actions_are_pinned_by_commit_and_inputs_are_data(path: Path) -> None:
    text = path.read_text()
    used = [line for line in text.splitlines() if "uses:" in line and "uses: ./" not in line]
    assert used
    assert [line for line in used if not PINNED.match(line)] == []
    content = YAML(typ="safe", pure=True).load(text)
    jobs = content["jobs"].values() if "jobs" in content else [content["runs"]]
    assert not [step for job in jobs for step in job.get("steps", ()) if "${{" in step.get("run", "")]


@pytest.mark.parametrize(("harness", "job"), [(0, 0), (1, 1), (3, 0), (4, 4), (5, 5), (2, 2)])
def test_only_what_got_worse_or_could_not_be_tried_fails(tmp_path: Path, harness: int, job: int) -> None:
    stub(tmp_path / "temp", f'printf \'%s\\n\' "$@" > "$RUNNER_TEMP/asked"; exit {harness}')
    values = {"subject": "a folder; touch owned", "baseline": "$(touch owned)", "workers": "sync"}
    ran = run_action(tmp_path, tmp_path / "temp", base="", skip=SET_UP, **values)
    assert ran.code == job, ran.said
    asked = (tmp_path / "temp" / "asked").read_text().splitlines()
    assert asked[-3:] == ["--", "$(touch owned)", "a folder; touch owned"]
    assert asked[asked.index("--workers") + 1] == "sync"
    assert asked[asked.index("--disturb") + 1] == "recycle,reload,upgrade"
    assert not list(tmp_path.rglob("owned"))


def test_the_base_of_the_pull_request_is_the_baseline(tmp_path: Path) -> None:
    for command in ("init -q", "-c user.name=a -c user.email=a@b commit -q --allow-empty -m base"):
        subprocess.run(["git", *shlex.split(command)], cwd=tmp_path, check=True)  # noqa: S607 - git is on PATH
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, check=True, capture_output=True, text=True)  # noqa: S607 - likewise
    stub(tmp_path / "temp", 'printf \'%s\\n\' "$@" > "$RUNNER_TEMP/asked"')
    ran = run_action(tmp_path, tmp_path / "temp", base=head.stdout.strip(), skip=SET_UP)
    assert ran.code == 0, ran.said
    asked = (tmp_path / "temp" / "asked").read_text().splitlines()
    assert asked[-2:] == [f"git+file://{tmp_path}@{head.stdout.strip()}", "."]


def stub(temp: Path, script: str) -> None:
    """Instead of the harness: a script that writes down what it was asked."""
    place = temp / "recycle-harness" / "bin" / "harness"
    place.parent.mkdir(parents=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
