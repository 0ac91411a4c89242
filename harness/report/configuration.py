"""The files that were handed to the servers, as texts for a report: which are shown, and which are only named."""

from __future__ import annotations

from pathlib import Path

from harness.core.frozen import dataclass
from harness.records.stored import StoredRun

CONFIG_BYTES = 100_000
"""Of each configuration file; real ones have a hundredth of that."""

_NOT_OF_SERVERS = {".lua"}
"""What only the load generator reads; the tracer lies in a folder of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """One file: ``name`` relative to the run's folder, ``text`` None where it is only named."""

    name: str
    suffix: str
    text: str | None


def config_files(stored: StoredRun) -> list[ConfigFile]:
    """All of them, by name; links are left out."""
    folder = stored.path / "config"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return [
        ConfigFile(
            name=path.relative_to(stored.path).as_posix(),
            suffix=path.suffix,
            text=_read(path) if path.parent == folder and path.suffix not in _NOT_OF_SERVERS else None,
        )
        for path in files
    ]


def _read(path: Path) -> str:
    with path.open("rb") as stream:
        raw = stream.read(CONFIG_BYTES + 1)
    return raw[:CONFIG_BYTES].decode("utf-8", "replace") + ("\n[... cut here ...]" if len(raw) > CONFIG_BYTES else "")
