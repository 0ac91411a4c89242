"""The promises that a release is held to: one small module each, named as its promise is.

``judge(observations)`` is pure and three-valued; None where the promise does not apply to the run, or was not watched.
No version number may come in here: a judge knows only what was observed. A newcomer adds one file, the row of its
finding in ``core.findings``, and a control on real releases that shows it can fail and can pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from harness.core.findings import OF_SCENARIOS, FindingId
from harness.core.model import Judgement
from harness.core.observations import Observations


def _load(invariant: str) -> Callable[[Observations], Judgement | None]:
    """Its judge. A module that is missing is an error here: a promise that nobody looks at must never hold."""
    judge: Callable[[Observations], Judgement | None]
    judge = import_module(f"{__name__}.{invariant.replace('-', '_')}").judge
    return judge


INVARIANTS: Mapping[str, Callable[[Observations], Judgement | None]] = {
    name: _load(name) for name in dict.fromkeys(finding.invariant for finding in FindingId) if name not in OF_SCENARIOS
}
"""By its name in the verdict, in the order of their findings."""
