"""Makes a scenario's runs one after the other in one record, which is judged afterwards.

A scenario gives it the arms and the settings.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import replace

from harness.core.cells import cell_id, cell_to_json
from harness.core.errors import SurroundingsError
from harness.core.events.base import ArmEvent
from harness.core.events.course import ArmBegun, Interrupted, ScenarioBegun
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome
from harness.core.signals import check, shielded
from harness.engine.conclusion import judge_stored, store_reports
from harness.engine.facts import collect_surroundings
from harness.engine.options import run_arguments
from harness.engine.preparation import prepare_environment, settle_load
from harness.engine.recording import describe_cell
from harness.engine.request import RunRequest
from harness.engine.run import Result, run_cell
from harness.provision.environments import Environment
from harness.records.store import RunFolder, create_run, load_run
from harness.report.fields import texts
from harness.watch.event_log import EventSink

ARMS = "arms"
_FAILED = (Outcome.ERROR, Outcome.UNRUNNABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """A scenario about to be run. ``arms``: name -> the run, in the order in which they are made.

    ``main`` names the arm that the verdict is about; ``settings`` go into the record for the judge and the reader;
    ``repeat`` is the command line that means the same scenario.
    """

    name: str
    arms: Mapping[str, RunRequest]
    main: str
    settings: Mapping[str, Json]
    repeat: tuple[str, ...]


def repeat_arguments(name: str, request: RunRequest, *more: str) -> tuple[str, ...]:
    """The command line of a scenario whose main arm is this request; ``more`` are the scenario's own options."""
    own = [argument for argument in run_arguments(request) if not argument.startswith("--out=")]
    return ("harness", "scenario", name, *more, *own)


def run_plan(plan: ScenarioPlan, *, say: Callable[[str], None]) -> Result:
    """Run all arms, judge the whole and store it; a failed arm is the last one.

    Raises:
        UsageError: the SPEC or the interpreter can't be meant; there is no record then.
        SurroundingsError: the record itself could not be written.
        KeyboardInterrupt: interrupted before there was anything to record.
    """
    request = settle_load(plan.arms[plan.main])
    environment, _ = prepare_environment(request, say)  # a release that can't be had is recorded by the first arm
    with nullcontext() if environment is None else closing(environment):  # all arms share it
        folder = _create_folder(plan, request, environment)
        with closing(EventSink(folder.path / "events.jsonl")) as sink:
            try:
                interrupted = _run_arms(plan, folder, sink, say)
            except KeyboardInterrupt:
                interrupted = True
                sink.emit(Interrupted(phase="between its runs"))
            with shielded():
                return _conclude(folder, sink, interrupted=interrupted)


def _run_arms(
    plan: ScenarioPlan,
    folder: RunFolder,
    sink: EventSink,
    say: Callable[[str], None],
) -> bool:
    """One after the other; True where one was interrupted."""
    facts: dict[str, Mapping[str, Json]] = {}
    sink.emit(ScenarioBegun(name=plan.name, settings=dict(plan.settings)))
    for name, request in plan.arms.items():
        check()  # a signal may have come while the arm before was stored

        def say_of_arm(text: str, name: str = name) -> None:
            say(f"{name}: {text}")

        arm = replace(request, out=folder.path / ARMS, label=f"{name}-")
        result = run_cell(arm, say=say_of_arm)
        with shielded():
            facts[name] = _adopt(folder, sink, name, result)
            _write_facts(folder, plan, facts)
        if result.interrupted or result.verdict.outcome in _FAILED:
            return result.interrupted
    return False


def _create_folder(plan: ScenarioPlan, request: RunRequest, environment: Environment | None) -> RunFolder:
    """The scenario's folder, with its cell in it."""
    cell, label = describe_cell(request, environment)
    cell = replace(cell, scenario=plan.name)
    folder = create_run(request.out, f"scenario-{plan.name}-{cell_id(cell, label)}")
    folder.write_json("cell.json", cell_to_json(cell))
    _write_facts(folder, plan, {})
    return folder


def _adopt(folder: RunFolder, sink: EventSink, name: str, result: Result) -> Mapping[str, Json]:
    """Take an arm's record into the scenario's: its events, its configuration and its error logs; gives its facts."""
    with load_run(result.path) as stored:
        run = str(stored.path.relative_to(folder.path))
        sink.emit(ArmBegun(name=name, run=run, cell=cell_to_json(stored.cell)))
        for event in stored.events():
            sink.emit(ArmEvent(at_ns=event.at_ns, arm=name, event=event))
        sink.check()
        facts = stored.facts
    try:
        shutil.copytree(result.path / "config", folder.config / name)
        (folder.logs / name).mkdir()
        for log in result.path.glob("logs/*error.log"):
            shutil.copyfile(log, folder.logs / name / log.name)
    except OSError as problem:  # copytree tells several at once, as a list instead of a text
        raise SurroundingsError(
            what=f"The files of {run} could not be copied into {folder.path}: {problem.strerror or problem}.",
            remedy=f"Make room there (`df {folder.path}`), or name another folder with --out.",
        ) from problem
    return facts


def _write_facts(folder: RunFolder, plan: ScenarioPlan, arms: Mapping[str, Mapping[str, Json]]) -> None:
    """What the arms ran on under the keys of a single run's facts, and how each differs from the original report."""
    facts: dict[str, Json] = {**collect_surroundings(folder.run_id), "repeat": list(plan.repeat)}
    deviations: dict[str, list[str]] = {}
    for name, found in arms.items():
        facts |= {key: found[key] for key in ("gunicorn", "python", "proxy", "load") if key in found}
        for said in texts(found, "deviations"):
            deviations.setdefault(said, []).append(name)
    facts["deviations"] = [
        said if len(names) == len(arms) else f"{', '.join(names)}: {said}" for said, names in deviations.items()
    ]
    folder.write_json("facts.json", facts)


def _conclude(folder: RunFolder, sink: EventSink, *, interrupted: bool) -> Result:
    """Judge the record as it lies on disk, exactly as `harness judge` will."""
    sink.close()
    sink.check()
    verdict = judge_stored(folder)
    store_reports(folder)
    note = folder.link_latest()
    return Result(path=folder.path, verdict=verdict, interrupted=interrupted, note=note)
