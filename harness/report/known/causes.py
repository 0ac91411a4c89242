"""Why the findings of a run are there, as far as it is known: ``causes.toml``, matched with a stored verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.provision.specifiers import check_specifier, meets
from harness.report.fields import items, number, text
from harness.report.known.bisects import KnownBisect, find_bisects

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ISSUES = "https://github.com/benoitc/gunicorn/issues"
UNKNOWN = "Not known: nothing like it is in the tables. Attach the bundle to a report."
SCHEMA = 1

HIDING = ("nginx", "caddy")
"""Proxies that ask again by themselves where a kept connection fails."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Something that helps, and what it costs."""

    id: str
    change: str
    cost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One row of the table."""

    id: str
    findings: tuple[str, ...]
    releases: str
    workers: tuple[str, ...]
    binds: tuple[str, ...]
    sentence: str
    upstream: tuple[int, ...]
    introduced: str
    gone: str
    sources: Mapping[str, str] = field(hash=False)
    """What gunicorn's code says of ``introduced`` or ``gone``, where no table claims it."""
    helps: tuple[Remedy, ...]

    def tell(self, end: str) -> str:
        """In which release it was ``introduced`` or ``gone``, and whether only its source says so; "" if not known."""
        release = self.introduced if end == "introduced" else self.gone
        said = f"{end} in {release}" if release else ""
        return f"{said} (so says the source)" if end in self.sources else said

    def covers(self, *, release: str, worker: str, bind: str) -> bool:
        """Whether the row speaks of this cell. A release that is no version is covered by rows for all of them."""
        if (self.workers and worker not in self.workers) or (self.binds and bind not in self.binds):
            return False
        return not self.releases or meets(release, self.releases)

    @property
    def addresses(self) -> list[tuple[int, str]]:
        """Each upstream issue with its address."""
        return [(number, f"{ISSUES}/{number}") for number in self.upstream]

    @property
    def rows(self) -> list[tuple[str, str]]:
        """(change, cost) of what helps."""
        return [(remedy.change, remedy.cost) for remedy in self.helps]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What is known of some findings of one run. ``cause``: None where nothing is."""

    findings: tuple[str, ...]
    cause: Cause | None
    hedge: str = ""  # goes before the sentence: why it is not said for sure
    bisects: tuple[KnownBisect, ...] = ()  # which commits brought and repaired it

    @property
    def sentence(self) -> str:
        """Why, in one sentence."""
        return UNKNOWN if self.cause is None else self.hedge + self.cause.sentence

    @property
    def history(self) -> str:
        """Where it came and went: the commits, where a bisection is stored, else the releases."""
        return write_history(self.cause, self.bisects)


def write_history(cause: Cause | None, bisects: Sequence[KnownBisect]) -> str:
    """Where a fault came and went: the commits, where a bisection is stored, else the releases of the tables."""
    came = next((one.said for one in bisects if one.is_introduction), "")
    went = next((one.said for one in bisects if not one.is_introduction), "")
    if cause is not None:
        came, went = came or cause.tell("introduced"), went or cause.tell("gone")
    return ", ".join(filter(None, [came, went]))


@cache
def load_causes() -> tuple[Cause, ...]:
    """The table that is packed with the harness."""
    data = tomllib.loads(Path(__file__).with_name("causes.toml").read_text(encoding="utf-8"))
    if data["schema"] != SCHEMA:
        raise ValueError(f"causes.toml has schema {data['schema']}, this harness reads {SCHEMA}")
    remedies = {
        name: Remedy(id=name, change=row["change"], cost=row["cost"]) for name, row in data["mitigation"].items()
    }
    return tuple(_parse(row, remedies) for row in data["cause"])


def _parse(row: Mapping[str, Any], remedies: Mapping[str, Remedy]) -> Cause:
    return Cause(
        id=row["id"],
        findings=tuple(row["findings"]),
        releases=check_specifier(row.get("releases", "")),
        workers=tuple(row.get("workers", ())),
        binds=tuple(row.get("binds", ())),
        sentence=row["cause"],
        upstream=tuple(row["upstream"]),
        introduced=row["introduced"],
        gone=row["gone"],
        sources=dict(row.get("sources", {})),
        helps=tuple(remedies[name] for name in row["helps"]),
    )


def find_cause(finding: str, *, release: str, worker: str, bind: str) -> Cause | None:
    """The first row that explains a finding of a cell; None where there is none."""
    rows = (cause for cause in load_causes() if finding in cause.findings)
    return next((cause for cause in rows if cause.covers(release=release, worker=worker, bind=bind)), None)


def is_in_place(remedy: Remedy, *, proxy: str | None, bind: str, max_requests: float | None = None) -> bool:
    """Whether a cell has it already, so that it would change nothing. ``max_requests``: None where it is not known."""
    in_place = {"retry": proxy in HIDING, "tcp": bind == "tcp", "no-restarts": max_requests == 0}
    return in_place.get(remedy.id, False)


def explain(verdict: Mapping[str, Json]) -> list[Explanation]:
    """Each cause with the findings that it explains, in their order; last those of which nothing is known."""
    cell = {name: text(verdict, "cell", name, default="") for name in ("gunicorn", "spec", "worker", "bind")}
    release = cell["gunicorn"] or cell["spec"]
    found: dict[Cause | None, list[str]] = {}
    for finding in items(verdict, "findings"):
        id_ = text(finding, "id")
        cause = find_cause(id_, release=release, worker=cell["worker"], bind=cell["bind"])
        found.setdefault(cause, []).append(id_)
    hedge = "" if cell["spec"] in (release, "latest", "") else f"If this is as in the release {release}: "
    explained = [
        Explanation(
            findings=tuple(ids),
            cause=None if cause is None else _without_what_is_in_place(cause, verdict),
            hedge=hedge if cause is not None else "",
            bisects=tuple(_list_bisects(ids, cause, release, cell["worker"], cell["bind"])),
        )
        for cause, ids in found.items()
    ]
    return sorted(explained, key=lambda one: one.cause is None)


def _without_what_is_in_place(cause: Cause, verdict: Mapping[str, Json]) -> Cause:
    proxy, bind = (text(verdict, "cell", name, default="") for name in ("proxy", "bind"))
    limit = number(verdict, "cell", "max_requests")
    kept = (one for one in cause.helps if not is_in_place(one, proxy=proxy, bind=bind, max_requests=limit))
    return replace(cause, helps=tuple(kept))


def _list_bisects(
    findings: Sequence[str], cause: Cause | None, release: str, worker: str, bind: str
) -> Iterator[KnownBisect]:
    introduced, gone = ("", "") if cause is None else (cause.introduced, cause.gone)
    for finding in findings:
        yield from find_bisects(finding, release=release, worker=worker, bind=bind, introduced=introduced, gone=gone)
