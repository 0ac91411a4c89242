"""`python -m tests.unmodified`: runs unmodified releases many times, half beside busy loops, and counts wrong verdicts.

Exit status: 0 where none is wrong, 1 where one is, 2 for wrong usage. Verdicts that say nothing are counted apart.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.mutants.running import run_beside_nobody
from tests.mutants.subjects import REPOSITORY
from tests.unmodified.busy_loops import run_loops
from tests.unmodified.subjects import SUBJECTS, Judged, Subject, assess

WORKSHOP = REPOSITORY / "build" / "unmodified"
LOOPS = 4
PROFILES = ("quick", "default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One run: of what, with which profile, and beside how many busy loops."""

    subject: Subject
    profile: str
    loops: int

    @property
    def name(self) -> str:
        """A row of the table."""
        return f"{self.subject.name:24} {self.profile:8} {'busy' if self.loops else 'idle'}"


def main(arguments: Sequence[str]) -> int:
    """Run what was chosen, print each wrong verdict and the table, and write all as JSON."""
    options = _parse(arguments)
    subjects = [one for one in SUBJECTS if _is_chosen(one, options.names)]
    if not subjects:
        print(f"no release fits; there are {', '.join(one.name for one in SUBJECTS)}", file=sys.stderr)
        return 2
    trials = list(plan_trials(subjects, options.quick, options.default))
    rows: list[dict[str, Any]] = []
    began = time.monotonic()
    for trial in trials:
        if options.seconds is not None and time.monotonic() - began > options.seconds:
            break
        rows.append(run_trial(trial))
        print(render_row(rows[-1]), flush=True)
    print("\n" + render_table(rows))
    if len(rows) < len(trials):
        print(f"{len(trials) - len(rows)} of {len(trials)} runs were left out: the time was over")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps({"schema": 1, "runs": rows}, indent=1) + "\n", encoding="utf-8")
    print(f"written: {options.json}")
    return int(any(row["judged"] == Judged.WRONG.value for row in rows))


def plan_trials(subjects: Sequence[Subject], quick: int, default: int) -> Iterator[Trial]:
    """So many runs of each profile, dealt out in turns, every second one of each release beside busy loops."""
    for profile, runs in zip(PROFILES, (quick, default), strict=True):
        for number in range(runs):
            turn, at = divmod(number, len(subjects))
            yield Trial(subject=subjects[at], profile=profile, loops=LOOPS if turn % 2 else 0)


def run_trial(trial: Trial) -> dict[str, Any]:
    """One run as a user would start it, and what its verdict is worth."""
    subject, began = trial.subject, time.monotonic()
    runs = WORKSHOP / "runs" / subject.name
    command = [sys.executable, "-m", "harness", "reproduce", subject.release, "--worker", subject.worker]
    command += ["--proxy", subject.proxy, "--profile", trial.profile, "--json", "--out", str(runs)]
    with ExitStack() as stack:
        stack.enter_context(run_loops(trial.loops))
        done = run_beside_nobody(command)
    try:
        said = json.loads(done.stdout)
    except json.JSONDecodeError:
        said = {"reasons": [done.stderr.strip()[-400:]]}
    judged, why = assess(subject, said)
    return {
        "trial": trial.name,
        "judged": judged.value,
        "why": why,
        "verdict": said.get("verdict"),
        "findings": [[finding["id"], finding["detail"]] for finding in said.get("findings", ())],
        "reasons": list(said.get("reasons", ()))[:3],
        "record": str((runs / "latest").resolve()),
        "took_s": round(time.monotonic() - began, 1),
    }


def render_row(row: dict[str, Any]) -> str:
    """One run in a line, with what is wrong with it, or why it says nothing."""
    found = ", ".join(name for name, _ in row["findings"]) or "-"
    line = f"{row['judged']:12} {row['trial']}  {row['verdict']}: {found}  [{row['took_s']} s]"
    more = row["why"] or (row["reasons"] or [""])[0] if row["judged"] != Judged.RIGHT.value else ""
    return f"{line}\n             {more}" if more else line


def render_table(rows: Sequence[dict[str, Any]]) -> str:
    """How many verdicts of each kind of run are right, say nothing, and are wrong."""
    names = list(dict.fromkeys(row["trial"] for row in rows))
    counts = {name: Counter(row["judged"] for row in rows if row["trial"] == name) for name in names}
    counts["all"] = sum(counts.values(), Counter[str]())
    lines = [f"{'release, worker, proxy':24} {'profile':8} {'':4}  right  inconclusive  wrong"]
    for name, count in counts.items():
        right, unsure, wrong = (count[one.value] for one in Judged)
        lines.append(f"{name:38}  {right:5}  {unsure:12}  {wrong:5}")
    return "\n".join(lines)


def _is_chosen(subject: Subject, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(subject.name, pattern) for pattern in patterns)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.unmodified", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or patterns, such as '27.*'; all if left out")
    parser.add_argument("--quick", type=int, default=100, metavar="N", help="runs of the profile quick [100]")
    parser.add_argument("--default", type=int, default=100, metavar="N", help="runs of the profile default [100]")
    parser.add_argument("--seconds", type=float, metavar="S", help="begin no run after so long [none]")
    parser.add_argument("--json", type=Path, default=WORKSHOP / "results.json", metavar="FILE", help="where results go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # `make unmodified ARGS=...` hands its options over in the environment: no shell sees them.
    sys.exit(main(sys.argv[1:] or shlex.split(os.environ.get("ARGS", ""))))
