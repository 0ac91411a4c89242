"""Drives the load against the h2o of a scene, as often as a test wants, and returns its counts without a verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from harness.core.errors import SurroundingsError
from harness.core.events.base import Event
from harness.core.events.clients import LoadEnded
from harness.core.frozen import dataclass
from harness.engine.load_phase import make_load, run_load
from harness.engine.running_stack import find_load_tool
from harness.pytest_plugin.scene import H2oProxy


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAnswers:
    """What the load saw: status -> answers, client error -> requests that got none."""

    requests: int
    statuses: Counter[int]
    errors: Counter[str]


class Load:
    """Lets wrk (or httpx) ask the proxy, again and again if need be."""

    def __init__(self, proxy: H2oProxy) -> None:
        self._stack = stack = proxy.scene.stack
        self._ended: list[LoadEnded] = []
        find_load_tool(stack.cell, stack.backend)  # a missing one is an error of the fixture, not of a later call
        stack.sink.listen(self._hear)

    def __call__(
        self, *, duration_s: float = 2.0, connections: int | None = None, recycles: int | None = None
    ) -> LoadAnswers:
        """Drive the proxy for ``duration_s`` (whole seconds, at least one) and return what it saw.

        ``connections``: how many are open at once, as in the cell unless told. ``recycles``: stop as soon as so many
        workers have restarted since gunicorn started.

        Raises:
            SurroundingsError: the load or the proxy failed; what gunicorn does is told by the numbers.
        """
        stack = self._stack
        cell = replace(
            stack.cell,
            duration_s=duration_s,
            connections=connections or stack.cell.connections,
            recycles=recycles or stack.cell.recycles,
            full_duration=recycles is None,
        )
        (stack.logs / f"{cell.load}.result").unlink(missing_ok=True)  # without the end of an earlier load
        stack.run.enter("load")
        loaded = replace(stack, cell=cell)
        run_load(loaded, make_load(loaded))
        return self._answers(self._ended[-1])

    def _answers(self, ended: LoadEnded) -> LoadAnswers:
        if ended.failed is not None:
            raise SurroundingsError(
                what=f"The load failed: {ended.failed}.",
                remedy="Read its log.",
                log=self._stack.logs / f"{self._stack.cell.load}.error.log",
            )
        return LoadAnswers(
            requests=ended.requests,
            statuses=Counter({int(status): count for status, count in ended.statuses.items()}),
            errors=Counter(ended.errors),
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, LoadEnded):
            self._ended.append(event)
