"""With which status a campaign of attacks ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.attacks import __main__ as attacks
from tests.attacks.attempt import Attempt


@pytest.mark.parametrize(
    ("attempts", "status"),
    [
        ([Attempt(name="a", complaints=())], 0),
        ([Attempt(name="a", complaints=()), Attempt(name="b", complaints=("it said nothing",))], 1),
        ([], 1),
    ],
    ids=["withstood", "not withstood", "nothing could be tried"],
)
def test_it_ends_with_0_only_where_something_was_tried_and_all_was_withstood(
    monkeypatch: pytest.MonkeyPatch, attempts: Sequence[Attempt], status: int
) -> None:
    monkeypatch.setattr(attacks, "ATTACKS", {"specs": ("values", lambda: attempts)})
    assert attacks.main(["specs"]) == status
