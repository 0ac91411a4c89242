"""The programs that a run may need beside gunicorn: the recipes of all proxies and loads, by name."""

from __future__ import annotations

from collections.abc import Mapping

from harness.core.errors import UsageError
from harness.core.model import Cell
from harness.provision.tools import Recipe
from harness.stack.load import LOADS
from harness.stack.proxies import PROXIES

_MODULES = (*PROXIES.values(), *LOADS.values())
RECIPES: Mapping[str, Recipe] = {
    module.RECIPE.name: module.RECIPE for module in _MODULES if module is not None and module.RECIPE is not None
}

DEFAULTS = (Cell(spec="").proxy, Cell(spec="").load)
"""The programs of a run without further options."""


def recipe_of(name: str) -> Recipe:
    """The recipe for ``name``.

    Raises:
        UsageError: there is none.
    """
    try:
        return RECIPES[name]
    except KeyError:
        raise UsageError(what=f"no tool is called {name!r}", remedy=f"choose from: {', '.join(RECIPES)}") from None
