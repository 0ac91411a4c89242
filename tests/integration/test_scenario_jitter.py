"""The scenarios `jitter` and `tcp` on real releases: each detector is shown one that fails it and one that does not.

What others do to the machine may keep too many workers away, and the harness then says that it does not know; what is
asserted here holds on any machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.core.model import State
from harness.engine.conclusion import judge_path
from tests.integration.stubs import Ran, find_marked, needs_tools, run_harness

pytestmark = needs_tools
QUICK = ("--workers=2", "--max-requests=64", "--recycles=8", "--load-threads=2", "--connections=20")
SMALL = ("--workers=6", "--max-requests=60", "--boot-s=0.3", "--service-s=0.02")


def run_jitter(out: Path, *options: str) -> Ran:
    ran = run_harness(out, "scenario", "jitter", *options, *SMALL)
    assert find_marked(out) == [], "something was left running"
    return ran


def test_without_jitter_all_workers_go_at_once(tmp_path: Path) -> None:
    ran = run_jitter(tmp_path / "runs", "latest", "--max-requests-jitter=0")
    assert (ran.code, ran.verdict["verdict"]) == (0, "violated"), ran.out + ran.err
    assert "capacity-lost" in ran.findings
    finding = next(one for one in ran.verdict["findings"] if one["id"] == "capacity-lost")
    assert finding["evidence"]["away"] > 3


@pytest.mark.slow
def test_jitter_is_drawn_uniformly_and_served_exactly(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    ran = run_jitter(out, "latest", "--max-requests-jitter=60", "--most-away=100%")
    assert ran.verdict["verdict"] in {"holds", "inconclusive"}, ran.out + ran.err
    states = ran.verdict["invariants"]
    assert [states[name] for name in ("capacity-kept", "limits-in-range", "jitter-uniform")] == ["holds"] * 3
    arm: Any = ran.verdict["scenario"]["arms"]["jitter-60"]
    assert arm["draws"]["ended"] >= 12
    assert arm["draws"]["fewest_served"] >= 60 - 3
    assert arm["draws"]["most_served"] <= 120
    assert len(set(arm["draws"]["limits"])) > 5
    assert max(away for _, away in arm["away"]) == arm["worst_away"] > 0
    stored, _ = judge_path(out / "latest")
    assert stored.invariants == {name: State(state) for name, state in states.items()}, "the record says the same again"


@pytest.mark.slow
def test_a_release_that_ignores_the_jitter_is_found_out(tmp_path: Path) -> None:
    """19.2 brought max_requests_jitter; 19.1 reads the setting and does nothing with it."""
    ran = run_jitter(tmp_path / "runs", "19.1.0", "--max-requests-jitter=60", "--most-away=100%", "--compare=60")
    assert ran.verdict["verdict"] == "violated", ran.out + ran.err
    assert ran.verdict["invariants"]["jitter-uniform"] == "violated"
    assert set(ran.verdict["scenario"]["arms"]["jitter-60"]["draws"]["limits"]) == {60}


@pytest.mark.slow
def test_a_port_avoids_the_outage_of_19_6_0(tmp_path: Path) -> None:
    ran = run_harness(tmp_path / "runs", "scenario", "tcp", "19.6.0", *QUICK)
    assert ran.verdict["verdict"] in {"violated", "inconclusive"}, ran.out + ran.err
    arms: Any = ran.verdict["scenario"]["arms"]
    assert "socket-deleted" in arms["unix"]["findings"]
    assert ran.findings.isdisjoint({"socket-deleted", "permanent-outage"})
    assert "the file is deleted" in ran.out
