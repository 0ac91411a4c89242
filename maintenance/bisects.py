"""Which commit brought or repaired the faults of the tables: runs `harness bisect` and stores what it found.

    python -m maintenance.bisects --repo ~/src/gunicorn [EDGE ...]

An edge that was begun goes on where it was ended, and one that is done takes no run. The result goes to
docs/results/bisects.json; `make known` packs it.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.cli import main as cli
from harness.core import errors
from harness.core.files import replace_file
from harness.core.paths import cache_dir

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "results" / "bisects.json"
KEPT = (
    "finding",
    "direction",
    "kind",
    "first",
    "posterior",
    "confidence",
    "worker",
    "releases",
    "commit",
    "rates",
    "runs",
    "python",
    "settings",
    "proof",
)
"""What is stored of ``bisect.json``; records and paths of the machine are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Two neighbouring releases, and what differs between them."""

    older: str
    newer: str
    finding: str
    worker: str = "gthread"

    @property
    def name(self) -> str:
        """As it is called on the command line."""
        return f"{self.finding}-{self.worker}-{self.newer}"


EDGES = (
    Edge(older="19.5.0", newer="19.6.0", finding="socket-deleted"),
    Edge(older="19.6.0", newer="19.7.0", finding="socket-deleted"),
    Edge(older="19.1.1", newer="19.2.0", finding="max-requests-ignored"),
    Edge(older="19.3.0", newer="19.4.0", finding="max-requests-ignored"),
    Edge(older="23.0.0", newer="24.0.0", finding="workers-not-respawned", worker="sync"),
    Edge(older="24.0.0", newer="24.1.0", finding="workers-not-respawned", worker="sync"),
    Edge(older="20.0.4", newer="20.1.0", finding="max-requests-ignored", worker="gevent"),
    Edge(older="19.1.1", newer="19.2.0", finding="max-requests-ignored", worker="eventlet"),
    Edge(older="20.0.4", newer="20.1.0", finding="max-requests-ignored", worker="eventlet"),
    Edge(older="19.5.0", newer="19.6.0", finding="socket-deleted", worker="eventlet"),
    Edge(older="19.6.0", newer="19.7.0", finding="socket-deleted", worker="eventlet"),
)
"""The edges of docs/results.md that a repository at hand can explain."""


def bisect(edge: Edge, repository: Path, folder: Path) -> dict[str, Any] | None:
    """What `harness bisect` found; None where it found no single change.

    Raises:
        KeyboardInterrupt: it was ended by Ctrl-C, and so the edges that follow are not begun.
    """
    out = folder / edge.name
    wanted = ["--repo", str(repository), "--finding", edge.finding, "--worker", edge.worker, "--out", str(out)]
    print(f"--- {edge.name}", flush=True)
    status = cli.main(["bisect", edge.older, edge.newer, *wanted])
    if status == errors.EXIT_INTERRUPTED:
        raise KeyboardInterrupt
    if status != errors.EXIT_OK:
        return None
    found = json.loads((out / "bisect.json").read_bytes())
    return {name: found[name] for name in KEPT}


def store(entries: list[dict[str, Any]], target: Path) -> None:
    """Put them among those that are stored; an edge that was bisected again replaces what was there."""
    stored = json.loads(target.read_bytes())["bisects"] if target.is_file() else []
    merged = {_key(one): one for one in [*stored, *entries]}
    lines = ",\n".join(json.dumps(merged[key]) for key in sorted(merged))
    replace_file(target, f'{{"schema": 1, "bisects": [\n{lines}\n]}}\n')


def _key(entry: dict[str, Any]) -> tuple[str, ...]:
    return entry["finding"], entry["worker"], *(entry["releases"] or [])


def main() -> int:
    """Bisect the edges that were named, or all; 3 where one was not found."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("edges", nargs="*", metavar="EDGE", help=f"one of {', '.join(edge.name for edge in EDGES)}")
    parser.add_argument("--repo", type=Path, required=True, help="a clone of gunicorn's repository")
    parser.add_argument("--folder", type=Path, default=cache_dir() / "bisects", help="where runs go [the cache folder]")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    chosen = [edge for edge in EDGES if not options.edges or edge.name in options.edges]
    missed = []
    for edge in chosen:
        try:
            entry = bisect(edge, options.repo, options.folder)
        except KeyboardInterrupt:
            return errors.EXIT_INTERRUPTED
        if entry is None:
            missed.append(edge.name)
        else:
            store([entry], TARGET)
    print(f"not found: {', '.join(missed)}" if missed else f"all in {TARGET.relative_to(ROOT)}")
    return 3 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
