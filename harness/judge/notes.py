"""What breaks no promise but should be known: one function a note, one row each in ``NOTES``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping

from harness.core.model import Json, Note
from harness.core.observations import Observations
from harness.judge.meddling import By, find_meddling
from harness.judge.ordered_stop import count, is_path_lost, list_gunicorns, name, to_json
from harness.judge.slowdown import find_slowdown
from harness.judge.timeline import since_load_s

MOST_DOINGS = 5


def find_notes(observations: Observations) -> tuple[Note, ...]:
    """All notes on a run, in the order of the table."""
    found = ((name, look(observations)) for name, look in NOTES.items())
    return tuple(Note(id=name, detail=said[0], evidence=said[1]) for name, said in found if said is not None)


_Said = tuple[str, Mapping[str, Json]] | None


def _find_app_errors(observations: Observations) -> _Said:
    """What the app itself did wrong: its errors are its own word, whatever gunicorn did."""
    said = [one for one in (_find_app_answers(observations), _find_app_doings(observations)) if one is not None]
    return (
        ("; ".join(detail for detail, _ in said), {k: v for _, more in reversed(said) for k, v in more.items()})
        if said
        else None
    )


def _find_app_answers(observations: Observations) -> _Said:
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


def _find_app_doings(observations: Observations) -> _Said:
    """What the user's app did that clients take for a failure of the service."""
    return _tell_meddling(observations, {By.APP})


def _find_interference(observations: Observations) -> _Said:
    """What was done to a process of the run from outside."""
    return _tell_meddling(observations, {By.OUTSIDE, By.UNKNOWN})


def _tell_meddling(observations: Observations, by: Collection[By]) -> _Said:
    found = [entry for entry in find_meddling(observations) if entry.by in by]
    whats = list(dict.fromkeys(entry.what for entry in found))
    if not found:
        return None
    more = f" (and {len(whats) - 1:,} more)" if whats[1:] else ""
    first_at_s = since_load_s(observations, found[0].at_ns)
    return whats[0] + more, {"doings": whats[:MOST_DOINGS], "count": len(found), "first_at_s": first_at_s}


def _find_slowdown(observations: Observations) -> _Said:
    """Answers that take longer once workers have restarted."""
    slowdown = find_slowdown(observations)
    return None if slowdown is None else (slowdown.describe(), slowdown.to_json())


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


def _find_failed_stop(observations: Observations) -> _Said:
    """An ordered stop that went wrong, and is not judged because the bound path was lost before; or that was none."""
    stop, skipped = observations.leftovers.stop, observations.leftovers.skipped
    if skipped is not None:
        return f"the ordered stop was not judged: {skipped.reason}", {"reason": skipped.reason}
    if stop is None or stop.took_ns is None or (stop.status == 0 and not stop.left):
        return None
    left = list_gunicorns(observations, stop.left)
    if left and not is_path_lost(observations):
        return None  # a finding says it
    after = "after the bound path was lost, " if is_path_lost(observations) else ""
    kept = f" and left {count(left)}: {name(left)}" if left else ""
    detail = f"{after}the arbiter's ordered end had exit status {stop.status}{kept}"
    return detail, {"status": stop.status, "left": to_json(left)}


def _find_files(observations: Observations) -> _Said:
    """Temporary files of gunicorn that have a name, and are still there after all has ended."""
    stop = observations.leftovers.stop
    if stop is None or not stop.files:
        return None
    some = f"{len(stop.files)} temporary files of gunicorn were still there after the ordered stop"
    return some, {"files": list(stop.files)}


NOTES: Mapping[str, Callable[[Observations], _Said]] = {
    "app-errors": _find_app_errors,
    "interference": _find_interference,
    "slower-after-restart": _find_slowdown,
    "retried-by-proxy": _find_retries,
    "answers-not-compared": _find_uncompared,
    "stop-failed": _find_failed_stop,
    "files-left-behind": _find_files,
}
