"""Prepares the environments of later cells while earlier ones run: a process of its own, with the lowest priority.

Started as ``python -m`` with this module's name and a file, which holds a JSON list of [spec, worker, python
or null, whether with era shims].
An environment that can't be prepared is skipped: the cell itself meets the error and records it.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.core.errors import HarnessError
from harness.provision.environments import prepare
from harness.provision.spec import parse_spec

NICENESS = 19
"""Runs are timed, and must not wait for a processor because an environment is being built."""


def main(path: str) -> int:
    """Prepare one after the other; always return 0."""
    os.nice(NICENESS)
    for spec, worker, python, era_shims in json.loads(Path(path).read_text(encoding="utf-8")):
        try:
            prepare(parse_spec(spec), python=python, worker=worker, say=_say, era_shims=era_shims).close()
        except HarnessError as problem:  # noqa: PERF203 - each stands or falls for itself
            _say(f"{spec} {worker}: {problem}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
