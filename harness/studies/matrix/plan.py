"""The cells that are to be run, each with the name under which its records are found again.

Pure. The name tells a reader what the cell is, and its digest covers all that makes two cells different: every option
of the run, and the content of what a path names. Equal names are the same experiment, on whatever machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from itertools import product

from harness.core.cells import cell_id, cell_to_json
from harness.core.frozen import dataclass
from harness.core.model import Cell, Json
from harness.disturb import RECYCLE

DIGEST_CHARS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCell:
    """One cell to run; ``name`` is the folder of its records."""

    name: str
    cell: Cell


def plan_cells(
    specs: Sequence[str],
    workers: Sequence[str],
    proxies: Sequence[str],
    *,
    make_cell: Callable[[str, str, str, str], Cell | None],
    disturbances: Sequence[str] = (RECYCLE,),
    identify: Callable[[str], str],
    matter: Sequence[Json] = (),
) -> tuple[PlannedCell, ...]:
    """Every combination, release by release.

    Args:
        specs: what the releases are installed from.
        workers: worker classes.
        proxies: names of proxies.
        disturbances: names of disturbances, each in cells of its own.
        make_cell: (spec, worker, proxy, disturbance) -> the cell, with all other options of the run; or None.
        identify: spec -> a text that is equal for equal content.
        matter: what else makes runs different and isn't in the cell: the wanted Python, the user's settings.
    """
    planned = []
    for spec in specs:
        identity = identify(spec)
        label = spec.rstrip("/").rpartition("/")[2]
        for worker, proxy, disturbance in product(workers, proxies, disturbances):
            cell = make_cell(spec, worker, proxy, disturbance)
            if cell is None:
                continue
            disturbed = "" if disturbance == RECYCLE else f"-{disturbance}"
            name = f"{cell_id(cell, label)}{disturbed}-{_digest(cell, identity, matter)}"
            planned.append(PlannedCell(name=name, cell=cell))
    return tuple(planned)


def _digest(cell: Cell, identity: str, matter: Iterable[Json]) -> str:
    described = cell_to_json(cell)
    for known_later in ("spec", "gunicorn", "python", "port"):
        del described[known_later]
    text = json.dumps([described, identity, *matter], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]
