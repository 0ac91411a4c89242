"""The load against the h2o of a scene, as often as a test likes, and what it saw; nothing here is judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from harness.core.errors import SurroundingsError
from harness.core.events.base import Event
from harness.core.events.clients import LoadEnded
from harness.engine import load_phase
from harness.pytest_plugin.scene import H2oProxy, silent


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadAnswers:
    """What the load saw: status -> answers, client error -> requests that got none."""

    requests: int
    statuses: Counter[int]
    errors: Counter[str]


class Load:
    """Lets wrk (or httpx) ask the proxy, again and again if need be."""

    def __init__(self, proxy: H2oProxy) -> None:
        self._scene = proxy.scene
        self._tool = load_phase.find_load_tool(proxy.scene.run.cell, proxy.scene.backend)
        self._ended: list[LoadEnded] = []
        proxy.scene.run.sink.listen(self._hear)

    def __call__(
        self, *, duration_s: float = 2.0, connections: int | None = None, recycles: int | None = None
    ) -> LoadAnswers:
        """Drive the proxy for ``duration_s`` (whole seconds, at least one) and return what it saw.

        ``connections``: how many are open at once, as in the cell unless told. ``recycles``: stop as soon as so many
        workers have restarted since gunicorn started.

        Raises:
            SurroundingsError: the load or the proxy failed; what gunicorn does is told by the numbers.
        """
        run, now = self._scene.run, self._scene.stage
        cell = replace(
            now.cell,
            duration_s=duration_s,
            connections=connections or now.cell.connections,
            recycles=recycles or now.cell.recycles,
            full_duration=recycles is None,
        )
        (run.folder.logs / f"{cell.load}.result").unlink(missing_ok=True)  # an earlier load's is no answer to this one
        run.enter("load")
        load_phase.run_load(
            load_phase.Drive(
                stage=replace(now, cell=cell),
                progress=self._scene.progress,
                sink=run.sink,
                say=silent,
                tool=self._tool,
                pause_probes=self._scene.watchers.pause_probes,
            )
        )
        return self._answers(self._ended[-1])

    def _answers(self, ended: LoadEnded) -> LoadAnswers:
        if ended.failed is not None:
            raise SurroundingsError(
                what=f"The load failed: {ended.failed}.",
                remedy="Read its log.",
                log=self._scene.run.folder.logs / f"{self._scene.run.cell.load}.error.log",
            )
        return LoadAnswers(
            requests=ended.requests,
            statuses=Counter({int(status): count for status, count in ended.statuses.items()}),
            errors=Counter(ended.errors),
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, LoadEnded):
            self._ended.append(event)
