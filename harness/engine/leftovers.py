"""Looks at what gunicorn's processes hold and leave: open files, threads, strays, temporary files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from harness.core import procfs
from harness.core.clock import now_ns
from harness.core.events.stop import FoundProcess, OpenFiles, StrayProcesses
from harness.engine.running_stack import Stack

_DELETED = " (deleted)"
_LOOK_S = 0.05


def look_at_files(stack: Stack, stage: Literal["before", "settled"]) -> None:
    """Emit ``open-files``; nothing where the processes can't be seen, or the arbiter has ended."""
    if find_obstacle(stack) is not None:
        return
    with suppress(OSError):  # the arbiter is gone
        at_ns, opened, workers = now_ns(), procfs.list_open(stack.arbiter_pid), []
        names = set(opened)
        for pid in sorted(stack.progress.live_children):
            with suppress(OSError):  # it has ended meanwhile
                files = procfs.list_open(pid)
                names.update(files)
                workers.append((pid, len(files), procfs.count_threads(pid)))
        event = OpenFiles(
            at_ns=at_ns,
            stage=stage,
            arbiter=dict(Counter(map(_kind_of, opened))),
            arbiter_threads=procfs.count_threads(stack.arbiter_pid),
            workers=tuple(workers),
            temporary=tuple(sorted(name for name in names if _is_temporary(name))),
        )
        stack.sink.emit(event)


def _kind_of(name: str) -> str:
    if not name.startswith("/"):
        return name.partition(":")[0]
    return "deleted file" if name.endswith(_DELETED) else "file"


def _is_temporary(name: str) -> bool:
    """Whether it is a file with a name that a process made for itself: gunicorn's own begin with that."""
    return "/wgunicorn-" in name and not name.endswith(_DELETED)


def find_obstacle(stack: Stack) -> str | None:
    """Why nothing can be said of what gunicorn leaves behind; None where it can."""
    if stack.backend.why_unseen is not None:
        return stack.backend.why_unseen
    if stack.masters.recovered:
        return "the ladder back has replaced what the run left"
    if stack.gunicorn.poll() is not None:
        return "the arbiter had already ended"
    if stack.cell.disturb != "recycle":
        return "disturbances replace arbiters, and judge what these leave by themselves"
    return None


def look_for_strays(stack: Stack) -> None:
    """Emit ``strays``; it takes longer only where there are some."""
    if find_obstacle(stack) is not None:
        return
    began_ns = now_ns()
    strays = _find_strays(stack)
    while strays and (now_ns() - began_ns) / 1e9 < stack.timings.stray_s:
        time.sleep(_LOOK_S)
        still = {row[0] for row in _find_strays(stack)}
        strays = [row for row in strays if row[0] in still]
    waited_ns = now_ns() - began_ns if strays else 0
    stack.sink.emit(StrayProcesses(at_ns=began_ns, processes=tuple(strays), waited_ns=waited_ns))


def _find_strays(stack: Stack) -> list[FoundProcess]:
    """Zombies of the arbiter, and live processes none of whose ancestors is the arbiter."""
    arbiter = stack.arbiter_pid
    family = set(procfs.list_tree(arbiter))
    zombies = [row for row in describe(procfs.list_children(arbiter)) if row[3] == "Z"]
    return zombies + describe(pid for pid in stack.backend.list_relatives(stack.gunicorn) if pid not in family)


def describe(pids: Iterable[int]) -> list[FoundProcess]:
    """The processes that still live, as the events name them."""
    rows: list[FoundProcess] = []
    for pid in pids:
        with suppress(OSError):
            fields = procfs.read_stat(pid)
            rows.append((pid, int(fields[1]), procfs.read_name(pid), fields[0]))
    return rows


def list_sockets(folder: Path) -> list[str]:
    """The Unix sockets in a folder and below."""
    return sorted(str(path) for path in folder.rglob("*") if path.is_socket())
