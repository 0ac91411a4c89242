"""`python -m tests.false_alarms`: disturbs a release that copes with it, and counts the runs that don't hold.

That it copes was seen by hand: a loop of single requests (curl) through the socket lost none while the signals came.
Exit status: 0 where no run was `violated`, 1 where one was, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
OUT = REPOSITORY / "build" / "false-alarms"
NAMES = ("reload", "upgrade", "scale", "reopen-logs")
RUN_TIMEOUT_S = 120.0


def main(arguments: Sequence[str]) -> int:
    """Run the series, print each run that does not hold, and how many there were of each verdict."""
    parser = argparse.ArgumentParser(prog="python -m tests.false_alarms", description=main.__doc__)
    parser.add_argument("--runs", type=int, default=100, metavar="N", help="so many in all [%(default)s]")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the seed of the first [%(default)s]")
    parser.add_argument("--release", default="27.0.1", help="[%(default)s]")
    parser.add_argument("--worker", default="sync", help="[%(default)s]")
    options = parser.parse_args(arguments)
    verdicts = Counter[tuple[str, str]]()
    for seed, name in _plan(options.first, options.runs):
        verdict, told = _run(options.release, options.worker, name, seed)
        verdicts[name, verdict] += 1
        if verdict != "holds":
            print(f"{name} --seed {seed}: {verdict}: {told}", flush=True)
    for name in NAMES:
        counts = [f"{count} {verdict}" for (one, verdict), count in sorted(verdicts.items()) if one == name]
        print(f"{name:12} {', '.join(counts) or 'none'}")
    alarms = sum(count for (_, verdict), count in verdicts.items() if verdict == "violated")
    print(f"{alarms} false alarms in {verdicts.total()} runs of {options.release}, {options.worker}")
    return 1 if alarms else 0


def _plan(first: int, runs: int) -> Iterator[tuple[int, str]]:
    return ((seed, NAMES[seed % len(NAMES)]) for seed in range(first, first + runs))


def _run(release: str, worker: str, name: str, seed: int) -> tuple[str, str]:
    """The verdict, and in words why."""
    command = [sys.executable, "-m", "harness", "reproduce", release, "--worker", worker, "--profile", "quick"]
    command += ["--no-upstream-keepalive", "--disturb", name, "--seed", str(seed), "--json", "--out", str(OUT)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        return "none", done.stderr.strip()[-200:]
    return said["verdict"], "; ".join([*(one["detail"] for one in said["findings"]), *said["reasons"]])


if __name__ == "__main__":
    # `make false-alarms ARGS=...` hands its options over in the environment: no shell sees them.
    sys.exit(main(sys.argv[1:] or shlex.split(os.environ.get("ARGS", ""))))
