"""Does the memory grow, and do restarts keep it in bounds?"""

from __future__ import annotations

from collections.abc import Mapping

from harness.trials.fold import Answer, Seen
from harness.trials.record import Trial


def judge(trial: Trial, seen: Mapping[str, Seen]) -> Answer:
    """PLACEHOLDER until memory is watched."""
    return Answer(sentence="memory is not judged yet", judgements={}, arms={})
