"""The table of a matrix from its records: cells, comparison with what was expected, the map; stored as files."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from harness import __version__
from harness.core.cells import CONTRACT_KEYS, cell_to_json
from harness.core.model import Json
from harness.judge.blind_spots import list_unseen
from harness.provision.distance import describe_distance
from harness.provision.releases import list_releases, load_catalogue
from harness.provision.spec import Latest, Release, parse_spec
from harness.records.store import RunFolder
from harness.studies.matrix.campaign.options import Campaign
from harness.studies.matrix.campaign.run_folders import Record, read_versions
from harness.studies.matrix.campaign.site import write_page
from harness.studies.matrix.document import FILE, Matrix, matrix_to_json
from harness.studies.matrix.expectations import compare
from harness.studies.matrix.plan import PlannedCell
from harness.studies.matrix.report import FILES, FORMATS
from harness.studies.matrix.result import CellResult, RunResult, choose_runs, combine_runs
from harness.studies.matrix.transitions import SURE


def conclude(
    campaign: Campaign, records: Mapping[str, Sequence[Record]], broken: Mapping[str, Sequence[RunResult]]
) -> Matrix:
    """The matrix of all records; a cell without a record is an error, and never left out."""
    return Matrix(
        made_utc=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        harness=__version__,
        profile=campaign.profile,
        repeats=campaign.repeats,
        cells=conclude_cells(campaign, records, broken),
        sure=SURE if campaign.sure is None else campaign.sure,
        versions=read_versions(record for found in records.values() for record in found),
    )


def conclude_cells(
    campaign: Campaign, records: Mapping[str, Sequence[Record]], broken: Mapping[str, Sequence[RunResult]]
) -> tuple[CellResult, ...]:
    """Every cell of the campaign, whether it has a record or not."""
    return tuple(
        _conclude_cell(campaign, planned, records[planned.name], broken.get(planned.name, ()))
        for planned in campaign.planned
    )


def store(out: Path, matrix: Matrix) -> tuple[Path, ...]:
    """Write ``matrix.json`` and its renderings into ``out``, each in one piece."""
    out.mkdir(parents=True, exist_ok=True)
    folder = RunFolder(path=out)
    written = [folder.write_json(FILE, matrix_to_json(matrix))]
    written += [folder.write_text(FILES[name], render(matrix)) for name, render in FORMATS.items() if name in FILES]
    return (*written, write_page(out, matrix))


def _conclude_cell(
    campaign: Campaign, planned: PlannedCell, records: Sequence[Record], broken: Sequence[RunResult]
) -> CellResult:
    results = [*broken, *(record.result for record in records)]
    decided = sum(result.decided for result in results)
    wanted = campaign.repeats if campaign.sure is None else max(campaign.repeats, decided)
    runs, set_aside = choose_runs(results, wanted)
    blind = list_unseen(planned.cell)
    folded = combine_runs(runs, blind)
    cell = _describe(planned, records)
    release = str(cell["gunicorn"] or planned.cell.spec)
    gap = load_catalogue().why_no_worker(release, planned.cell.worker)
    expected = campaign.expectations.expect(release, planned.cell, gap=gap)
    label = _label(planned.cell.spec)
    return CellResult(
        name=planned.name,
        spec=planned.cell.spec,
        released=_released(release) if label is None else None,
        label=label,
        cell=cell,
        runs=runs,
        folded=folded,
        expected=expected,
        agreement=compare(runs, expected, blind),
        set_aside=set_aside,
        blind=blind,
    )


def _released(release: str) -> str | None:
    return next((row.date.isoformat() for row in list_releases() if row.version == release), None)


@cache
def _label(spec: str) -> str | None:
    """The name of the row of a checkout, an archive or a commit; None for a release, whose number names its row."""
    parsed = parse_spec(spec)
    if isinstance(parsed, Latest | Release):
        return None
    return describe_distance(parsed)


def _describe(planned: PlannedCell, records: Sequence[Record]) -> dict[str, Json]:
    """The contract's keys, with the versions that were installed where any run got so far."""
    described = cell_to_json(planned.cell)
    for record in records:
        described |= {key: value for key, value in record.cell.items() if key in CONTRACT_KEYS and value is not None}
    return {key: described[key] for key in (*CONTRACT_KEYS, "disturb")}
