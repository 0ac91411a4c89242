from __future__ import annotations

import pytest

from harness.provision.distance import parse_described


@pytest.mark.parametrize(
    ("described", "said"),
    [
        ("27.0.1-14-g1a2b3c4", "27.0.1 + 14 commits (1a2b3c4)"),
        ("27.0.1-1-g1a2b3c4", "27.0.1 + 1 commit (1a2b3c4)"),
        ("27.0.1-0-g1a2b3c4", "27.0.1 + 0 commits (1a2b3c4)"),
        ("27.0.1-3-g1a2b3c4-dirty", "27.0.1 + 3 commits (1a2b3c4, changed)"),
        ("v1-rc-3-g1a2b3c4", "v1-rc + 3 commits (1a2b3c4)"),
        ("1a2b3c4", "commit 1a2b3c4"),
        ("1a2b3c4-dirty", "commit 1a2b3c4, changed"),
    ],
)
def test_a_commit_is_called_by_its_distance_from_a_release(described: str, said: str) -> None:
    assert parse_described(described) == said
