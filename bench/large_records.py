"""What judging and rendering a long record costs; it is made from a real one, whose load is repeated.

A run that makes 200 MB of events would take hours. In the repetitions all that follows is moved to later.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

_ONCE = frozenset({"phase", "load", "watcher", "machine", "fleet", "open-files", "ledger", "end"})
"""Events that a run has once, whatever its length."""

_OF_LIVES = frozenset({"log", "child-ended", "workers"})
"""Without them nobody ends: the workers of the first moment serve for the whole run."""

_NEVER = 100_000_000
"""So many requests no worker serves."""


_KINDS = {
    "many requests": (False, ("27.0.1", "--worker", "gthread", "--max-requests", "0")),
    "many short lives": (True, ("27.0.1", "--worker", "sync", "--max-requests", "60")),
}
_COMMANDS = (
    ("judge",),
    ("report", "--format", "html"),
    ("report", "--format", "md"),
    ("report", "--format", "junit"),
    ("bundle", "--out", "{zip}"),
    ("judge", "{zip}"),
)
_SAMPLER = (
    "import resource, subprocess, sys; "
    "done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); "
    "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
    "print(done.returncode, used.ru_maxrss / 1024, used.ru_utime + used.ru_stime)"
)


def bench_large(out: Path, size_mb: float) -> None:
    """The memory of each command that reads a whole record, for records with so many MB of events."""
    for name, (restarts, options) in _KINDS.items():
        with tempfile.TemporaryDirectory(dir=out) as folder:
            real = _record(Path(folder), options)
            large = Path(folder) / "large"
            size = enlarge(real, large, least_bytes=int(size_mb * 1e6), restarts=restarts)
            for command in _COMMANDS:
                told = [word.format(zip=Path(folder) / "a.zip") for word in command]
                words = told if "{zip}" in command[1:2] else [told[0], str(large), *told[1:]]
                code, most_mb, cpu_s = _measure(words)
                said = " ".join(command).replace(" --out {zip}", "").replace("{zip}", "of the attachment")
                print(
                    f"{name}, {size / 1e6:.0f} MB of events: {said}: exit {code}, {most_mb} MB, {cpu_s} s of CPU",
                    flush=True,
                )


def _record(folder: Path, options: tuple[str, ...]) -> Path:
    load = ("--full-duration", "--duration", "4")
    argv = [sys.executable, "-m", "harness", "reproduce", *options, *load, "--out", str(folder / "runs")]
    subprocess.run(argv, check=False, capture_output=True)
    return (folder / "runs" / "latest").resolve()


def _measure(words: list[str]) -> tuple[int, int, int]:
    """The exit status, the most resident memory in MB, and the seconds of CPU, of a command of its own."""
    argv = [sys.executable, "-c", _SAMPLER, sys.executable, "-m", "harness", *words]
    said = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split()
    return int(said[0]), round(float(said[1])), round(float(said[2]))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Load:
    """The events of a record around its load and in it, in the order of the file."""

    before: list[Row]
    live: list[Row]  # told while it went on
    between: list[Row]
    late: list[Row]  # told of it afterwards
    after: list[Row]
    span_ns: int
    first_workers: tuple[tuple[int, int], ...]
    last_workers: tuple[tuple[int, int], ...]


def enlarge(source: Path, target: Path, *, least_bytes: int, restarts: bool) -> int:
    """Write the record ``source`` as ``target``, with at least so many bytes of events; returns how many they are.

    ``restarts``: the workers of each repetition end and are others; else those of the first one serve all requests.
    """
    shutil.copytree(source, target)
    load = _cut(source / "events.jsonl", restarts=restarts)
    row_bytes = sum(len(_to_line(row)) for row in (*load.live, *load.late))
    repeats = max(1, -(-least_bytes // row_bytes))
    _edit(target / "cell.json", {"duration_s": load.span_ns / 1e9 * repeats})
    if not restarts:
        _edit(target / "cell.json", {"max_requests": _NEVER})
    with (target / "events.jsonl").open("w", encoding="utf-8") as stream:
        for seq, row in enumerate(_repeat(load, repeats, restarts=restarts)):
            stream.write(_to_line({**row, "seq": seq}))
        return stream.tell()


def _to_line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _edit(path: Path, changes: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _cut(path: Path, *, restarts: bool) -> _Load:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    begin = next(at for at, row in enumerate(rows) if row["kind"] == "load" and row["state"] == "started")
    settle = next(at for at, row in enumerate(rows) if row["kind"] == "phase" and row["name"] == "settle")
    begin_ns, end_ns = rows[begin]["at_ns"], rows[settle]["at_ns"]

    def is_in(row: Row) -> bool:
        wanted = row["kind"] not in _ONCE and (restarts or row["kind"] not in _OF_LIVES)
        return bool(wanted and begin_ns <= row["at_ns"] < end_ns)

    samples = [row["live"] for row in rows[:settle] if row["kind"] == "workers"]
    before = [row["live"] for row in rows[:begin] if row["kind"] == "workers"]
    return _Load(
        before=rows[: begin + 1],
        live=[row for row in rows[begin + 1 : settle] if is_in(row)],
        between=[row for row in rows[begin + 1 : settle] if row["kind"] in _ONCE],
        late=[row for row in rows[settle:] if is_in(row)],
        after=[row for row in rows[settle:] if not is_in(row) and (restarts or row["kind"] not in _OF_LIVES)],
        span_ns=end_ns - begin_ns,
        first_workers=tuple(map(tuple, before[-1])),
        last_workers=tuple(map(tuple, samples[-1])),
    )


def _repeat(load: _Load, repeats: int, *, restarts: bool) -> Iterator[Row]:
    names = _name_workers(load, repeats) if restarts else [{} for _ in range(repeats)]
    moved_ns = load.span_ns * (repeats - 1)
    yield from load.before
    for turn in range(repeats):
        yield from (_move(row, turn * load.span_ns, names[turn]) for row in load.live)
    yield from (_move(row, moved_ns, names[-1]) for row in load.between)
    for turn in range(repeats):
        yield from (_move(row, turn * load.span_ns, names[turn]) for row in load.late)
    yield from (_multiply(_move(row, moved_ns, names[-1]), repeats) for row in load.after)


def _name_workers(load: _Load, repeats: int) -> list[dict[int, int]]:
    """The pids of each repetition: new ones, but for the workers that go on over the seam."""
    pids = sorted({pid for row in load.live if row["kind"] == "workers" for pid, _ in row["live"]})
    named: list[dict[int, int]] = [{}]
    new = max(pids, default=0)
    for _ in range(repeats - 1):
        before = named[-1]
        going_on = [before.get(pid, pid) for pid, _ in load.last_workers]
        mapping = dict(zip((pid for pid, _ in load.first_workers), going_on, strict=False))
        for pid in pids:
            if pid not in mapping:
                new += 1
                mapping[pid] = new
        named.append(mapping)
    return named


def _move(row: Row, by_ns: int, names: Mapping[int, int]) -> Row:
    moved = {**row, "at_ns": row["at_ns"] + by_ns}
    if not names:
        return moved
    for key in ("pid", "child"):
        if isinstance(row.get(key), int):
            moved[key] = names.get(row[key], row[key])
    if row["kind"] == "workers":
        moved["live"] = [[names.get(pid, pid), names.get(pid, pid)] for pid, _ in row["live"]]
    if row["kind"] == "served":
        moved["by_pid"] = {str(names.get(int(pid), int(pid))): said for pid, said in row["by_pid"].items()}
    if row["kind"] == "log" and row.get("pid") in names:
        moved["text"] = row["text"].replace(str(row["pid"]), str(names[row["pid"]]))
    if row["kind"] == "stop":
        moved["ended"] = [[names.get(pid, pid), took_ns] for pid, took_ns in row.get("ended", ())]
    return moved


def _multiply(row: Row, repeats: int) -> Row:
    """The totals of load and ledger, so that they go together with what is told of each moment."""
    if row["kind"] == "load":
        return {**row, "requests": row["requests"] * repeats, "statuses": _times(row["statuses"], repeats)}
    if row["kind"] == "ledger":
        return {**row, "counts": _times(row["counts"], repeats)}
    return row


def _times(counts: Mapping[str, int], repeats: int) -> dict[str, int]:
    return {name: count * repeats for name, count in counts.items()}
