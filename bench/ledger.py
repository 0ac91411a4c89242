"""What the ledger costs: closing it after a run of a million requests, and wrk's throughput while it is written."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from bench.watched_load import measure_rate, prepare_holding
from harness.core.events.clients import LedgerClosed, LoadEnded
from harness.core.model import Cell
from harness.engine.accounts import NOTES_FILE, Clients
from harness.engine.ledger import close_ledger
from harness.judge.ledger.load_account import PREFIX

REQUESTS = 1_000_000
THREADS = 10
LOST_EVERY = 10
"""Each tenth request is answered 502 by the proxy, as on a release that loses requests; each hundredth had been run."""

END_NS = 60_000_000_000


def bench_closing(out: Path) -> None:
    """In a process of its own, so that its memory is its own."""
    folder = out / "ledger"
    folder.mkdir()
    _write_accounts(folder)
    done = subprocess.run(
        [sys.executable, "-m", "bench.ledger", str(folder)], check=True, capture_output=True, text=True
    )
    said = json.loads(done.stdout)
    counts = said["counts"]
    print(
        f"ledger: {counts['requests']:,} requests closed in {said['spent_s']:.2f} s (CPU {said['cpu_s']:.2f} s), "
        f"{counts['unexplained']} unexplained; at most {said['most_mb']:.0f} MB, {said['more_mb']:.0f} of it the ledger"
    )


def bench_cost(pairs: int, duration_s: int) -> None:
    """The throughput with the ledger and without it, the other watchers on in both, in alternating order."""
    with closing(prepare_holding()) as environment:
        ratios = []
        for number in range(pairs):
            rates = {}
            for ledger in (True, False) if number % 2 else (False, True):
                rates[ledger] = measure_rate(environment, watched=True, duration_s=duration_s, ledger=ledger)
            ratios.append(rates[True] / rates[False])
    shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    print(f"ledger: {statistics.median(ratios):.3f} of the throughput without it (median of {pairs} pairs: {shown})")


def _write_accounts(folder: Path) -> None:
    """The files of a run behind h2o, written in one go."""
    lost, run = range(0, REQUESTS, LOST_EVERY), range(0, REQUESTS, LOST_EVERY * LOST_EVERY)
    answered = [number for number in range(REQUESTS) if number % LOST_EVERY]
    line = '127.0.0.1 - - [20/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" %d 11 "-" "-" w%d%s\n'
    with (folder / "h2o.access.log").open("w") as stream:
        stream.writelines(line % (502 if number in lost else 200, number, "") for number in range(REQUESTS))
    with (folder / "gunicorn.access.log").open("w") as stream:
        stream.writelines(line % (200, number, " <4711>") for number in answered)
    with (folder / NOTES_FILE).open("w") as stream:
        stream.write("worker 4711\n")
        stream.writelines(f"w{number} 4711\n" for number in sorted([*answered, *run]))
    for thread in range(THREADS):
        with (folder / f"{PREFIX}-{thread}.log").open("w") as stream:
            stream.write(f"@ 0 {thread}\n")
            stream.writelines(f"w{number} 200\n" for number in answered if number % THREADS == thread)
    with (folder / f"{PREFIX}.log").open("w") as stream:
        for thread in range(THREADS):
            mine = sum(number % THREADS == thread for number in lost)
            stream.write(f"issued {thread} {REQUESTS - THREADS + thread}\nanonymous {thread} 502 {mine}\n")


def _measure(folder: Path) -> None:
    """Close the ledger of ``folder`` and say what it took."""
    clients = Clients()
    clients.hear(LoadEnded(at_ns=END_NS, requests=0, statuses={}, errors={}, stopped_early=False, failed=None))
    before_mb, started_s, cpu_s = _most_mb(), time.monotonic(), time.process_time()
    said = close_ledger(Cell(spec="1.0", proxy="h2o"), folder, clients)
    spent = {"spent_s": time.monotonic() - started_s, "cpu_s": time.process_time() - cpu_s}
    if not isinstance(said, LedgerClosed):
        raise TypeError(f"the ledger could not be closed: {said.detail}")
    print(json.dumps({"counts": said.counts, **spent, "most_mb": _most_mb(), "more_mb": _most_mb() - before_mb}))


def _most_mb() -> float:
    """The most memory that this process has had; what getrusage says begins with its parent's."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    _measure(Path(sys.argv[1]))
