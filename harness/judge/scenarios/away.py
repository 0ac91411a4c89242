"""What an arm of the scenario `jitter` shows, and what the model says of the same settings; nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import cast

from harness.core.errors import UsageError
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.core.observations import Observations
from harness.judge.scenarios.absence import (
    Absence,
    Delays,
    find_absence,
    find_delays,
    measure_boots_s,
    measure_exits_s,
    measure_paces,
)
from harness.judge.scenarios.draws import Draws, examine_draws
from harness.judge.scenarios.simulation import QUANTILE, Forecast, Service, find_jitter, forecast

CURVE_POINTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What the scenario was asked, from the record's settings."""

    boot_s: float | None  # None: the user's own app takes what it takes
    service_s: float
    slow_s: float
    most_away: float  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One arm: what was seen and what the model of the same settings predicts."""

    cell: Cell
    observations: Observations
    absence: Absence
    delays: Delays
    draws: Draws
    paces: Sequence[float]
    predicted: Forecast


def read_ask(settings: Mapping[str, Json]) -> Ask:
    """The scenario's settings as recorded; UsageError where they are not those of this scenario."""
    try:
        boot_s = settings["boot_s"]
        return Ask(
            boot_s=None if boot_s is None else float(cast(float, boot_s)),
            service_s=float(cast(float, settings["service_s"])),
            slow_s=float(cast(float, settings["slow_s"])),
            most_away=float(cast(float, settings["most_away"])),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise UsageError(
            what=f"The record is broken: its settings can't be read ({problem!r}).",
            remedy="Judge a record as the harness wrote it.",
        ) from problem


def measure(observations: Observations, ask: Ask) -> Measured | None:
    """What an arm shows; None where no worker ever said that it was ready."""
    absence = find_absence(observations)
    if absence is None:
        return None
    cell, boots_s = observations.cell, measure_boots_s(observations.lives)
    exits_s, paces = measure_exits_s(observations.lives), measure_paces(observations)
    service_s = cell.threads / median(paces) if paces else ask.service_s
    service = describe_service(
        cell,
        boot_s=median(boots_s) if boots_s else ask.boot_s or 0.0,
        service_s=service_s,
        exit_s=max(0.0, median(exits_s) - service_s) if exits_s else 0.0,
    )
    return Measured(
        cell=cell,
        observations=observations,
        absence=absence,
        delays=find_delays(observations),
        draws=examine_draws(observations.lives, max_requests=cell.max_requests, jitter=cell.max_requests_jitter),
        paces=paces,
        predicted=forecast(service, duration_s=absence.end_s),
    )


def describe_service(cell: Cell, *, boot_s: float, service_s: float, exit_s: float) -> Service:
    """A cell's settings as the model wants them."""
    return Service(
        workers=cell.workers,
        max_requests=cell.max_requests,
        jitter=cell.max_requests_jitter,
        boot_s=boot_s,
        service_s=service_s,
        exit_s=exit_s,
        threads=cell.threads,
    )


def predict_curve(arm: Measured) -> list[dict[str, Json]]:
    """What the model says of other jitters, up to max_requests, with all else as it was measured."""
    most = max(arm.cell.max_requests, arm.cell.max_requests_jitter)
    jitters = sorted({round(most * point / CURVE_POINTS) for point in range(CURVE_POINTS + 1)})
    found = (
        forecast(replace(arm.predicted.service, jitter=jitter), duration_s=arm.absence.end_s) for jitter in jitters
    )
    return [
        {
            "jitter": one.service.jitter,
            "worst_mean": round(one.mean, 2),
            "worst_q95": one.quantile(QUANTILE),
            "worst_lowest": one.worst[0],
            "worst_highest": one.worst[-1],
        }
        for one in found
    ]


def find_needed(arm: Measured, ask: Ask) -> Forecast | None:
    """The smallest jitter that the model thinks enough, for as many lives as the arm saw."""
    service = arm.predicted.service
    lives = arm.absence.end_s / (service.life_s + service.away_s)
    return find_jitter(service, most_away=ask.most_away, lives=lives)
