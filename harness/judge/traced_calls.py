"""What the tracer told of calls on the bound path, as removals and other calls, each with who made it."""

from __future__ import annotations

from harness.core.events.bound_path import TracedCall
from harness.core.events.servers import TracedRemoval
from harness.core.model import Culprit
from harness.core.observations import PathCall, Removal
from harness.judge.arbiters import Arbiters


class TracedCalls:
    """Takes them in the order of their times."""

    def __init__(self, arbiters: Arbiters) -> None:
        self._arbiters = arbiters
        self.removals: list[Removal] = []
        self.others: list[PathCall] = []

    def read_removal(self, event: TracedRemoval) -> None:
        """A call that removes or renames the path, whether it succeeded or not."""
        replaces = None if event.effect is None else event.effect == "replaced"
        culprit = self._name(event)
        self.removals.append(Removal(at_ns=event.at_ns, culprit=culprit, failed=event.failed, replaces=replaces))

    def read_call(self, event: TracedCall) -> None:
        """Another call that concerns the path; one that failed has changed nothing."""
        if event.failed is None:
            culprit = self._name(event)
            call = PathCall(at_ns=event.at_ns, culprit=culprit, effect=event.effect, paths=event.paths, mode=event.mode)
            self.others.append(call)

    def _name(self, event: TracedRemoval | TracedCall) -> Culprit:
        return Culprit(
            pid=event.pid,
            role=self._role(event),
            call=event.call,
            stack=tuple(f"{file}:{line} {name}" for file, line, name, _ in event.stack),
            source=tuple(text for *_, text in event.stack),
        )

    def _role(self, event: TracedRemoval | TracedCall) -> str:
        """Whom the harness knows for an arbiter outranks what the traced process thinks of itself."""
        own = self._arbiters.name_of(event.pid, event.at_ns)
        if own is not None:
            return own
        return "worker" if self._arbiters.name_of(event.ppid, event.at_ns) is not None else "other"
