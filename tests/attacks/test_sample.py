"""A sample of the attacks, for every check; `make attacks` makes all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import pytest

from tests.attacks import attachments, inputs, interrupts, records
from tests.attacks.attempt import Attempt
from tests.integration.stubs import needs_tools


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(partial(inputs.attack_specs, 26), id="specs"),
        pytest.param(partial(inputs.attack_options, 36), id="options"),
        pytest.param(partial(inputs.attack_stored, 12), id="stored"),
        pytest.param(partial(records.attack, 40), id="records"),
        pytest.param(partial(attachments.attack, 24), id="attachments"),
        pytest.param(partial(interrupts.attack, 2), id="interrupts", marks=needs_tools),
    ],
)
def test_a_sample_is_withstood(attack: Callable[[], Iterable[Attempt]]) -> None:
    attempts = list(attack())
    assert attempts
    assert [attempt for attempt in attempts if attempt.complaints] == []
