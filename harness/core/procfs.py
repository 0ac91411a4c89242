"""Reads Linux's /proc: processes, their children, CPU times, memory and the kernel's limits. No other module reads it.

It may import only the standard library, because the reaper imports it in an interpreter without site packages. The
callers know what the figures mean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.core.patterns import pattern

PROC = Path("/proc")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError)
"""The errors of reading about a process that has ended."""

PIECE_BYTES = 1 << 12
SOMAXCONN = PROC / "sys/net/core/somaxconn"
"""How many connections may wait at a listener; 128 before Linux 5.4."""

INOTIFY_INSTANCES = PROC / "sys/fs/inotify/max_user_instances"
ROLLUP = "smaps_rollup"
"""A process's memory in sums; from Linux 4.14 on."""

_KIB = pattern(rb"^(\w+):\s+(\d+) kB$", re.MULTILINE)
_SOCKET = "socket:["
_COLUMNS_WITH_PATH = 8
"""Of /proc/net/unix: the end of a connection that was accepted has the path of its listener, the other end has none."""

_IDLE = (3, 4)
"""The columns of /proc/stat (user nice system idle iowait irq softirq steal ...) in which no core works."""

_COLUMNS = 8
"""Up to steal: time that the host gave to other guests counts as used by others. The guest columns are part of the
first two."""


