"""Takes out of the files of an attachment what must not leave this machine, and remembers what it took.

``core.secrets`` knows what looks like a secret, ``records.redaction`` whose name and home it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from harness.core.errors import UsageError
from harness.core.secrets import Redactor
from harness.records.redaction import (
    current_identity,
    is_word,
    make_scrubber,
    make_secret_finder,
    make_value_redactor,
    secret_in_facts,
    secrets_of,
)
from harness.records.stored import StoredRun

_FROM_USER = "config/"
"""What was handed to the servers: the user's settings and app are among it."""


class Cleaner:
    """Cleans the files of one attachment, one after the other. ``force``: go on where nobody can tell."""

    def __init__(self, *, force: bool) -> None:
        secrets = secrets_of()
        self._force = force
        self._words = {name: value for name, value in secrets.items() if is_word(value)}
        self._find_word = make_secret_finder(self._words)
        self._take_values = make_value_redactor({n: value for n, value in secrets.items() if n not in self._words})
        self._scrub = make_scrubber(current_identity())
        self._taken: Counter[tuple[str, str]] = Counter()
        self._copied: list[str] = []

    def require_certainty(self, run: StoredRun) -> None:
        """Refuse where the facts hold a short value of a secret variable.

        Raises:
            UsageError: they do, and ``force`` was not asked for.
        """
        variable = secret_in_facts(dict(run.facts), self._words)
        if variable is not None:
            self._refuse("facts.json", f"holds the value of the environment variable {variable}")

    def clean(self, name: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        """The lines of a file as they may be sent.

        Raises:
            UsageError: it is no text, or holds a word that is also the value of a secret variable.
        """
        if name.startswith(_FROM_USER):
            self._copied.append(name)

        def told(kind: str) -> None:
            self._taken[name, kind] += 1

        redactor = Redactor(told=told)
        if name.endswith(".json"):  # whole: it is laid out over many lines
            lines = iter([self._clean_object(b"".join(lines), redactor)])
        for raw in lines:
            self._require_text(name, raw)
            line, variables = self._take_values(redactor.redact(raw))
            for variable in variables:
                told(f"the value of {variable}")
            yield self._scrub(line)

    def render(self) -> Iterator[str]:
        """What was copied of the user's and what was taken out, a line each."""
        if self._copied:
            yield f"Copied: {', '.join(self._copied)} (what was handed to the servers: read it before you send it)"
        for (name, kind), count in sorted(self._taken.items()):
            yield f"Redacted: {name}: {kind}" + (f", {count} times" if count > 1 else "")
        if not self._taken:
            yield "Redacted: nothing looked like a secret"

    def _clean_object(self, raw: bytes, redactor: Redactor) -> bytes:
        try:
            data = json.loads(raw)
            redacted = redactor.redact_json(data)
        except (ValueError, RecursionError):
            return redactor.redact(raw)
        if redacted == data:
            return raw
        return (json.dumps(redacted, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")

    def _require_text(self, name: str, line: bytes) -> None:
        if b"\0" in line:
            self._refuse(name, "is no text, so that nobody can tell what is in it")
        variable = self._find_word(line)
        if variable is not None:
            self._refuse(name, f"holds a word that is the value of the environment variable {variable}")

    def _refuse(self, name: str, why: str) -> None:
        if not self._force:
            raise UsageError(
                what=f"{name} {why}; nothing was written.",
                remedy="Look at it. If it is no secret, ask again with --force; else take it out of the run's files.",
            )
