"""Which requests were run twice for one attempt: by the app's notes, and the connections that they name."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.judge.ledger.books import NOTES, Books, read_pieces
from harness.judge.ledger.repeats import find_repeated


def find(folder: Path, notes: str, unproxied: str = "d") -> list[str]:
    path = folder / "notes.log"
    path.write_text(notes)
    books = Books({"w": 20, "p": 20, "d": 20})
    for piece in read_pieces(path):
        books.write_notes(NOTES.findall(piece))
    return find_repeated(path, books, unproxied=unproxied)


@pytest.mark.parametrize(
    ("notes", "found"),
    [
        ("worker 7 -\nw1 7 1\nw2 7 1\nw3 7 2\n", []),
        ("w1 7 1\nw1 7 1\n", ["w1"]),  # one connection: one attempt
        ("w1 7 1\nw1 7 2\n", []),  # another connection: the proxy asked again
        ("w1 7 1\nw1 8 1\n", []),  # connections are numbered by each worker for itself
        ("w1 7 -\nw1 7 -\n", []),  # may have been asked twice
        ("d1 7 -\nd1 8 -\n", ["d1"]),  # nobody stands between who could ask twice
        ("d1 7 1\nd1 7 2\np3 7 3\np3 7 3\n", ["d1", "p3"]),
        ("w1 7\nw1 7\n", []),  # notes of older records name no connection
    ],
)
def test_two_notes_on_one_connection_are_one_attempt(tmp_path: Path, notes: str, found: list[str]) -> None:
    assert find(tmp_path, notes) == found


def test_without_a_proxy_each_request_is_one_attempt(tmp_path: Path) -> None:
    assert find(tmp_path, "w1 7 -\nw1 8 -\n", unproxied="wpd") == ["w1"]
