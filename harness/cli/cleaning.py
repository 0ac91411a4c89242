"""Removes what killed runs left behind, unused environments, and on demand the whole cache.

It touches nothing that a live run uses, and finds nothing by name pattern: processes are found by their run's marker or
group, folders by the list that the run kept, containers, volumes and images by their labels.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator

from harness.backends import BACKENDS
from harness.core import active
from harness.core.errors import SurroundingsError
from harness.core.paths import cache_dir

KEPT = {active.FOLDER, *(kind.CACHE for kind in BACKENDS.values())}
"""Below the cache folder: removed entry by entry, because live runs may use some of them."""


def sweep_all(*, everything: bool) -> Iterator[str]:
    """Clean up, and return a line for each thing removed; ``everything``: also the tools and the rest of the cache."""
    done = False
    for line in [
        *_sweep_runs(),
        *(line for kind in BACKENDS.values() for line in kind.sweep(everything=everything)),
        *_sweep_environments(),
        *(_sweep_cache() if everything else ()),
    ]:
        done = True
        yield line
    if not done:
        yield f"nothing to clean in {cache_dir()}"


def _sweep_runs() -> list[str]:
    lines = []
    for file in active.find_interrupted():
        swept = active.sweep_interrupted(file)
        ended = f"{swept.killed or 'none'} of its processes still ran"
        stays = f"; its record stays (`harness judge {shlex.quote(swept.run)}`)" if swept.run is not None else ""
        lines.append(f"interrupted {swept.what}: {ended}{stays}")
    return lines


def _sweep_environments() -> list[str]:
    from harness.provision.eviction import remove_unused

    try:
        return [f"removed {one.path.name} ({one.size_bytes / 1e6:.1f} MB): {one.why}" for one in remove_unused()]
    except OSError as problem:
        raise _explain(problem) from problem


def _sweep_cache() -> list[str]:
    lines = []
    disposable = (cache_dir() / kind.CACHE / name for kind in BACKENDS.values() for name in kind.DISPOSABLE)
    for entry in [*sorted(cache_dir().glob("*")), *disposable]:
        if entry.name in KEPT or not entry.exists():
            continue
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as problem:
            raise _explain(problem) from problem
        lines.append(f"removed {entry}")
    return lines


def _explain(problem: OSError) -> SurroundingsError:
    return SurroundingsError(
        what=f"{problem.filename} could not be removed: {problem.strerror}.",
        remedy="Remove it as the user to whom it belongs.",
    )
