"""Straight lines: the interval covers the truth as often as it says, also where the samples hang together."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.judge.scenarios.regression import fit_line, student_t


def noisy(slope: float, *, seed: int, points: int = 60, memory: float = 0.0) -> list[tuple[float, float]]:
    """A line with noise of one, each sample's holding on to ``memory`` of that of the one before."""
    chance, drift, found = random.Random(seed), 0.0, []  # noqa: S311 - no secret
    for x in range(points):
        drift = memory * drift + chance.gauss(0, 1) * math.sqrt(1 - memory**2)
        found.append((float(x), 5 + slope * x + drift))
    return found


@given(slope=st.floats(-1e6, 1e6), intercept=st.floats(-1e6, 1e6))
def test_an_exact_line_is_found(slope: float, intercept: float) -> None:
    line = fit_line([(float(x), intercept + slope * x) for x in range(20)])
    assert line is not None
    assert line.slope == pytest.approx(slope, abs=1e-4)
    assert line.at(7.0) == pytest.approx(intercept + 7 * slope, abs=1e-3)
    assert line.low <= line.slope <= line.high


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
def test_the_interval_covers_the_truth(memory: float) -> None:
    """Of 300 samples nominally 95 % should; strongly correlated ones come a little short, plain least squares far."""
    covered = 0
    for seed in range(300):
        line = fit_line(noisy(0.1, seed=seed, memory=memory))
        assert line is not None
        covered += line.low <= 0.1 <= line.high
    assert covered >= 300 * (0.9 if memory < 0.8 else 0.85), covered


@pytest.mark.parametrize("points", [[], [(0.0, 1.0)] * 5, [(3.0, 1.0)] * 20])
def test_what_makes_no_line(points: list[tuple[float, float]]) -> None:
    assert fit_line(points) is None


def test_a_slow_curve_has_a_slope_all_the_same() -> None:
    line = fit_line([(float(x), math.sqrt(x)) for x in range(20, 80)])
    assert line is not None
    assert line.low > 0


@pytest.mark.parametrize(("freedom", "expected"), [(2, 4.303), (3, 3.182), (5, 2.571), (10, 2.228), (1000, 1.962)])
def test_students_quantile(freedom: float, expected: float) -> None:
    assert student_t(freedom) == pytest.approx(expected, rel=0.01)
