"""`make bench`: what the harness costs, as ratios measured in one run. Benchmarks, never tests: machines are noisy.

1. The floor: a whole warm ``harness reproduce`` of the smallest cell against ``floor.py``, which does nothing but
   make the same socket file go (aim: 3 times, at most 4), and against the same script where it waits for all of
   gunicorn's own doing that the run judges: the worker's replacement and the ordered stop.
2. The warm default run. At most 5 s.
3. The watchers: wrk's throughput on a release that holds, with and without them, in pairs. At most 5 % less.
4. Memory: the harness's own processes in a run of a million requests. Under 200 MB.
5. The quick profile's verdicts against those of the original settings. All alike.
6. The ledger: closing it after a million requests (at most 5 s), and wrk's throughput with and without it, in pairs.
7. Preparing environments against virtualenv and pip. Aim: ten times faster; all releases in 60 s and 600 MB.
8. Large records: the memory of judging, rendering and bundling 200 MB of events. Under 250 MB each.
9. Certainty: simulated matrices, with `--sure` and with fixed numbers of runs. At most 1 map in 100 with a false edge.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from bench.large_records import bench_large
from bench.ledger import bench_closing, bench_cost
from bench.preparation import bench_preparation
from bench.profiles import bench_profiles
from bench.watched_load import measure_rate, prepare_holding
from harness.core.model import Cell
from harness.core.paths import fixtures_dir
from harness.provision.environments import prepare
from harness.provision.spec import parse_spec
from harness.stack import gunicorn

NAMES = ("floor", "default", "watchers", "memory", "profiles", "ledger", "preparation", "large", "certainty")
BAD_RELEASE = "19.6.0"
SMALLEST = ("--workers", "1", "--max-requests", "1", "--recycles", "1")
HERE = Path(__file__).resolve().parent


def time_command(argv: list[str]) -> float:
    """Seconds from start to end; the command must succeed. Bytecode is kept, as wherever make or a user runs it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started_s = time.monotonic()
    subprocess.run(argv, check=True, capture_output=True, env=env)
    return time.monotonic() - started_s


def bench_floor(repeats: int, out: Path) -> None:
    """Interleaved, so that the machine's mood hits both alike."""
    with closing(prepare(parse_spec(BAD_RELEASE), python=None, worker="gthread", say=print)) as environment:
        bare, to_the_end, whole = [], [], []
        for number in range(repeats):
            folder = out / f"floor-{number}"
            folder.mkdir()
            path, config = folder / "gunicorn.sock", folder / "config.py"
            cell = Cell(spec=BAD_RELEASE, workers=1, max_requests=1)
            template = (fixtures_dir() / "config.py.in").read_text()
            config.write_text(
                gunicorn.render_config(
                    template, cell, bind=f"unix:{path}", access_log=str(folder / "access.log"), shims=environment.shims
                )
            )
            (folder / "web.py").write_text((fixtures_dir() / "web.py").read_text())
            script = [sys.executable, str(HERE / "floor.py"), str(environment.python), str(config), str(path)]
            bare.append(time_command(script))
            to_the_end.append(time_command([*script, "whole"]))
            whole.append(time_command(_reproduce(out, *SMALLEST)))
    run_s = statistics.median(whole)
    print(f"floor: whole run {run_s:.2f} s (all medians of {repeats})")
    for name, spent in (("until the path is gone", bare), ("until the ordered stop", to_the_end)):
        print(f"  bare script {name}: {statistics.median(spent):.2f} s, {run_s / statistics.median(spent):.1f} times")


def bench_default(repeats: int, out: Path) -> None:
    """The warm default run."""
    spent = [time_command(_reproduce(out)) for _ in range(repeats)]
    print(f"default run: {statistics.median(spent):.2f} s (median of {repeats}; worst {max(spent):.2f} s)")


def bench_watchers(pairs: int, duration_s: int) -> None:
    """Paired runs, in alternating order."""
    with closing(prepare_holding()) as environment:
        ratios = []
        for number in range(pairs):
            rates = {}
            for watched in (True, False) if number % 2 else (False, True):
                rates[watched] = measure_rate(environment, watched=watched, duration_s=duration_s)
            ratios.append(rates[True] / rates[False])
    shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    print(f"watchers: {statistics.median(ratios):.3f} of the unwatched throughput (median of {pairs} pairs: {shown})")


def bench_memory(out: Path) -> None:
    """A run in which most answers are the proxy's own, so that a million come together in seconds."""
    sampler = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
    sampler += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    argv = _reproduce(out, "--full-duration", "--duration", "12", "--json")
    said = subprocess.run([sys.executable, "-c", sampler, *argv], check=True, capture_output=True, text=True)
    requests = json.loads((out / "latest" / "verdict.json").read_text())["counts"]["requests"]
    most_mb = int(said.stdout) / 1024
    print(f"memory: at most {most_mb:.0f} MB in one process of the harness, in a run of {requests:,} requests")


def _reproduce(out: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "harness", "reproduce", BAD_RELEASE, "--out", str(out), *options]


def main() -> None:
    """Run those that were named, or all."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--duration", type=int, default=6, help="seconds of load for each half of a pair")
    parser.add_argument("--size-mb", type=float, default=200.0, help="of events, for large")
    options = parser.parse_args(sys.argv[1:] or shlex.split(os.environ.get("ARGS", "")))
    wanted = options.names or NAMES
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        out = Path(folder)
        out.chmod(0o755)
        if "floor" in wanted:
            bench_floor(options.repeats, out)
        if "default" in wanted:
            bench_default(options.repeats, out)
        if "watchers" in wanted:
            bench_watchers(options.repeats, options.duration)
        if "memory" in wanted:
            bench_memory(out)
        if "profiles" in wanted:
            bench_profiles(1, out)
        if "ledger" in wanted:
            bench_closing(out)
            bench_cost(options.repeats, options.duration)
        if "preparation" in wanted:
            bench_preparation(options.repeats, out)
        if "large" in wanted:
            bench_large(out, options.size_mb)


if __name__ == "__main__":
    main()
