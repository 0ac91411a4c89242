"""The scenario ``leak``: does memory grow without restarts, and do restarts keep it in bounds?

Asked of two runs of the same app: ``without`` max_requests, which measures the leak, and ``with``, which must stay
within what the settings then promise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from harness.core.findings import FindingId
from harness.core.model import Cell, Finding, Json, Judgement, State
from harness.core.text import plural
from harness.judge.scenarios.arms import ScenarioAnswer, Seen
from harness.judge.scenarios.bound import Bound, Leak, Recommendation, mb, measure_leak, promise, recommend
from harness.judge.scenarios.leak_words import WITH, WITHOUT, advise, tabulate, tell_answer
from harness.judge.scenarios.memory import (
    Growth,
    Sample,
    find_growth,
    fit_cycles,
    noise_bytes,
    read_samples,
    tell_slope,
)
from harness.judge.scenarios.record import Trial
from harness.judge.scenarios.regression import Line
from harness.judge.timeline import find_blind, since_load_s
from harness.judge.verdict import count_recycles

BOUNDED, MEASURED = "memory-bounded", "leak-measured"

AS_SET = (0.75, 1.5)
"""Our own app's measured leak must lie within these multiples of what it was told to leak, or the measure is wrong."""

CONTROLLED = 0.5
"""With restarts, growth must certainly be below this part of the growth without them."""

_WORDS = {State.VIOLATED: "grows", State.HOLDS: "bounded", State.UNKNOWN: "unknown"}


def judge(trial: Trial, seen: Mapping[str, Seen]) -> ScenarioAnswer:
    """The answer of the scenario; pure."""
    samples = {name: read_samples(trial.arms[name], seen[name].observations) for name in trial.arms}
    growth = _measure(trial, seen, samples)
    cell = trial.cell
    leak = measure_leak(growth, samples[WITHOUT], cell.workers) if WITHOUT in samples else None
    served = _most_served(seen)
    bound = None if leak is None else promise(leak, cell, served)
    judgements = {
        BOUNDED: _judge_bound(trial, seen, samples, growth, bound),
        MEASURED: Judgement(state=State.UNKNOWN if leak is None else State.HOLDS, reason=f"without: {growth.reason}"),
    }
    arms = {name: _describe(samples[name], seen[name]) for name in trial.arms}
    if WITHOUT in arms:
        arms[WITHOUT] |= {"memory": _WORDS[growth.state], "bytes_per_request": _line(growth.line)}
    if WITH in arms:
        arms[WITH] |= {"memory": _bounded(judgements[BOUNDED].state), **_bound_to_json(bound)}
    advice = _recommend(trial, leak, served)
    peak = max((sample.total_bytes for sample in samples.get(WITH, ())), default=None)
    return ScenarioAnswer(
        sentence=tell_answer(cell, growth, judgements[BOUNDED].state, peak, bound),
        judgements=judgements,
        arms=arms,
        tables=tuple(tabulate(cell, growth, leak, bound, arms)),
        notes=tuple(advise(advice, cell.workers)),
        more={
            "leak": None if leak is None else {name: round(value, 1) for name, value in asdict(leak).items()},
            "recommendation": None if advice is None else asdict(advice),
        },
    )


def find_bound(trial: Trial) -> Bound | None:
    """What the settings promise, by what the arm without restarts shows; None where that is not known."""
    if WITHOUT not in trial.arms:
        return None
    samples = read_samples(trial.arms[WITHOUT], trial.arms[WITHOUT].observe())
    leak = measure_leak(find_growth(samples), samples, trial.cell.workers)
    return None if leak is None else promise(leak, trial.cell)


def _measure(trial: Trial, seen: Mapping[str, Seen], samples: Mapping[str, Sequence[Sample]]) -> Growth:
    """The growth without restarts; unknown where it can't be believed."""
    if WITHOUT not in samples:
        return Growth(state=State.UNKNOWN, reason="it never ran")
    blind = find_blind(seen[WITHOUT].observations, "memory", "tallies")
    if blind is not None:
        return Growth(state=State.UNKNOWN, reason=blind)
    growth = find_growth(samples[WITHOUT])
    told = trial.settings.get("leak_bytes")
    if trial.settings.get("leak") not in ("objects", "native") or not isinstance(told, int) or growth.line is None:
        return growth
    low, high = (told * factor for factor in AS_SET)
    if growth.state is State.UNKNOWN or (growth.state is State.VIOLATED and low <= growth.line.slope <= high):
        return growth
    reason = f"the app was told to leak {told:,} bytes a request, but {growth.reason}"
    return Growth(state=State.UNKNOWN, reason=reason, line=growth.line)


