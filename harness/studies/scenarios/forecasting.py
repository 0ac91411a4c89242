"""`harness scenario jitter --simulate`: what the model predicts, and the jitter that a wanted bound needs."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace

from harness.core.errors import EXIT_OK
from harness.core.model import Cell, Json
from harness.judge.scenarios.simulation import (
    QUANTILE,
    Forecast,
    Service,
    Spread,
    count_repetitions,
    find_jitter,
    forecast,
    span_s,
)

LIVES = 3
POINTS = 8


def answer(cell: Cell, options: argparse.Namespace, *, rate_per_s: float | None) -> int:
    """Print the prediction, as text or as JSON; always 0."""
    service = Service(
        workers=cell.workers,
        max_requests=cell.max_requests,
        jitter=cell.max_requests_jitter,
        boot_s=options.boot_s,
        service_s=options.service_s,
        threads=cell.threads,
        rate_per_s=rate_per_s,
        spread=Spread(options.spread or Spread.EVEN),
    )
    lives, seed = options.lives or LIVES, options.seed or 0
    curve = predict_curve(service, lives=lives, seed=seed)
    bound = options.most_away
    needed = find_jitter(service, most_away=bound, lives=lives, seed=seed)
    longer = find_limit(service, most_away=bound, lives=lives, seed=seed) if needed is None else None
    if options.json:
        said = to_json(service, curve, needed, most_away=bound, lives=lives, seed=seed)
        said["max_requests_needed"] = None if longer is None else longer.service.max_requests
        sys.stdout.write(json.dumps(said, indent=1) + "\n")
    else:
        sys.stdout.write(render(service, curve, needed, longer, most_away=bound, lives=lives))
    return EXIT_OK


def predict_curve(service: Service, *, lives: float, seed: int) -> list[Forecast]:
    """A forecast for each of some jitters up to max_requests, and for the one that was asked."""
    steps = {round(service.max_requests * point / POINTS) for point in range(POINTS + 1)}
    tried = [replace(service, jitter=jitter) for jitter in sorted(steps | {service.jitter})]
    return [forecast(one, duration_s=span_s(one, lives), seed=seed) for one in tried]


def render(
    service: Service,
    curve: list[Forecast],
    needed: Forecast | None,
    longer: Forecast | None = None,
    *,
    most_away: float,
    lives: float,
) -> str:
    """The prediction as text."""
    rate = "as many requests as they can serve" if service.rate_per_s is None else f"{service.rate_per_s:g} requests/s"
    lines = [
        f"Simulated: {service.workers} workers, max_requests {service.max_requests}, jitter {service.jitter}",
        f"{service.boot_s:g} s to boot, {service.service_s:g} s a request, {rate}, spread: {service.spread.value}",
        (
            f"The most workers away at once while each lives {lives:g} times; "
            f"{count_repetitions(service.workers)} repetitions"
        ),
        "",
        f"{'jitter':>8}  {'mean':>8}  {'share':>6}  {f'{QUANTILE:.0%} at or below':>16}  away at once, of all workers",
    ]
    for one in curve:
        asked = "  <- asked" if one.service.jitter == service.jitter else ""
        lines.append(
            f"{one.service.jitter:>8}  {one.mean:>8.1f}  {one.mean / service.workers:>6.0%}  "
            f"{one.quantile(QUANTILE):>16}  {draw_share(one, most_away)}{asked}"
        )
    return "\n".join([*lines, "", say_needed(service, needed, longer, most_away)]) + "\n"


BAR = 30
"""Letters that stand for all workers."""


def draw_share(one: Forecast, most_away: float) -> str:
    """A bar of letters: ``#`` up to the mean, ``-`` up to what most repetitions stay at or below, ``|`` the bound."""
    mean, most = (round(BAR * away / one.service.workers) for away in (one.mean, one.quantile(QUANTILE)))
    bar = ("#" * mean + "-" * (most - mean)).ljust(BAR)
    bound = min(round(BAR * most_away), BAR - 1)
    return f"{bar[:bound]}|{bar[bound:]}"


DOUBLINGS = 8


def find_limit(service: Service, *, most_away: float, lives: float, seed: int) -> Forecast | None:
    """The smallest max_requests found whose largest jitter is enough; None where even 256 times more is not."""

    def tried(limit: int) -> Forecast:
        one = replace(service, max_requests=limit, jitter=limit)
        return forecast(one, duration_s=span_s(one, lives), seed=seed)

    def keeps(one: Forecast) -> bool:
        return one.quantile(QUANTILE) <= most_away * service.workers

    low = max(service.max_requests, 1)
    found = next((one for times in range(1, DOUBLINGS + 1) if keeps(one := tried(low * 2**times))), None)
    if found is None:
        return None
    low = max(found.service.max_requests // 2, low)
    while found.service.max_requests - low > max(1, low // 20):
        middle = tried((low + found.service.max_requests) // 2)
        if keeps(middle):
            found = middle
        else:
            low = middle.service.max_requests
    return found


def say_needed(service: Service, needed: Forecast | None, longer: Forecast | None, most_away: float) -> str:
    """The jitter that the bound needs, or the max_requests, in words."""
    if needed is not None:
        return (
            f"At most {most_away:.0%} away at once: a jitter of {needed.service.jitter} is enough "
            f"in {QUANTILE:.0%} of the repetitions."
        )
    way = "no max_requests that was tried is, either: make the app boot faster"
    if longer is not None:
        limit = longer.service.max_requests
        way = f"max_requests {limit} with a jitter of {limit} is, or an app that boots faster"
    return (
        f"At most {most_away:.0%} away at once: no jitter up to max_requests {service.max_requests} is enough; {way}."
    )


def to_json(
    service: Service, curve: list[Forecast], needed: Forecast | None, *, most_away: float, lives: float, seed: int
) -> dict[str, Json]:
    """The prediction for a program."""
    return {
        "simulated": {
            "workers": service.workers,
            "threads": service.threads,
            "max_requests": service.max_requests,
            "max_requests_jitter": service.jitter,
            "boot_s": service.boot_s,
            "service_s": service.service_s,
            "rate_per_s": service.rate_per_s,
            "spread": service.spread.value,
            "lives": lives,
            "repetitions": count_repetitions(service.workers),
            "seed": seed,
        },
        "curve": [
            {"jitter": one.service.jitter, "worst_mean": one.mean, "worst_q95": one.quantile(QUANTILE)} for one in curve
        ],
        "most_away": most_away,
        "jitter_needed": None if needed is None else needed.service.jitter,
    }
