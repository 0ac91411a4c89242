"""The options of `harness matrix`, and the cells that they describe.

The options that single runs have too come from ``engine.options``; ``matrix.selection`` reads ranges of versions.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from harness.core.errors import UsageError
from harness.core.field_kinds import at_least
from harness.core.frozen import dataclass
from harness.core.model import Cell
from harness.core.paths import expand_home
from harness.disturb import ALL, DISTURBANCES, RECYCLE
from harness.engine.options import PROFILES, add_cell_options, make_request, read_project
from harness.engine.request import RunRequest
from harness.engine.settings_reading import read_said
from harness.judge.blind_spots import load_blind_spots
from harness.provision.releases import list_releases
from harness.provision.specifiers import as_version
from harness.stack.proxies import PROXIES
from harness.stack.workers import WORKERS, find_worker
from harness.studies.matrix.expectations import Expectations, load_expectations
from harness.studies.matrix.plan import PlannedCell, plan_cells
from harness.studies.matrix.selection import (
    FORMS,
    LATEST,
    Shard,
    parse_shard,
    select_names,
    select_versions,
    take_shard,
)

DEFAULT_WORKERS = "gthread,sync"
NOT_OF_ALL = ("worker", "workers", "proxy", "port", "disturb")
"""The fields that differ from cell to cell, or have another option here."""

LEAST_SURE = 0.8
"""What is less sure than this is no decision."""

KEEP_LOGS = ("bad", "all")
LISTS = ("text", "json", "github", "gitlab")


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is to be done. ``merge``: folders to take records from instead of making any; empty to make them."""

    planned: tuple[PlannedCell, ...]
    request: RunRequest  # of every run, but for its cell and folder
    out: Path
    profile: str
    repeats: int
    retries: int
    jobs: int
    rerun: bool
    keep_all_logs: bool
    merge: tuple[Path, ...]
    expectations: Expectations
    sure: float | None = None  # go on until each cell and edge is settled with this confidence
    budget: int | None = None  # at most so many runs are made


def add_matrix_options(parser: argparse.ArgumentParser) -> None:
    """All options of `harness matrix`."""
    which = parser.add_argument_group("which cells")
    which.add_argument("--versions", default="all", metavar="V[,V]", help=f"{FORMS} [all, which is 0.16..]")
    which.add_argument(
        "--workers",
        "--worker",
        default=DEFAULT_WORKERS,
        metavar="W[,W]",
        help=f"worker classes: {', '.join(WORKERS)}, or all [{DEFAULT_WORKERS}]",
    )
    which.add_argument(
        "--proxies", "--proxy", default="h2o", metavar="P[,P]", help=f"{', '.join(PROXIES)} (over TCP), or all [h2o]"
    )
    which.add_argument(
        "--disturb",
        default=RECYCLE,
        metavar="NAME[,NAME]",
        help=f"disturbances, each in runs of its own: {', '.join(DISTURBANCES)}, or all [{RECYCLE}]",
    )
    which.add_argument("--shard", type=_shard, metavar="N/M", help="only the N-th of M parts")
    _add_campaign_options(parser.add_argument_group("the matrix"))
    cell, _ = add_cell_options(parser, titles=("every cell", "every run"), without=NOT_OF_ALL)
    cell.add_argument(
        "--worker-count", type=at_least(1), metavar="N", help="worker processes: `--workers` of a single run"
    )