def _judge_bound(
    trial: Trial,
    seen: Mapping[str, Seen],
    samples: Mapping[str, Sequence[Sample]],
    growth: Growth,
    bound: Bound | None,
) -> Judgement:
    """Whether the service with restarts stays within what its settings promise."""
    if WITH not in samples:
        return _unknown("it never ran")
    observations, cell = seen[WITH].observations, trial.cell
    blind = find_blind(observations, "memory", "tallies", "workers")
    if blind is not None:
        return _unknown(blind)
    line = fit_cycles(samples[WITH], cycle_requests(cell))
    if line is None:
        cycles = f"eight cycles of {cycle_requests(cell):,.0f} each"
        return _unknown(f"too few requests to tell, it takes {cycles}: raise --duration, or lower --max-requests")
    if bound is None:
        return _unknown("the settings promise nothing that is known, because the leak is not")
    return _hold_against(bound, line, samples[WITH], growth, seen[WITH])


def _hold_against(bound: Bound, line: Line, samples: Sequence[Sample], growth: Growth, seen: Seen) -> Judgement:
    """Unbounded is what is above its bound and grows from cycle to cycle; bounded what does neither.

    What is above its bound and does not grow is bounded too, if what the workers have served explains it.
    """
    peak = max(samples, key=lambda sample: sample.total_bytes)
    grows = line.low * (samples[-1].requests - samples[0].requests) > noise_bytes(samples)
    above = peak.total_bytes > bound.allowed_bytes
    told = f"{mb(peak.total_bytes)} at most, where the settings promise {mb(bound.promised_bytes)}"
    if above and grows:
        detail = f"memory grows by {tell_slope(line)} although workers should restart: {told}"
        finding = Finding(
            id=FindingId.MEMORY_UNBOUNDED,
            at_s=since_load_s(seen.observations, peak.at_ns),
            detail=detail,
            evidence={"peak_bytes": peak.total_bytes, "bytes_per_request": _line(line)},
        )
        return Judgement(state=State.VIOLATED, reason=detail, findings=(finding,))
    if grows or peak.total_bytes > bound.kept_bytes:
        return _unknown(f"{told}; from cycle to cycle it grows by {tell_slope(line)}: raise --duration")
    if above:
        told += f", because a worker served up to {_most_served({WITH: seen}):,} requests before it restarted"
    if growth.state is State.VIOLATED and growth.line is not None and line.high > CONTROLLED * growth.line.low:
        return _unknown(f"from cycle to cycle it grows by {tell_slope(line)}, too wide to tell: raise --duration")
    restarted = plural(count_recycles(seen.observations), "worker")
    rest = f"from cycle to cycle {tell_slope(line)}"
    return Judgement(state=State.HOLDS, reason=f"{told}; {restarted} restarted; {rest}")


def cycle_requests(cell: Cell) -> float:
    """How many requests it takes on average until each worker has restarted once."""
    return cell.workers * (cell.max_requests + cell.max_requests_jitter / 2)


def _unknown(reason: str) -> Judgement:
    return Judgement(state=State.UNKNOWN, reason=reason)


def _bounded(state: State) -> str:
    return {State.VIOLATED: "unbounded", State.HOLDS: "bounded", State.UNKNOWN: "unknown"}[state]


def _describe(samples: Sequence[Sample], seen: Seen) -> dict[str, Json]:
    """What was measured of one arm, in bytes."""
    load = seen.observations.load
    measured: dict[str, Json] = {
        "samples": len(samples),
        "requests": load.requests if load else 0,
        "recycles": count_recycles(seen.observations),
    }
    if samples:
        sizes = [sample.total_bytes for sample in samples]
        measured |= {"first_bytes": sizes[0], "last_bytes": sizes[-1], "peak_bytes": max(sizes)}
        measured |= {"arbiter_bytes": samples[-1].arbiter_bytes, "file_bytes": max(one.file_bytes for one in samples)}
    return measured


def _line(line: Line | None) -> Json:
    """The slope and its 95 % confidence interval."""
    if line is None:
        return None
    return {name: round(value, 2) for name, value in (("slope", line.slope), ("low", line.low), ("high", line.high))}


def _bound_to_json(bound: Bound | None) -> dict[str, Json]:
    if bound is None:
        return {"promised_bytes": None, "allowed_bytes": None}
    return {"promised_bytes": round(bound.promised_bytes), "allowed_bytes": round(bound.allowed_bytes)}


def _most_served(seen: Mapping[str, Seen]) -> int:
    """The most that a worker served before it restarted; 0 where none did."""
    lives = seen[WITH].observations.lives if WITH in seen else ()
    return max((life.served for life in lives if life.ended_ns is not None and life.announced_restart), default=0)


def _recommend(trial: Trial, leak: Leak | None, served: int) -> Recommendation | None:
    """Where it was asked for, and the leak is known."""
    limit = trial.settings.get("limit_mb")
    if leak is None or isinstance(limit, bool) or not isinstance(limit, int | float):
        return None
    return recommend(leak, trial.cell, limit * 1e6, served)
