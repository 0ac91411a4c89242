"""A long record, made from a stored one, is judged in little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.large_records import enlarge
from harness.records.store import load_run

RECORD = Path(__file__).parent.parent / "records" / "sync-27.0.1.zip"
SIZE_BYTES = 10_000_000
MOST_MB = 50
"""Of a process that needs some 27 for a small record; with an object for each event and life it took 60."""

SAMPLER = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
)


def test_a_record_of_many_short_lives_is_judged_in_little_memory(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with load_run(RECORD) as stored:
        assert enlarge(stored.path, large, least_bytes=SIZE_BYTES, restarts=True) >= SIZE_BYTES
    (large / "verdict.json").write_text("{}")  # else the reports are made, too
    argv = [sys.executable, "-c", SAMPLER, sys.executable, "-m", "harness", "judge", str(large)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    assert int(said) <= MOST_MB
