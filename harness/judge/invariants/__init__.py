"""The promises that a release is held to: one small module each, named as its promise is.

``judge(observations)`` is pure and three-valued; None where the promise does not apply to the run, or was not watched.
No version number may come in here: a judge knows only what was observed. A newcomer adds one file, the row of its
finding in ``core.findings``, and a control on real releases that shows it can fail and can pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pkgutil import iter_modules

from harness.core.findings import FindingId
from harness.core.model import Judgement
from harness.core.observations import Observations


def _list_invariants() -> Mapping[str, Callable[[Observations], Judgement | None]]:
    """Those that have a module here, in the order of their findings; the others are judged with their scenario."""
    here = {found.name for found in iter_modules(__path__)}
    names = dict.fromkeys(finding.invariant for finding in FindingId)
    modules = {name: name.replace("-", "_") for name in names}
    return {name: import_module(f"{__name__}.{module}").judge for name, module in modules.items() if module in here}


INVARIANTS = _list_invariants()
"""By its name in the verdict."""
