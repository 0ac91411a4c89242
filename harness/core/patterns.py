"""Regular expressions that are compiled when they are used first.

``re.compile`` takes a fifth of a millisecond or more, and the modules of a run define over a hundred expressions, of
which it uses a third. Type checkers see the original.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

__all__ = ["pattern"]

if TYPE_CHECKING:
    from re import compile as pattern
else:

    class pattern:  # noqa: N801 - it stands for a function
        """As ``re.compile``; a wrong expression is noticed when it is used, and by the unit tests."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self._text, self._flags = text, flags

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the original has
            """Only what was not asked for before comes here."""
            value = getattr(re.compile(self._text, self._flags), name)  # which remembers what it has compiled
            setattr(self, name, value)
            return value
