"""The answer of the scenario `jitter` in words, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, median, pstdev

from harness.core.model import Json
from harness.judge.scenarios.away import Ask, Measured
from harness.judge.scenarios.draws import Draws
from harness.judge.scenarios.simulation import QUANTILE, Forecast

HEAD = ("", "worst away", "of", "predicted", "away on average", "slow probes", "failed probes", "requests a life")
LEAST_SAID_P = 0.0001


def say_p(p: float) -> str:
    """A p-value for a reader."""
    return f"below {LEAST_SAID_P}" if p < LEAST_SAID_P else f"{p:.2g}"


def say_kept(draws: Draws) -> str:
    """How the ended lives compare with what they drew."""
    if not draws.ended:
        return "none of them ended"
    over = f", at most {draws.most_over} more" if draws.most_over > 0 else ""
    return (
        f"{draws.exact} of {draws.ended} ended lives served exactly what they drew{over} "
        f"({draws.fewest_served} to {draws.most_served})"
    )


def say_answer(arms: Mapping[str, Measured], name: str) -> str:
    """One sentence: with the jitter that was asked for, and with the others."""
    judged = arms[name]
    worst, workers = judged.absence.worst.away, judged.absence.workers
    words = (
        f"with a jitter of {judged.cell.max_requests_jitter} at most {worst} of {workers} workers were away at once "
        f"({worst / workers:.0%})"
    )
    others = [
        f"with {found.cell.max_requests_jitter}: {found.absence.worst.away}"
        for arm, found in arms.items()
        if arm != name
    ]
    return "; ".join([words, *others])


def say_notes(arms: Mapping[str, Measured], name: str, needed: Forecast | None, ask: Ask) -> list[str]:
    """What else a reader should know: later rounds, how evenly the workers were driven, the jitter that is needed."""
    notes = []
    for arm, found in arms.items():
        again, worst = found.absence.worst_again, found.absence.worst.away
        if again is not None and again < worst and not found.cell.max_requests_jitter:
            notes.append(
                f"{arm}: {worst} away in the first round, never more than {again} later: gunicorn forks missing "
                "workers one by one, with a pause, so that later rounds are spread a little even without jitter"
            )
        if found.paces:
            spread = pstdev(found.paces) / fmean(found.paces)
            notes.append(
                f"{arm}: each worker served {found.paces[0]:.1f} to {found.paces[-1]:.1f} requests a second "
                f"(they differ by {spread:.0%}, one standard deviation)"
            )
    most = f"at most {ask.most_away:.0%} of the workers away at once, with the times that this run took"
    cell = arms[name].cell
    if needed is None:
        notes.append(
            f"{most}: by the model, no jitter up to max_requests {cell.max_requests} is enough; "
            "raise max_requests as well, or make the app boot faster"
        )
    else:
        notes.append(f"{most}: by the model, a jitter of {needed.service.jitter} is enough in {QUANTILE:.0%} of runs")
    return notes


def row(name: str, arm: Measured, ask: Ask) -> list[str]:
    """One line of the table."""
    draws, delays = arm.draws, arm.delays
    served = f"{draws.fewest_served} to {draws.most_served}" if draws.ended else "-"
    return [
        name,
        str(arm.absence.worst.away),
        str(arm.absence.workers),
        f"{arm.predicted.mean:.0f} ({arm.predicted.worst[0]} to {arm.predicted.worst[-1]})",
        f"{arm.absence.mean:.1f}",
        f"{delays.count_above(ask.slow_s)} of {delays.asked}",
        str(delays.failed),
        served,
    ]


def arm_to_json(arm: Measured, ask: Ask) -> dict[str, Json]:
    """An arm's figures; ``away`` holds [seconds since the load began, workers away] at each change."""
    draws, delays, worst = arm.draws, arm.delays, arm.absence.worst
    return {
        "jitter": arm.cell.max_requests_jitter,
        "worst_away": worst.away,
        "worst_at_s": round(worst.at_s, 3),
        "worst_again": arm.absence.worst_again,
        "mean_away": round(arm.absence.mean, 3),
        "seconds_above": round(arm.absence.seconds_above(ask.most_away * arm.absence.workers), 3),
        "predicted": {
            "mean": round(arm.predicted.mean, 2),
            "lowest": arm.predicted.worst[0],
            "highest": arm.predicted.worst[-1],
        },
        "boot_s": round(arm.predicted.service.boot_s, 3),
        "exit_s": round(arm.predicted.service.exit_s, 3),
        "service_s": round(arm.predicted.service.service_s, 4),
        "paces": [round(pace, 2) for pace in arm.paces],
        "probes": {
            "asked": delays.asked,
            "failed": delays.failed,
            "slow": delays.count_above(ask.slow_s),
            "median_s": round(median(delays.took_s), 4) if delays.took_s else None,
            "worst_s": round(delays.took_s[-1], 4) if delays.took_s else None,
        },
        "draws": {"limits": list(draws.drawn), "p": draws.p, "bins": draws.bins, "ended": draws.ended}
        | {"exact": draws.exact, "fewest_served": draws.fewest_served, "most_served": draws.most_served},
        "away": [[round(step.at_s, 3), step.away] for step in arm.absence.steps],
    }
