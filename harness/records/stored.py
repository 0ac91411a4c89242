"""A run read back from its folder: typed access to what was stored, and the stream of its events.

Reports, the attachment and the judge read runs through this. A stored run may come from another machine, so each
value's type is checked before it is used. ``store`` writes and finds runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import field
from pathlib import Path
from types import TracebackType

from harness.core.errors import UsageError
from harness.core.events.base import Event
from harness.core.files import open_regular
from harness.core.frozen import dataclass
from harness.core.keeping import temporary_folder
from harness.core.model import Cell, Json
from harness.records.event_file import parse_json, read_events

SCHEMA = 1


def _warn(text: str) -> None:
    import logging

    logging.getLogger(__name__).warning(text)


class Unpacked:
    """The temporary folder of an unpacked attachment, until its owner calls ``close``."""

    def __init__(self) -> None:
        self._kept = ExitStack()
        self.path = self._kept.enter_context(temporary_folder("attachment"))

    def close(self) -> None:
        """Remove the folder; a second call does nothing."""
        self._kept.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as it lies on disk. As a context manager, it removes the folder to which an attachment was unpacked."""

    path: Path
    run_id: str
    cell: Cell
    facts: Mapping[str, Json]
    verdict: Mapping[str, Json] | None
    unpacked: Unpacked | None = field(default=None, repr=False, compare=False)

    def __enter__(self) -> StoredRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the unpacked attachment, if there is one; a run folder is never touched."""
        if self.unpacked is not None:
            self.unpacked.close()

    def judged(self) -> Mapping[str, Json]:
        """The verdict; UsageError where the run was ended before it got one."""
        if self.verdict is None:
            raise UsageError(
                what=f"The run {self.run_id} has no verdict.json: it was ended before it was judged.",
                remedy=f"Judge what was recorded: harness judge {self.path}",
            )
        return self.verdict

    def events(self, say: Callable[[str], None] = _warn) -> Iterator[Event]:
        """The events in the order of the file, read line by line.

        A torn last line (the run was killed while it wrote) is left out and reported through ``say``. Where the record
        contradicts itself, was cut short, or has a kind that is not known, an event says so.

        Raises:
            UsageError: no events.jsonl, or a line in it that is no event; names the file and the line's number.
        """
        path = self.path / "events.jsonl"
        try:
            stream = open_regular(path)
        except OSError as problem:
            raise UsageError(
                what=f"The events of the run {self.run_id} can't be read: {path}: {problem.strerror}.",
                remedy="Use a run that was recorded up to its load.",
            ) from problem
        with stream:
            yield from read_events(stream, path, say)


def read_object(path: Path) -> dict[str, Json] | None:
    """The JSON object in ``path``, None where there is no such file.

    Raises:
        UsageError: unreadable, not JSON, not an object, or of a schema that this version does not know.
    """
    try:
        with open_regular(path) as stream:
            data = parse_json(stream.read())
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise UsageError(
            what=f"{path} can't be read: {problem.strerror}.", remedy="Check what it is, and its permissions."
        ) from problem
    except ValueError as problem:
        raise UsageError(what=f"{path} is damaged: {problem}.", remedy="Use an undamaged copy of the run.") from problem
    if not isinstance(data, dict):
        raise UsageError(what=f"{path} holds no JSON object.", remedy="Use an undamaged copy of the run.")
    schema = data.get("schema", SCHEMA)
    if type(schema) is not int or schema != SCHEMA:
        raise UsageError(
            what=f"{path} has the schema {str(schema)[:40]!r}; this version of the harness knows {SCHEMA}.",
            remedy="Read it with the version of the harness that wrote it (see facts.json), or a newer one.",
        )
    return data
