"""The CI definitions: valid by their schemas, and their commands, taken out of them, do here what they do there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.integration.stubs import environ, needs_tools

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github" / "workflows" / "matrix.yml"
MUTANTS = ROOT / ".github" / "workflows" / "mutants.yml"
GITLAB = ROOT / ".gitlab-ci.yml"

SMALL = {"VERSIONS": "19.6.0,27.0.1", "WORKERS": "sync", "REPEATS": "1"}
SET_UP = re.compile(r"make (setup|tools)\b|apt-get |git clone ")
"""Done already where the tests run, and nothing that a test should repeat."""


def load(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text())
    return content


def run_here(script: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """As the CI systems do: bash, from a folder that looks like the checkout, each failing line fails the step."""
    harness = folder / ".venv"
    if not harness.exists():
        harness.symlink_to(Path(sys.prefix), target_is_directory=True)
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],  # noqa: S607 - whatever bash is here
        cwd=folder,
        env=environ(**SMALL, **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def steps(job: dict[str, Any]) -> list[str]:
    """The commands of a job, without those that set the machine up."""
    return [step["run"] for step in job["steps"] if "run" in step and not SET_UP.search(step["run"])]


@pytest.mark.parametrize(
    ("schema", "path"),
    [("vendor.github-workflows", GITHUB), ("vendor.github-workflows", MUTANTS), ("vendor.gitlab-ci", GITLAB)],
    ids=["github", "github-mutants", "gitlab"],
)
def test_the_definition_is_valid(schema: str, path: Path) -> None:
    more = ["--data-transform", "gitlab-ci"] if path == GITLAB else []
    argv = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *more, str(path)]
    checked = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_no_expression_stands_inside_a_command() -> None:
    """What a user types into the form of a manual run must be data, never a part of a script."""
    for job in load(GITHUB)["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")


@needs_tools
def test_the_workflow_of_github_runs_here(tmp_path: Path) -> None:
    jobs = load(GITHUB)["jobs"]
    output, summary = tmp_path / "output", tmp_path / "summary.md"
    files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}

    (plan,) = steps(jobs["plan"])
    done = run_here(plan, tmp_path, SHARDS=load(GITHUB)["env"]["SHARDS"], **files)
    assert done.returncode == 0, done.stderr
    name, _, value = output.read_text().strip().partition("=")
    assert jobs["plan"]["outputs"][name] == f"${{{{ steps.list.outputs.{name} }}}}"
    include = json.loads(value)["include"]
    assert [row["releases"] for row in include] == ["19.6.0", "27.0.1"]

    assert jobs["run"]["env"] == {"SHARD": "${{ matrix.shard }}"}
    (run,) = steps(jobs["run"])
    for place, row in enumerate(include):
        done = run_here(run, tmp_path, SHARD=row["shard"], **files)
        assert done.returncode == 0, done.stdout + done.stderr
        (tmp_path / "runs" / "matrix").rename(upload(tmp_path, place))
    assert not summary.exists(), "single runs leave the page to the summary job"

    (merge,) = steps(jobs["summary"])
    done = run_here(merge, tmp_path, **files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| 19.6.0 | 2016-05-23 | holds |" in summary.read_text()
    assert "| 27.0.1 | 2026-11-12 | holds |" in summary.read_text()
    linked = re.findall(r'href="\./(records/[^"]+)"', (tmp_path / "summary" / "index.html").read_text())
    assert len(set(linked)) == 2
    assert all((tmp_path / "summary" / page).is_file() for page in linked)


def upload(folder: Path, place: int) -> Path:
    """Where the summary job's download puts the records of one shard."""
    target = folder / "records" / f"records-{place}"
    target.parent.mkdir(exist_ok=True)
    return target


@needs_tools
def test_a_shard_that_never_came_back_is_noticed(tmp_path: Path) -> None:
    (merge,) = steps(load(GITHUB)["jobs"]["summary"])
    (tmp_path / "records").mkdir()
    summary = tmp_path / "summary.md"
    done = run_here(merge, tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "there is no record of it" in summary.read_text()


@pytest.mark.slow
@needs_tools
def test_the_pipeline_of_gitlab_runs_here(tmp_path: Path) -> None:
    jobs = load(GITLAB)
    shards = jobs["run"]["parallel"]["matrix"][0]["SHARD"]
    listed = run_here(".venv/bin/harness matrix --list --format gitlab --shards 4", tmp_path)
    assert json.loads(listed.stdout) == jobs["run"]["parallel"]["matrix"]
    for place, shard in enumerate(shards[:2], start=1):
        variables = {"SHARD": shard, "CI_NODE_INDEX": str(place)}
        done = run_here("\n".join(jobs["run"]["script"]), tmp_path, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob(jobs["run"]["artifacts"]["reports"]["junit"]))) == 2
    done = run_here("\n".join(jobs["summary"]["script"]), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "summary" / "matrix.md").is_file()


@needs_tools
@pytest.mark.parametrize("path", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_the_nightly_command_means_something(tmp_path: Path, path: Path) -> None:
    """Only listed: it would run the newest release there is, and a checkout, at length."""
    content = load(path)
    script = "\n".join(steps(content["jobs"]["newest"]) if path == GITHUB else content["newest"]["script"])
    (line,) = re.findall(
        r"^(?:- )?(\.venv/bin/harness matrix .*?)(?: \|\| code=\$\?)?$", script.replace("\\\n", ""), re.MULTILINE
    )
    package = tmp_path / "gunicorn" / "gunicorn"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("version_info = (99, 0)\n")
    (tmp_path / "gunicorn" / "pyproject.toml").touch()
    done = run_here(f"{line} --list", tmp_path, CHECKOUT="gunicorn")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["latest sync h2o", "./gunicorn sync h2o"]


@pytest.mark.parametrize("workflow", [GITHUB, MUTANTS], ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """A tag can be moved to other code, a commit can't."""
    used = re.findall(r"uses: (\S+)", workflow.read_text())
    assert used
    assert [action for action in used if re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) is None] == []
