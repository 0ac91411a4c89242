"""What breaks no promise but should be known: one function a note, one row each in ``NOTES``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from harness.core.model import Json, Note, Observations
from harness.judge.timeline import since_load_s


def find_notes(observations: Observations) -> tuple[Note, ...]:
    """All notes on a run, in the order of the table."""
    found = ((name, look(observations)) for name, look in NOTES.items())
    return tuple(Note(id=name, detail=said[0], evidence=said[1]) for name, said in found if said is not None)


_Said = tuple[str, Mapping[str, Json]] | None


def _find_app_errors(observations: Observations) -> _Said:
    """Errors that the app itself answered: its own word, whatever gunicorn did."""
    statuses = sum((Counter(row.by_app) for row in observations.answers if row.by_app), Counter[str]())
    probes = [probe for probe in observations.probes if probe.by_app]
    statuses.update(probe.outcome for probe in probes)
    if not statuses:
        return None
    times = [row.at_ns for row in observations.answers if row.by_app] + [probe.at_ns for probe in probes]
    named = ", ".join(f"{status} x {count:,}" for status, count in statuses.most_common())
    return (
        f"the app itself answered {statuses.total():,} requests with an error: {named}",
        {"statuses": dict(statuses), "first_at_s": since_load_s(observations, min(times))},
    )


def _find_retries(observations: Observations) -> _Said:
    """Attempts that the proxy made again, so that no client noticed their failure."""
    again = observations.proxy_errors.get("retried", 0)
    return (f"the proxy asked gunicorn again {again:,} times", {"retried": again}) if again else None


def _find_uncompared(observations: Observations) -> _Said:
    """What could not be checked of the answers, because the app does not send the ids of its requests back."""
    load = observations.load
    if load is None or load.compared is not False:
        return None
    return "the answers were not compared with their requests: the app does not send their ids back", {}


NOTES: Mapping[str, Callable[[Observations], _Said]] = {
    "app-errors": _find_app_errors,
    "retried-by-proxy": _find_retries,
    "answers-not-compared": _find_uncompared,
}
