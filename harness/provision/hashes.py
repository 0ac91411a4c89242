"""The recorded SHA-256 of the distributions that environments are made of, by ``name==version``.

They lie in ``hashes.toml`` beside this module; ``python -m maintenance.catalogue --hashes`` makes it from the index. An
index, a mirror or a cache that gives something else under such a name is refused before anything of it is run.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("hashes.toml")
SCHEMA = 1


@cache
def load_hashes() -> Mapping[str, tuple[str, ...]]:
    """The digests of all files of each recorded version, in hexadecimal; read once a process."""
    return parse_hashes(TABLE.read_text(encoding="utf-8"))


def parse_hashes(text: str) -> Mapping[str, tuple[str, ...]]:
    """Read the text of ``hashes.toml``.

    Raises:
        KeyError, ValueError: it is not a table of this schema.
    """
    data = tomllib.loads(text)
    if data["schema"] != SCHEMA:
        raise ValueError(f"hashes.toml has schema {data['schema']}, this harness reads {SCHEMA}")
    return {name: tuple(digests) for name, digests in data["files"].items()}


def with_hashes(requirement: str) -> str:
    """A line for the installer: with its digests where they are recorded, else as it is."""
    return " ".join([requirement, *(f"--hash=sha256:{digest}" for digest in load_hashes().get(requirement, ()))])


def is_expected(name: str, version: str, digest: str) -> bool:
    """Whether a file of this version may have this digest; true where none is recorded."""
    known = load_hashes().get(f"{name}=={version}")
    return known is None or digest in known
