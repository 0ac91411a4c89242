"""The quick profile against the original report's settings, on the reference cells: the verdicts, and the time."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

RELEASES = ("19.5.0", "19.6.0", "19.7.1", "20.1.0", "23.0.0", "26.2.0", "27.0.1")
WORKERS = ("gthread", "sync")
WHOLE = ("--duration", "60")
"""The report's 10 s are not enough for 30 recycles of 512 requests on two cores; runs end early once all is clear."""

OF_LUCK = {"19.6.0": {"failed-responses"}}
"""Findings that come and go with any settings: an answer that is lost just before the socket file goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one run said, and what it took."""

    verdict: str
    findings: tuple[str, ...]
    spent_s: float

    def __str__(self) -> str:
        return ", ".join(self.findings) or self.verdict


def bench_profiles(repeats: int, out: Path) -> None:
    """A line for each reference cell; last, how many pairs of runs agreed."""
    agreed, quick_s, pairs = 0, list[float](), 0
    print("| release | worker | original settings | s | quick | s |\n| --- | --- | --- | --- | --- | --- |")
    for release in RELEASES:
        for worker in WORKERS:
            for _ in range(repeats):
                whole = _run(release, worker, out, *WHOLE)
                quick = _run(release, worker, out, "--profile", "quick")
                same = _steady(whole, release) == _steady(quick, release)
                agreed, pairs = agreed + same, pairs + 1
                quick_s.append(quick.spent_s)
                mark = "" if same else " (DIFFERENT)"
                row = [release, worker, whole, f"{whole.spent_s:.1f}", f"{quick}{mark}", f"{quick.spent_s:.1f}"]
                print(f"| {' | '.join(map(str, row))} |", flush=True)
    print(f"profiles: {agreed} of {pairs} pairs agree; quick takes {sum(quick_s) / len(quick_s):.1f} s on average")


def _run(release: str, worker: str, out: Path, *options: str) -> Said:
    argv = [sys.executable, "-m", "harness", "reproduce", release, "--worker", worker, "--out", str(out), "--json"]
    started_s = time.monotonic()
    done = subprocess.run([*argv, *options], capture_output=True, text=True, check=False)
    spent_s = time.monotonic() - started_s
    verdict = json.loads(done.stdout)
    findings = tuple(finding["id"] for finding in verdict["findings"])
    return Said(verdict=verdict["verdict"], findings=findings, spent_s=spent_s)


def _steady(said: Said, release: str) -> tuple[str, frozenset[str]]:
    return said.verdict, frozenset(said.findings) - OF_LUCK.get(release, set())
