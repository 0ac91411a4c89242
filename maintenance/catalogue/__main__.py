"""``python -m maintenance.catalogue``: is every release of the index listed? With --run: does each do as claimed?"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.core import paths
from harness.core.errors import EXIT_OK, EXIT_UNEXPECTED, HarnessError
from harness.provision import hashes, releases
from harness.provision.interpreters import OLDEST_PYTHON, Memory, survey
from harness.stack.workers import WORKERS
from maintenance.catalogue.comparison import compare, replace_list
from maintenance.catalogue.hashes import collect, list_wanted
from maintenance.catalogue.index import list_index
from maintenance.catalogue.trial import Trial, try_release

CATALOGUE = Path(releases.__file__).with_name("releases.toml")


def main(argv: Sequence[str] | None = None) -> int:
    """0 where all is as the catalogue says, 1 where something is not, else the exit code of what failed."""
    options = _make_parser().parse_args(argv)
    try:
        if options.hashes:
            return _write_hashes()
        return _run_trials(options) if options.run else _compare_lists(write=options.write)
    except HarnessError as problem:
        print(f"maintenance.catalogue: {problem}", file=sys.stderr)
        return problem.exit_code


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m maintenance.catalogue", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the index's list into releases.toml")
    parser.add_argument("--hashes", action="store_true", help="put the digests of what is not in hashes.toml there")
    parser.add_argument("--run", action="store_true", help="start releases, and compare with what the catalogue says")
    parser.add_argument("--releases", type=_words, default=(), metavar="A,B", help="which [all of the list]")
    parser.add_argument("--pythons", type=_words, default=(), metavar="A,B", help="on which [3.6 and newer, all here]")
    parser.add_argument(
        "--workers", type=_workers, default=tuple(WORKERS), metavar="A,B", help=f"[{','.join(WORKERS)}]"
    )
    parser.add_argument("--claimed", action="store_true", help="only what the catalogue says to run")
    return parser


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _workers(text: str) -> tuple[str, ...]:
    unknown = [word for word in _words(text) if word not in WORKERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is no worker class; there are: {', '.join(WORKERS)}")
    return _words(text)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _compare_lists(*, write: bool) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = list_index(Path(folder), _say)
    difference = compare(releases.list_releases(), found)
    for name in ("new", "gone", "moved"):
        for version in getattr(difference, name):
            print(f"{name}: {version}")
    if write and difference:
        CATALOGUE.write_text(replace_list(CATALOGUE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return EXIT_UNEXPECTED if difference else EXIT_OK


def _write_hashes() -> int:
    known = hashes.load_hashes() if hashes.TABLE.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        text = collect(list_wanted(releases.load_catalogue()), known, _say, Path(folder))
    hashes.TABLE.write_text(text, encoding="utf-8")
    return EXIT_OK


def _run_trials(options: argparse.Namespace) -> int:
    versions = options.releases or tuple(row.version for row in releases.list_releases())
    surprises = 0
    for trial in _trials(versions, options.pythons or pythons_here(), options.workers, claimed=options.claimed):
        surprises += trial.surprising
        said = trial.failure or " with ".join(["answers", *([", ".join(trial.era_shims)] if trial.era_shims else [])])
        mark = f"  BUT: {trial.claim or 'nothing known against it'}" if trial.surprising else ""
        print(f"{trial.release} {trial.python} {trial.worker}: {said}{mark}", flush=True)
    return EXIT_UNEXPECTED if surprises else EXIT_OK


def _trials(
    versions: Sequence[str], pythons: Sequence[str], workers: Sequence[str], *, claimed: bool
) -> Iterable[Trial]:
    known = releases.load_catalogue()
    for version in versions:
        for python in pythons:
            for worker in workers:
                against = known.why_no_worker(version, worker)
                against = against or known.why_not(version, releases.parse_minor(python), worker, shimmed=True)
                if against is None or not claimed:
                    yield try_release(version, python, worker, say=_say)


def pythons_here() -> tuple[str, ...]:
    """The minor versions ("3.6") of CPython that are on this machine and may run a release at all."""
    memory = Memory.load(paths.cache_dir() / "interpreters.json")
    found = survey(memory, environ=os.environ, home=Path.home(), own=Path(sys.executable)).interpreters
    minors = sorted({one.minor for one in found if one.minor >= OLDEST_PYTHON and one.implementation == "CPython"})
    return tuple(f"{major}.{minor}" for major, minor in minors)


if __name__ == "__main__":
    sys.exit(main())