def _add_campaign_options(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--jobs", type=at_least(1), default=1, metavar="N", help="cells side by side [1]")
    group.add_argument("--repeats", type=at_least(1), default=1, metavar="N", help="runs of each cell [1]")
    group.add_argument(
        "--retries", type=at_least(0), default=1, metavar="N", help="further runs where one reached no verdict [1]"
    )
    group.add_argument(
        "--sure",
        type=_confidence,
        metavar="P",
        help="go on until every cell and every edge is decided with this confidence, such as 0.99",
    )
    group.add_argument("--budget", type=at_least(1), metavar="RUNS", help="with --sure: at most so many runs")
    group.add_argument("--rerun", action="store_true", help="run also what has a record below --out")
    group.add_argument("--out", type=Path, default=Path("runs/matrix"), metavar="DIR", help="records [%(default)s]")
    group.add_argument(
        "--keep-logs",
        choices=KEEP_LOGS,
        default="bad",
        help="access logs and pages of all runs, or not of those that hold [bad]",
    )
    group.add_argument("--expectations", type=Path, metavar="FILE", help="what to compare with [what is packed]")
    group.add_argument(
        "--merge",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="run nothing: table the records below DIR",
    )
    group.add_argument("--list", action="store_true", help="only list the cells")
    group.add_argument("--shards", type=at_least(1), metavar="M", help="with --list: deal the cells out to M shards")
    group.add_argument("--format", choices=LISTS, default="text", help="with --list: for whom [text]")
    group.add_argument("--json", action="store_true", help="print matrix.json instead of text")


def choose_cells(options: argparse.Namespace) -> tuple[PlannedCell, ...]:
    """The cells of the matrix, or of one shard of it; asks the index for `latest`, unless the cells are only listed.

    Raises:
        UsageError: an option names something that doesn't exist.
    """
    specs = select_versions(options.versions, list_releases())
    if not options.list:
        specs = tuple(dict.fromkeys(_newest() if spec == LATEST else spec for spec in specs))
    planned = plan_cells(
        specs,
        select_names(options.workers, tuple(WORKERS), "--workers"),
        select_names(options.proxies, tuple(PROXIES), "--proxies"),
        disturbances=select_names(options.disturb, tuple(DISTURBANCES), "--disturb"),
        make_cell=lambda *which: _make_cell(options, *which),
        identify=_identify,
        matter=[
            options.python,
            _digest(options.settings),
            *([] if options.era_shims else ["no era shims"]),
            *_read_project(options),
        ],
    )
    return take_shard(planned, options.shard, spec_of=lambda cell: cell.cell.spec)


def make_campaign(options: argparse.Namespace) -> Campaign:
    """What the options describe.

    Raises:
        UsageError: they contradict each other or a file is at fault.
    """
    _refuse_contradictions(options)
    planned = choose_cells(options)
    first = planned[0].cell
    return Campaign(
        planned=planned,
        request=_make_request(options, first.spec, first.worker, first.proxy, first.disturb),
        out=expand_home(options.out).absolute(),
        profile=options.profile,
        repeats=options.repeats,
        retries=options.retries,
        jobs=options.jobs,
        rerun=options.rerun,
        keep_all_logs=options.keep_logs == "all",
        merge=tuple(options.merge),
        expectations=load_expectations(options.expectations),
        sure=options.sure,
        budget=options.budget,
    )


def _refuse_contradictions(options: argparse.Namespace) -> None:
    if options.shard is not None and options.merge:
        raise UsageError(
            what="--shard and --merge contradict each other.", remedy="Merge the whole: leave --shard out."
        )
    if options.budget is not None and options.sure is None:
        raise UsageError(what="--budget ends what --sure begins.", remedy="Add --sure 0.99, or name --repeats.")
    if options.shards is not None and not options.list:
        raise UsageError(what="--shards only deals out a list.", remedy="Run one of them with --shard 1/4.")
    missing = [str(folder) for folder in options.merge if not folder.is_dir()]
    if missing:
        raise UsageError(what=f"--merge {missing[0]}: there is no such folder.", remedy="Name folders of records.")


def _make_cell(options: argparse.Namespace, spec: str, worker: str, proxy: str, disturb: str) -> Cell | None:
    """None for a disturbance that can't be done to this cell, where all of them were asked for.

    Raises:
        UsageError: the options contradict each other.
    """
    try:
        return _make_request(options, spec, worker, proxy, disturb).cell
    except UsageError:
        if disturb == RECYCLE or options.disturb.strip() != ALL:
            raise
        return None


def _make_request(options: argparse.Namespace, spec: str, worker: str, proxy: str, disturb: str) -> RunRequest:
    """As of a single run; --threads is for the worker classes that have them, and the profile is one that can see.

    Where wrk comes straight to gunicorn it comes over TCP: it can't talk to a Unix socket.
    """
    own = {"spec": spec, "worker": worker, "proxy": proxy, "workers": options.worker_count, "port": None}
    own["profile"] = choose_profile(options.profile, worker)
    own["disturb"] = disturb
    own["bind"] = "tcp" if proxy == "none" and options.load in (None, "wrk") else options.bind
    threads = options.threads if find_worker(worker).has_threads else None
    return make_request(argparse.Namespace(**{**vars(options), **own, "threads": threads}))


def choose_profile(profile: str, worker: str) -> str:
    """The profile with which a cell of this worker class is run where ``profile`` is asked for: one that can see."""
    asked = replace(PROFILES[profile], worker=worker)
    return next((spot.instead for spot in load_blind_spots() if spot.covers(asked)), profile)


def _newest() -> str:
    from harness.provision.installer import newest_release

    return newest_release(base=Path(sys.executable), cwd=Path.cwd())


def _identify(spec: str) -> str:
    """Equal for equal content: a checkout that was changed is another cell."""
    if spec == LATEST or as_version(spec) is not None:
        return spec
    from harness.provision.sources import describe_source
    from harness.provision.spec import Latest, parse_spec

    parsed = parse_spec(spec)
    return spec if isinstance(parsed, Latest) else describe_source(parsed).identity


def _digest(settings: str | None) -> str | None:
    """Of a file's content, else of what names the settings otherwise."""
    if settings is None:
        return None
    told = read_said(settings, Path.cwd())
    return hashlib.sha256((told.text or settings).encode()).hexdigest()


def _read_project(options: argparse.Namespace) -> list[list[str]]:
    listed = read_project(options)
    return [list(listed)] if listed else []


def _shard(text: str) -> Shard:
    try:
        return parse_shard(text)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem


def _confidence(text: str) -> float:
    value = float(text)
    if not LEAST_SURE <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is no confidence from {LEAST_SURE} to below 1")
    return value