def read_stat(pid: int) -> list[str]:
    """The fields of a process after its name (a name may contain any character); the first is the state.

    Raises:
        OSError: the process is gone.
    """
    handle = os.open(f"{PROC}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)  # Path and its text stream cost 3 times as much
    try:
        return os.read(handle, PIECE_BYTES).rpartition(b")")[2].decode().split()
    finally:
        os.close(handle)


def read_name(pid: int) -> str:
    """The name of a process, cut off by the kernel after 15 bytes. OSError where it is gone."""
    return (PROC / str(pid) / "comm").read_text(errors="replace").rstrip("\n")


def read_status(pid: int) -> Mapping[str, str]:
    """What the kernel tells of a process by name: Uid, Gid, Groups, CapEff, ... OSError where it is gone."""
    lines = (PROC / str(pid) / "status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def start_ticks(pid: int) -> int | None:
    """The start time of a process in clock ticks since boot; None where it is gone or a zombie."""
    try:
        fields = read_stat(pid)
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def is_stopped(pid: int) -> bool:
    """Whether a signal or a tracer holds the process: it gets no time until it is continued."""
    try:
        return read_stat(pid)[0] in "Tt"
    except OSError:
        return False


def is_one_stopped(pid: int, *, with_children: bool) -> bool:
    """Whether a process, or with ``with_children`` any of its children, ``is_stopped``."""
    return any(map(is_stopped, [pid, *(list_children(pid) if with_children else ())]))


def can_not_run(pid: int) -> bool:
    """Whether a process is stopped, has ended, or is gone."""
    try:
        return read_stat(pid)[0] in "TtZX"
    except OSError:
        return True


def count_files(pid: int) -> tuple[dict[str, int], int] | None:
    """How many files of each kind a process has open, and how many threads it has; None where it is gone or another's.

    The kinds: socket, pipe, file (one with a path), and other, such as an epoll instance.
    """
    kinds = {"socket": 0, "pipe": 0, "file": 0, "other": 0}
    try:
        for link in (PROC / str(pid) / "fd").iterdir():
            with suppress(*GONE):  # closed meanwhile
                target = str(link.readlink())
                name = "file" if target.startswith("/") else target.partition(":")[0]
                kinds[name if name in kinds else "other"] += 1
        return kinds, int(read_status(pid)["Threads"])
    except (OSError, KeyError):
        return None


def has_connection(pid: int) -> bool:
    """Whether a process holds an established connection of a TCP port or of a Unix socket with a name."""
    try:
        links = {str(link.readlink()) for link in (PROC / str(pid) / "fd").iterdir()}
    except OSError:
        return False
    held = {link[len(_SOCKET) : -1].encode() for link in links if link.startswith(_SOCKET)}
    return not held.isdisjoint(_list_established(pid))


def _list_established(pid: int) -> set[bytes]:
    """The inodes of all established connections where a process lives; the columns are those of proc(5)."""
    tcp = [row for name in ("tcp", "tcp6") for row in _read_rows(pid, name)]
    ports = {row[9] for row in tcp if row[3] == b"01"}
    names = {row[6] for row in _read_rows(pid, "unix") if row[5] == b"03" and len(row) == _COLUMNS_WITH_PATH}
    return ports | names


def _read_rows(pid: int, name: str) -> list[list[bytes]]:
    try:
        return [line.split() for line in (PROC / str(pid) / "net" / name).read_bytes().splitlines()[1:]]
    except OSError:
        return []


def list_open(pid: int) -> list[str]:
    """What each open file of a process is: a path, ``socket:[12]``, ``pipe:[12]``, ... OSError where it is gone."""
    names = []
    for link in os.scandir(PROC / str(pid) / "fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(link.path))  # noqa: PTH115 - Path objects cost 5 times as much
    return names


def count_threads(pid: int) -> int:
    """The threads of a process. OSError where it is gone."""
    return int(read_stat(pid)[17])


def has_variable(pid: int, variable: bytes) -> bool:
    """Whether a process was started with ``NAME=value``; False where it is gone, or its environment can't be read."""
    try:
        with (PROC / str(pid) / "environ").open("rb", buffering=0) as stream:
            return variable in stream.read().split(b"\0")
    except OSError:
        return False


def is_of_user(pid: int, users: Collection[int], *, without: bytes) -> bool:
    """Whether a process runs as one of the users, and was started without a variable of this name."""
    try:
        if not users or (PROC / str(pid)).stat().st_uid not in users:
            return False
        variables = (PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return not any(variable.startswith(without + b"=") for variable in variables)


def list_pids() -> Iterator[int]:
    """All processes of this machine, as far as they can be seen."""
    return (int(name) for name in os.listdir(PROC) if name.isdigit())  # noqa: PTH208 - Path objects cost 5 times as much


def list_live(since_ticks: int = 0) -> Iterator[tuple[int, int]]:
    """The live processes of this machine, each with its process group; only those that started since then."""
    for pid in list_pids():
        with suppress(OSError):  # it has ended meanwhile
            fields = read_stat(pid)
            if fields[0] not in "ZX" and int(fields[19]) >= since_ticks:
                yield pid, int(fields[2])


def count_tasks(user: int) -> int:
    """Processes and threads of a user."""
    total = 0
    for pid in list_pids():
        with suppress(OSError):  # it has ended meanwhile
            if (PROC / str(pid)).stat().st_uid == user:
                total += int(read_stat(pid)[17])
    return total


def count_all_tasks() -> int:
    """Processes and threads of everybody."""
    return int((PROC / "loadavg").read_text().split()[3].partition("/")[2])


def read_control_groups() -> list[str]:
    """The control groups of this process, a line ``ID:CONTROLLERS:PATH`` each; none where the kernel has none."""
    try:
        return (PROC / "self/cgroup").read_text().splitlines()
    except OSError:
        return []


def children_file(pid: int) -> Path:
    """The kernel's list of a process's children; kernels without CONFIG_PROC_CHILDREN have none."""
    return PROC / str(pid) / "task" / str(pid) / "children"


def list_children(pid: int) -> list[int]:
    """The children of a process, zombies included; none where it is gone."""
    try:
        return [int(child) for child in children_file(pid).read_text().split()]
    except GONE:
        return []


def list_tree(pid: int) -> Iterator[int]:
    """A process and all that descend from it."""
    yield pid
    for child in list_children(pid):
        yield from list_tree(child)


class ChildList:
    """The kernel's list of a process's children, kept open while it is watched: opening costs more than reading."""

    def __init__(self, pid: int) -> None:
        self._path = children_file(pid)
        self._fd: int | None = None

    def read(self) -> bytes:
        """The pids as text; empty where the process is gone."""
        try:
            if self._fd is None:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            pieces, length = [], 0
            while piece := os.pread(self._fd, PIECE_BYTES, length):  # at most a page at once, whatever is asked for
                pieces.append(piece)
                length += len(piece)
            return b"".join(pieces)
        except GONE:
            return b""

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def used_cpu_s(fields: Sequence[str]) -> float:
    """CPU seconds of a process and of the children that it has waited for; ``fields``: what ``read_stat`` gives."""
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS_PER_S


def tree_cpu_s(pid: int) -> float:
    """CPU seconds of a process, its reaped children, and its live children; 0 where it is gone."""
    try:
        fields = read_stat(pid)
        children = [int(child) for child in children_file(pid).read_text().split()]
    except GONE:
        return 0.0
    return used_cpu_s(fields) + sum(tree_cpu_s(child) for child in children)


def busy_cpu_s() -> float:
    """CPU seconds in which the cores worked since boot, all of them together."""
    fields = (PROC / "stat").read_text().split("\n", 1)[0].split()[1 : 1 + _COLUMNS]
    return sum(int(ticks) for column, ticks in enumerate(fields) if column not in _IDLE) / TICKS_PER_S


def rollup_file(pid: int | str) -> Path:
    """The file in which the kernel sums up a process's memory; ``self`` is the calling process."""
    return PROC / str(pid) / ROLLUP


def parse_kib(text: bytes) -> Mapping[str, int]:
    """The rows ``Name:  123 kB`` of a file of /proc, in KiB."""
    return {name.decode(): int(size) for name, size in _KIB.findall(text)}


def available_bytes() -> int:
    """How much memory can still be used without swapping, as the kernel estimates it."""
    return parse_kib((PROC / "meminfo").read_bytes())["MemAvailable"] * 1024


def read_number(path: Path) -> int | None:
    """A setting of the kernel; None where it has no such setting."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
