"""The transition map: for each worker class, proxy and finding, in which release it came and in which it was gone.

Pure. It goes by the dates of the releases, not by their numbers: 19.10.0 came after 20.0.0. A release that was not
tried, or said nothing about a finding, never begins or ends one, and is told where it stands at an edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from harness.core.findings import FindingId
from harness.core.model import Outcome
from harness.provision.releases import ReleaseRow
from harness.studies.matrix.result import CellResult, order_of_finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One release in the order of dates. ``present``: None where its cell said nothing."""

    release: str
    present: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Releases that follow each other and have the finding.

    ``introduced_in`` is None where the first release that was tried had it already, ``gone_in`` where the last one
    still has it. ``unsure_before`` and ``unsure_after`` are the releases at each edge that said nothing.
    """

    introduced_in: str | None
    gone_in: str | None
    releases: tuple[str, ...]
    unsure_before: tuple[str, ...] = ()
    unsure_after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One line of the map."""

    worker: str
    proxy: str
    finding: str
    stretch: Stretch
    dates: Mapping[str, str]  # "introduced_in", "gone_in", "first", "last": ISO days; those that are known

    @property
    def introduced_in(self) -> str | None:
        """The release that brought it."""
        return self.stretch.introduced_in

    @property
    def gone_in(self) -> str | None:
        """The release that no longer has it."""
        return self.stretch.gone_in


def find_transitions(cells: Sequence[CellResult], known: Sequence[ReleaseRow]) -> tuple[Transition, ...]:
    """The map of a table, in the order of workers, proxies and findings. Cells of no known release are left out."""
    days = {row.version: (row.date, place) for place, row in enumerate(known)}
    dated = sorted((cell for cell in cells if cell.release in days), key=lambda cell: days[cell.release])
    columns = dict.fromkeys((cell.worker, cell.proxy) for cell in cells)
    return tuple(
        transition
        for worker, proxy in columns
        for transition in _column([cell for cell in dated if (cell.worker, cell.proxy) == (worker, proxy)], days)
    )


def find_stretches(sightings: Iterable[Sighting]) -> tuple[Stretch, ...]:
    """The stretches of one finding, from sightings in the order of dates; those that said nothing never end one."""
    row = list(sightings)
    spoken = [sighting for sighting in row if sighting.present is not None]
    groups = [(present, list(group)) for present, group in groupby(spoken, key=lambda sighting: sighting.present)]
    found = []
    for place, (present, group) in enumerate(groups):
        if not present:
            continue
        before = groups[place - 1][1][-1] if place else None
        after = groups[place + 1][1][0] if place + 1 < len(groups) else None
        found.append(
            Stretch(
                introduced_in=group[0].release if before else None,
                gone_in=after.release if after else None,
                releases=tuple(sighting.release for sighting in group),
                unsure_before=_silent(row, before, group[0]),
                unsure_after=_silent(row, group[-1], after),
            )
        )
    return tuple(found)


def _silent(row: Sequence[Sighting], after: Sighting | None, before: Sighting | None) -> tuple[str, ...]:
    first = row.index(after) + 1 if after is not None else 0
    last = row.index(before) if before is not None else len(row)
    return tuple(sighting.release for sighting in row[first:last])


def _column(cells: Sequence[CellResult], days: Mapping[str, tuple[date, int]]) -> Iterable[Transition]:
    findings = sorted({finding for cell in cells for finding in cell.folded.findings}, key=order_of_finding)
    for finding in findings:
        row = [_see(cell, finding) for cell in cells]
        for stretch in find_stretches(row):
            edges = {"introduced_in": stretch.introduced_in, "gone_in": stretch.gone_in}
            edges |= {"first": stretch.releases[0], "last": stretch.releases[-1]}
            dates = {name: days[release][0].isoformat() for name, release in edges.items() if release is not None}
            yield Transition(
                worker=cells[0].worker, proxy=cells[0].proxy, finding=finding, stretch=stretch, dates=dates
            )


def _see(cell: CellResult, finding: str) -> Sighting:
    """Not having seen is not having held: a cell without a verdict, or whose other fault hid this one, said nothing."""
    if finding in cell.folded.findings:
        present: bool | None = True
    else:
        present = None if _is_blind(cell) else False
    return Sighting(release=cell.release, present=present)


def _is_blind(cell: CellResult) -> bool:
    """Whether what was not found may be there all the same: nothing was recycled, or the service was gone for good."""
    judged = cell.folded.outcome in (Outcome.HOLDS, Outcome.VIOLATED)
    recycled = any(run.recycles for run in cell.runs)
    return not judged or not recycled or FindingId.PERMANENT_OUTAGE.value in cell.folded.findings
