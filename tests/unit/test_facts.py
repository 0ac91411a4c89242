"""What a record says that its run ran on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.backends import Command
from harness.core.model import Cell
from harness.engine import facts
from harness.engine.servers import PASSED_ON
from harness.provision.environments import Environment
from harness.provision.releases import load_catalogue
from harness.provision.tools import Tool

SHIM = load_catalogue().shims[0]
ENVIRONMENT = Environment(
    path=Path("/envs/x"),
    python=Path("/envs/x/bin/python"),
    python_version="3.6.15",
    gunicorn_version="19.6.0",
    label="19.6.0",
    revision=None,
    shims=(SHIM.name,),
    freeze=("bottle==0.12.13", "gunicorn==19.6.0"),
    looked_at=("/usr/bin/python3.6 3.6.15: taken",),
    base_python=Path("/usr/bin/python3.6"),
    built=False,
    build_s=1.0,
    leases=(),
)
CELL = Cell(spec="19.6.0", proxy="none", load="httpx")


def collect(cell: Cell = CELL, **changes: Any) -> dict[str, Any]:
    argv = ("python", "-m", "gunicorn")
    nowhere = Path("/nowhere")
    command = Command(name="gunicorn", argv=argv, env={}, cwd=nowhere, stdout=nowhere, stderr=nowhere)
    asked: dict[str, Any] = {
        "cell": cell,
        "run_id": "R",
        "environment": ENVIRONMENT,
        "command": command,
        "proxy": None,
        "load_tool": Tool(name="httpx", path=Path("/envs/x/bin/python")),
    }
    return facts.collect_facts(**{**asked, **changes})


def test_facts_are_json_that_names_all_that_took_part() -> None:
    said = json.loads(json.dumps(collect(load_note="wrk is missing")))
    assert said["run"] == "R"
    assert said["gunicorn"]["version"] == "19.6.0"
    assert said["gunicorn"]["freeze"] == list(ENVIRONMENT.freeze)
    assert said["gunicorn"]["shims"] == [{"name": SHIM.name, "why": SHIM.reason}]
    assert said["gunicorn"]["command"] == ["python", "-m", "gunicorn"]
    assert said["python"] == {
        "version": "3.6.15",
        "path": "/usr/bin/python3.6",
        "looked_at": list(ENVIRONMENT.looked_at),
    }
    assert said["proxy"] == {"name": "none", "version": None}
    assert (said["load"]["name"], said["load"]["note"]) == ("httpx", "wrk is missing")
    assert "containers" not in said


def test_containers_are_named_where_there_are_some() -> None:
    assert collect(containers={"engine": "27"})["containers"] == {"engine": "27"}


def test_the_surroundings_name_what_gunicorn_inherits_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_TOKEN", "s3cret")
    monkeypatch.setenv(next(iter(PASSED_ON)), "passed")
    said = facts.collect_surroundings("R")
    assert "s3cret" not in json.dumps(said)
    environment = said["environment"]
    assert isinstance(environment, dict)
    assert environment[next(iter(PASSED_ON))] == "passed"
    assert set(environment) <= set(PASSED_ON)


def deviations(cell: Cell = CELL, environment: Environment = ENVIRONMENT) -> list[str]:
    return [str(one) for one in facts.list_deviations(cell, environment)]


def test_a_field_with_another_value_than_the_reports_is_a_deviation() -> None:
    usual = deviations()
    assert [one for one in deviations(replace(CELL, workers=7)) if one not in usual] == ["workers: 7 instead of 5"]
    assert not any(one.startswith("workers:") for one in usual)


def test_another_python_and_another_bottle_are_deviations() -> None:
    assert not any(one.startswith(("Python", "bottle")) for one in deviations())
    newer = replace(ENVIRONMENT, python_version="3.13.1", freeze=("bottle==0.13.4",))
    said = deviations(environment=newer)
    assert "Python 3.13.1 instead of 3.6" in said
    assert any(one.startswith("bottle==0.13.4 instead of bottle==0.12.13") for one in said)


def test_the_ledger_and_each_shim_are_deviations() -> None:
    assert any(one.startswith("ledger: ") for one in deviations())
    assert not any(one.startswith("ledger: ") for one in deviations(replace(CELL, ledger=False)))
    assert deviations()[-1] == f"shim {SHIM.name}: {SHIM.reason}"


def test_what_a_scenario_brings_comes_after_the_cells_own_deviations() -> None:
    assert collect(brought=["app: another one"])["deviations"] == [*deviations(), "app: another one"]
