"""`python -m tests.mutants`: runs the mutants and prints how many of each class the harness judges rightly.

Exit status: 0 where all are judged rightly in each run, 1 where one is not, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutants.running import Outcome, run_mutant
from tests.mutants.scoring import count_by_fault
from tests.mutants.subjects import WORKSHOP
from tests.mutants.table import Fault, Mutant, load_table


def main(arguments: Sequence[str]) -> int:
    """Run what was chosen, print the table and the score, and write both as JSON."""
    options = _parse(arguments)
    chosen = [mutant for mutant in load_table() if _is_chosen(mutant, options)]
    if not chosen:
        print("no mutant fits; --list shows all", file=sys.stderr)
        return 2
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:34} {mutant.release:8} {mutant.worker:9} {describe_expectation(mutant)}")
        return 0
    with ThreadPoolExecutor(options.jobs) as pool:
        outcomes = []
        for outcome in pool.map(run_mutant, [mutant for mutant in chosen for _ in range(options.repeats)]):
            outcomes.append(outcome)
            print(render_line(outcome), flush=True)
    results = [(mutant, [o for o in outcomes if o.mutant is mutant]) for mutant in chosen]
    print("\n" + render_score(results))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(build_document(results), indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten: {options.json}")
    return 0 if all(outcome.right for outcome in outcomes) else 1


def render_line(outcome: Outcome) -> str:
    """One run in one line, and what is wrong with it in a second one."""
    mutant = outcome.mutant
    got = ", ".join([*outcome.findings, *(f"note {note}" for note in outcome.notes)]) or "-"
    mark = "right" if outcome.right else "WRONG"
    line = f"{mark}  {mutant.name:34} {mutant.release:8} {mutant.worker:9} {outcome.verdict:12} {got}"
    line += f"  [{outcome.took_s:.1f} s]"
    if outcome.right:
        return line
    return f"{line}\n       expected: {describe_expectation(mutant)}; {'; '.join(outcome.complaints)}"


def describe_expectation(mutant: Mutant) -> str:
    """What the table wants of a mutant, in one line."""
    parts = [" or ".join(sorted(mutant.verdicts)), *mutant.findings]
    if mutant.one_of:
        parts.append("one of " + ", ".join(sorted(mutant.one_of)))
    parts += [f"note {note}" for note in sorted(mutant.notes)]
    return " ".join(parts)


def render_score(results: Sequence[tuple[Mutant, Sequence[Outcome]]]) -> str:
    """How many mutants of each class were judged rightly in each run."""
    score = count_by_fault((mutant.fault, all(o.right for o in outcomes)) for mutant, outcomes in results)
    lines = [f"{fault.value:12} {good:3} of {of:3}" for fault, (good, of) in score.items()]
    good, of = (sum(counts) for counts in zip(*score.values(), strict=True))
    return "\n".join([*lines, f"{'all':12} {good:3} of {of:3}"])


def build_document(results: Sequence[tuple[Mutant, Sequence[Outcome]]]) -> dict[str, Any]:
    """The table and the score for other programs."""
    score = count_by_fault((mutant.fault, all(o.right for o in outcomes)) for mutant, outcomes in results)
    return {
        "schema": 1,
        "score": {fault.value: {"right": good, "mutants": of} for fault, (good, of) in score.items()},
        "mutants": [
            {
                "name": mutant.name,
                "release": mutant.release,
                "worker": mutant.worker,
                "fault": mutant.fault.value,
                "expected": describe_expectation(mutant),
                "right": all(outcome.right for outcome in outcomes),
                "runs": [_describe_run(outcome) for outcome in outcomes],
            }
            for mutant, outcomes in results
        ],
    }


def _describe_run(outcome: Outcome) -> dict[str, Any]:
    return {
        "verdict": outcome.verdict,
        "findings": [
            {key: finding.get(key) for key in ("id", "at_s", "detail")} for finding in outcome.said.get("findings", ())
        ],
        "notes": list(outcome.notes),
        "complaints": list(outcome.complaints),
        "record": str(outcome.record) if outcome.record else None,
        "took_s": round(outcome.took_s, 2),
    }


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names or patterns, such as 'path-*'; all if left out")
    parser.add_argument("--fault", choices=[fault.value for fault in Fault], help="only this class of fault")
    parser.add_argument("--release", help="only this release of gunicorn")
    parser.add_argument("--worker", help="only this worker class")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="runs of each mutant [1]")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time [1]")
    parser.add_argument("--json", type=Path, default=WORKSHOP / "results.json", metavar="FILE", help="where results go")
    parser.add_argument("--list", action="store_true", help="only list what would run")
    return parser.parse_args(arguments)


def _is_chosen(mutant: Mutant, options: argparse.Namespace) -> bool:
    return (
        (not options.names or any(fnmatch.fnmatchcase(mutant.name, pattern) for pattern in options.names))
        and options.fault in (None, mutant.fault.value)
        and options.release in (None, mutant.release)
        and options.worker in (None, mutant.worker)
    )


if __name__ == "__main__":
    # `make mutants ARGS=...` hands its options over in the environment: no shell sees them.
    sys.exit(main(sys.argv[1:] or shlex.split(os.environ.get("ARGS", ""))))
