"""What was found: the smallest case, what each of its settings is necessary for, and ``minimise.json``."""

from __future__ import annotations

from harness.core.cells import cell_to_json
from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.studies.minimise.case import Case
from harness.studies.minimise.weighing import Sightings

SCHEMA = 1
FILE = "minimise.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Necessity:
    """A setting that is left, and what the runs without it showed. ``necessary``: the finding was gone."""

    setting: str
    value: str
    without: str
    tally: Sightings
    said: str
    necessary: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDifference:
    """A setting that the finding does not need."""

    setting: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseStep:
    """One case that was tried: what was changed, against the smallest one by then, and whether it was gone on with."""

    change: str
    tally: Sightings
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortScript:
    """``reproduce.sh`` of the smallest case. ``took_s``: None where it was not tried here; ``why``: why not."""

    text: str
    is_short: bool
    reproduced: bool | None = None
    took_s: float | None = None
    why: str = ""

    @property
    def lines(self) -> int:
        """How long it is."""
        return len(self.text.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class MinimiseResult:
    """``complete``: each setting that is left was shown to be necessary; else the budget came before."""

    finding: str
    spec: str
    python: str | None
    start: Case
    start_tally: Sightings
    case: Case
    tally: Sightings
    run_s: float  # the median of the smallest case's runs
    necessities: tuple[Necessity, ...]
    table_limit: int  # max_requests of the runs of the necessity table
    removals: tuple[CaseDifference, ...]
    steps: tuple[CaseStep, ...]
    command: tuple[str, ...]
    record: str | None
    script: ShortScript | None
    complete: bool
    runs: int
    took_s: float


def result_to_json(result: MinimiseResult) -> dict[str, Json]:
    """The content of ``minimise.json``."""
    script = result.script
    return {
        "schema": SCHEMA,
        "finding": result.finding,
        "spec": result.spec,
        "python": result.python,
        "complete": result.complete,
        "start": _case(result.start) | _tally(result.start_tally),
        "smallest": _case(result.case) | _tally(result.tally) | {"run_s": round(result.run_s, 2)},
        "necessity": [
            {
                "setting": one.setting,
                "value": one.value,
                "without": one.without,
                "necessary": one.necessary,
                **_tally(one.tally),
                "said": one.said,
            }
            for one in result.necessities
        ],
        "necessity_max_requests": result.table_limit,
        "unnecessary": [{"setting": one.setting, "from": one.before, "to": one.after} for one in result.removals],
        "command": list(result.command),
        "record": result.record,
        "script": None
        if script is None
        else {
            "lines": script.lines,
            "short": script.is_short,
            "reproduced": script.reproduced,
            "took_s": script.took_s,
        },
        "steps": [{"change": one.change, "kept": one.kept, **_tally(one.tally)} for one in result.steps],
        "runs": result.runs,
        "took_s": round(result.took_s, 1),
    }


def _case(case: Case) -> dict[str, Json]:
    return {
        "cell": cell_to_json(case.cell),
        "settings": list(case.statements),
        "packages": list(case.packages),
    }


def _tally(tally: Sightings) -> dict[str, Json]:
    return {"shown": tally.shown, "runs": tally.runs, "failed": tally.failed}
