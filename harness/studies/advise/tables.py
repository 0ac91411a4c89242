"""What the stored runs show of a release, a worker class, a proxy and a bind: ``report/known/rates.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import harness.report.known
from harness.core.frozen import dataclass
from harness.core.model import Json, Outcome
from harness.studies.chance.intervals import exact_interval
from harness.studies.matrix.safety import Safety, judge_safety

PLAIN_PROXY = "h2o"
"""It hides nothing of what gunicorn does; all worker classes were tried behind it, and only some behind others."""

HURTS = {"socket-deleted", "permanent-outage", "failed-responses", "workers-not-respawned", "max-requests-ignored"}
"""The findings by which somebody is affected: lost requests, an outage, or workers that never restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One cell of the tables."""

    release: str
    worker: str
    proxy: str
    bind: str
    released: str
    verdict: str
    runs: tuple[tuple[int, int, int], ...]  # restarts, requests, failed
    seen: Mapping[str, int]  # finding -> in how many of the runs
    undecided: int = 0  # runs that reached no verdict
    blind: tuple[str, ...] = ()  # findings that the settings can't show, or show seldom

    @property
    def safety(self) -> Safety:
        """Whether it may be called safe."""
        return judge_safety(
            Outcome(self.verdict), seen=self.seen, failed=self.failed, undecided=self.undecided, blind=self.blind
        )

    @property
    def hurts(self) -> dict[str, int]:
        """The findings that affect somebody."""
        return {finding: count for finding, count in self.seen.items() if finding in HURTS}

    @property
    def restarts(self) -> int:
        """In all runs."""
        return sum(run[0] for run in self.runs)

    @property
    def requests(self) -> int:
        """In all runs."""
        return sum(run[1] for run in self.runs)

    @property
    def failed(self) -> int:
        """In all runs."""
        return sum(run[2] for run in self.runs)

    def rate(self) -> dict[str, Json] | None:
        """How many requests failed, with the exact interval of 95 %, and how many a restart cost."""
        return None if not self.requests else make_rate(self.failed, self.requests, self.restarts)


def make_rate(failed: int, requests: int, restarts: int) -> dict[str, Json]:
    """A rate as it stands in advice.json."""
    interval = exact_interval(min(failed, requests), requests)
    return {
        "failed": failed,
        "requests": requests,
        "restarts": restarts,
        "per_request": round(failed / requests, 6),
        "interval_95": [round(interval.low, 6), round(interval.high, 6)],
        "per_restart": round(failed / restarts, 2) if restarts else None,
    }


@cache
def load_tables() -> tuple[Shown, ...]:
    """All cells, oldest release first."""
    path = Path(harness.report.known.__file__).with_name("rates.json")
    rows = json.loads(path.read_text(encoding="utf-8"))["cells"]
    shown = [
        Shown(**{**row, "runs": tuple(tuple(run) for run in row["runs"]), "blind": tuple(row["blind"])}) for row in rows
    ]
    return tuple(sorted(shown, key=lambda one: one.released))


def list_tested() -> list[str]:
    """The releases of the tables, oldest first."""
    return list(dict.fromkeys(one.release for one in load_tables()))


def find_shown(release: str, worker: str, proxy: str, bind: str) -> tuple[Shown | None, str]:
    """The cell that is nearest, and in words how it differs from what was asked ("" where it does not)."""
    cells = {(one.proxy, one.bind): one for one in load_tables() if (one.release, one.worker) == (release, worker)}
    exact = cells.get((proxy, bind))
    if exact is not None:
        return exact, ""
    if bind == "tcp" and ("none", "tcp") in cells:
        return cells["none", "tcp"], f"tried over TCP without a proxy, not behind {proxy}"
    other = cells.get((PLAIN_PROXY, "unix"))
    if other is None:
        return None, ""
    if bind == "tcp":
        if "socket-deleted" in other.seen:
            return None, ""  # that is about the file, so nothing follows for a port
        return other, "tried over a Unix socket, not over TCP"
    return other, f"tried behind {PLAIN_PROXY}, not behind {proxy}"


def is_affected(shown: Shown) -> bool:
    """Whether anything that hurts was seen in any of its runs."""
    return bool(shown.hurts)


def find_free(release: str, worker: str, proxy: str, bind: str) -> str | None:
    """The nearest release in which nothing was seen: the next newer one, else the next older one."""
    tested = list_tested()
    if release not in tested:
        return None
    at = tested.index(release)
    for one in [*tested[at + 1 :], *reversed(tested[:at])]:
        shown, _ = find_shown(one, worker, proxy, bind)
        if shown is not None and shown.verdict == Outcome.HOLDS.value and not is_affected(shown):
            return one
    return None


REFUSED = 60
"""So many failures a restart are more than the 20 clients can have in hand: they came again, and were refused again."""


def words_of_rate(rate: Mapping[str, Json], max_requests: int) -> str:
    """A rate in words that a person uses."""
    lost = rate["per_restart"]
    if not isinstance(lost, int | float):
        return ""
    if lost == 0:
        upper = rate["interval_95"]
        most = upper[1] if isinstance(upper, Sequence) and not isinstance(upper, str) else 0
        return f"none of {rate['requests']:,} requests was lost (at most 1 in {_one_in(float(str(most)))})"
    if lost > REFUSED:
        return f"clients are refused for a while at each restart: about {lost:,.0f} attempts of 20 clients"
    said = f"about {lost:.0f} requests" if lost >= 2 else f"about {lost:.1f} requests"  # noqa: PLR2004 - in words
    each = (
        f"; with max_requests {max_requests:,} that is about 1 in {_one_in(lost / max_requests)}"
        if max_requests
        else ""
    )
    return f"{said} at each restart, with 20 clients that never pause{each}"


def _one_in(share: float) -> str:
    if share <= 0:
        return "very many"
    number = 1 / share
    digits = max(0, len(str(int(number))) - 2)
    return f"{max(1, round(number / 10**digits) * 10**digits):,}"
