"""Hostile values for SPEC, options and stored runs: each is refused in a few lines with the right exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.attacks.attempt import Attempt, Place, a_place

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TABLE = Path(__file__).with_name("inputs.toml")
WRONG_USAGE, UNRUNNABLE, FAILED = 2, 5, 4


def load_table() -> dict[str, Any]:
    """The values by group."""
    with TABLE.open("rb") as stream:
        table: dict[str, Any] = tomllib.load(stream)
    return table


def attack_specs(every: int = 1) -> Iterator[Attempt]:
    """Each SPEC; ``every``: only each n-th. One that has the form of a release may be a release that is not there."""
    with a_place() as place:
        _furnish(place)
        for spec in load_table()["specs"][::every]:
            yield _try(
                place, ["reproduce", _fill(spec, place), "--out", str(place.out)], (WRONG_USAGE, UNRUNNABLE, FAILED)
            )


def attack_options(every: int = 1) -> Iterator[Attempt]:
    """Each option of a run, before anything is started; some are found out only with the surroundings."""
    with a_place() as place:
        _furnish(place)
        for words in load_table()["options"][::every]:
            filled = [_fill(word, place) for word in words]
            yield _try(
                place, ["reproduce", "0.0.0", "--out", str(place.out), *filled], (WRONG_USAGE, UNRUNNABLE, FAILED)
            )


def attack_stored(every: int = 1) -> Iterator[Attempt]:
    """Each command on what is no run."""
    with a_place() as place:
        _furnish(place)
        for words in load_table()["stored"][::every]:
            yield _try(place, [_fill(word, place) for word in words], (WRONG_USAGE,))


def _try(place: Place, arguments: list[str], codes: tuple[int, ...]) -> Attempt:
    done = place.run(*arguments, more={"UV_OFFLINE": "1"})
    complaints = (*done.complain(codes, brief=True), *place.leftovers())
    return Attempt(name=ascii(" ".join(arguments))[:120], complaints=complaints)


def _fill(text: str, place: Place) -> str:
    marks = {"{long}": "a" * 300, "{esc}": "\x1b[31mred\x07", "{bidi}": "\u202e", "{place}": str(place.root)}
    for mark, value in {**marks, "{out}": str(place.out)}.items():
        text = text.replace(mark, value)
    return text


def _furnish(place: Place) -> None:
    """The files that the values name."""
    os.mkfifo(place.root / "fifo")
    (place.root / "loop").symlink_to("loop")
    (place.root / "empty").mkdir()
    (place.root / "dir.whl").mkdir()
    (place.root / "text.whl").write_text("no zip")
    (place.root / "x.json").write_text("[")
    for name in ("empty.whl", "empty.tar.gz", "gunicorn-1.0-py3-none-any.whl"):
        (place.root / name).touch()
