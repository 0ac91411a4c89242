"""What earlier trials found out: which shims a gunicorn needs to start here, and which one cured which failure.

It is one JSON file in the cache folder; a wrong or missing file only costs the time to try again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from harness.core.files import replace_file
from harness.core.frozen import dataclass
from harness.core.patterns import pattern

SCHEMA = 1
LENGTH = 200

_VARIABLE = pattern(r"""0x[0-9a-f]+|\d+|(?:/[\w.@+-]+)+""")


def sign_of(failure: str) -> str:
    """A failure without what differs each time: numbers and paths."""
    return " ".join(_VARIABLE.sub("*", failure).split())[:LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class RememberedStarts:
    """``starts``: by environment and cell, the shims it starts with. ``cures``: by failure, the shim that helped."""

    file: Path
    starts: Mapping[str, Sequence[str]]
    cures: Mapping[str, str]

    @classmethod
    def load(cls, file: Path) -> RememberedStarts:
        """What is stored; empty where nothing is, or where it can't be read."""
        try:
            data = json.loads(file.read_bytes())
            if data["schema"] == SCHEMA:
                starts = {str(key): [str(name) for name in names] for key, names in data["starts"].items()}
                cures = {str(sign): str(name) for sign, name in data["cures"].items()}
                return cls(file=file, starts=starts, cures=cures)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass
        return cls(file=file, starts={}, cures={})

    def add(self, key: str, shims: Sequence[str], cures: Mapping[str, str]) -> None:
        """Store a start, together with what other processes have stored meanwhile."""
        now = RememberedStarts.load(self.file)
        content = {"schema": SCHEMA, "starts": {**now.starts, key: list(shims)}, "cures": {**now.cures, **cures}}
        with suppress(OSError):
            replace_file(self.file, json.dumps(content, indent=1))
