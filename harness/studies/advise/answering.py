"""The answer from the tables alone: is somebody with these settings affected, by what, how often, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.frozen import dataclass
from harness.core.model import Json
from harness.report.known.bisects import KnownBisect, find_bisects
from harness.report.known.causes import Remedy, find_cause, is_in_place, write_history
from harness.stack.workers import name_worker
from harness.studies.advise.cautions import SettingWarning, Warned, warn
from harness.studies.advise.deployment import Deployment
from harness.studies.advise.tables import find_free, find_shown, is_affected, list_tested, words_of_rate

DEFAULTS: Mapping[str, Any] = {
    "bind": ["127.0.0.1:8000"],
    "workers": 1,
    "worker_class": "sync",
    "threads": 1,
    "max_requests": 0,
    "max_requests_jitter": 0,
    "keepalive": 2,
    "timeout": 30,
    "graceful_timeout": 30,
    "reuse_port": False,
    "preload_app": False,
    "worker_connections": 1000,
}
"""gunicorn's own."""

SOCKET_BREAKS = {"socket-deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFinding:
    """A finding that the tables show for these settings. ``of``: in how many runs it was looked for."""

    id: str
    seen: int
    of: int
    cause: str
    upstream: tuple[int, ...]
    introduced: str
    gone: str
    bisects: tuple[KnownBisect, ...] = ()
    history: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The whole answer. ``affected``: None where the tables say nothing."""

    release: str
    worker: str
    proxy: str | None
    bind: str
    settings: Mapping[str, Any]
    affected: bool | None
    reason: str
    findings: tuple[ShownFinding, ...] = ()
    rate: Mapping[str, Json] | None = None
    rate_in_words: str = ""
    note: str = ""  # how the cell that was tried differs from this one
    free: str | None = None
    remedies: tuple[Remedy, ...] = ()
    warnings: tuple[SettingWarning, ...] = ()
    unread: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tried: tuple[Mapping[str, Json], ...] = ()  # one a run, the settings as they are first

    def to_json(self) -> dict[str, Json]:
        """``advice.json``."""
        before = self.tried[0] if self.tried else None
        runs = {str(row["remedy"]): row for row in self.tried[1:]}
        return {
            "schema": 1,
            "affected": self.affected,
            "reason": self.reason,
            "release": self.release,
            "worker": self.worker,
            "proxy": self.proxy,
            "bind": self.bind,
            "settings": dict(self.settings),
            "sources": list(self.sources),
            "unread": list(self.unread),
            "findings": [
                {
                    "id": one.id,
                    "seen": one.seen,
                    "runs": one.of,
                    "rate": dict(self.rate) if self.rate is not None else None,
                    "cause": one.cause,
                    "upstream": list(one.upstream),
                    "introduced": one.introduced,
                    "gone": one.gone,
                    "commits": [
                        {"id": known.commit, "direction": known.direction, "between": [known.before, known.after]}
                        for known in one.bisects
                    ],
                }
                for one in self.findings
            ],
            "note": self.note,
            "free_release": self.free,
            "warnings": [{"id": one.id, "what": one.said, "shown_by": one.shown_by} for one in self.warnings],
            "run": dict(before) if before is not None else None,
            "mitigations": [
                {
                    "id": one.id,
                    "change": one.change,
                    "cost": one.cost,
                    "tried": one.id in runs,
                    "verdict": runs[one.id]["verdict"] if one.id in runs else None,
                    "rate_before": before["rate"] if before is not None else None,
                    "rate_after": runs[one.id]["rate"] if one.id in runs else None,
                }
                for one in self.remedies
            ],
        }


def answer(told: Deployment, *, release: str, proxy: str | None) -> Advice:
    """What the tables say of what the user has."""
    settings = {**DEFAULTS, **told.settings}
    threads, limit = int(settings["threads"]), int(settings["max_requests"])
    worker = name_worker(str(settings["worker_class"]), threads)
    bind = _bind_kind(settings["bind"])
    proxy = proxy or told.proxy
    common: dict[str, Any] = {
        "release": release,
        "worker": worker,
        "proxy": proxy,
        "bind": bind,
        "settings": {name: settings[name] for name in sorted(settings)},
        "warnings": tuple(warn(Warned(settings=settings, worker=worker, bind=bind, told=told))),
        "unread": told.unread,
        "sources": told.sources,
    }
    if not limit and "max_requests" not in told.unread:
        never = "max_requests is 0: workers never restart by themselves, so none of this can happen"
        return Advice(affected=False, reason=never, **common)
    shown, note = find_shown(release, worker, proxy or "h2o", bind)
    if shown is None or not shown.runs:
        why = f"the tables have no run of gunicorn {release} with the {worker} worker over {bind}: --run tries it"
        return Advice(affected=None, reason=why, **common)
    rate = shown.rate()
    found = tuple(
        _explain(finding, count, len(shown.runs), release=release, worker=worker, bind=bind)
        for finding, count in shown.hurts.items()
    )
    causes = [find_cause(one.id, release=release, worker=worker, bind=bind) for one in found]
    remedies = tuple(dict.fromkeys(remedy for cause in causes if cause is not None for remedy in cause.helps))
    affected = is_affected(shown)
    subject = f"gunicorn {release} with the {worker} worker behind {proxy or 'a proxy that hides nothing'}"
    reason = (
        f"{subject}: {', '.join(shown.hurts)}" if affected else f"{subject}: nothing broke in {len(shown.runs)} runs"
    )
    return Advice(
        affected=affected,
        reason=reason,
        findings=found,
        rate=rate,
        rate_in_words=_say_rate(found, rate, limit),
        note=note,
        free=find_free(release, worker, proxy or "h2o", bind) if affected else None,
        remedies=tuple(one for one in remedies if _is_news(one, release, proxy, bind)),
        **common,
    )


def _is_news(remedy: Remedy, release: str, proxy: str | None, bind: str) -> bool:
    """Whether a remedy would change anything here."""
    if remedy.id == "newest" and release == list_tested()[-1]:
        return False
    return not is_in_place(remedy, proxy=proxy, bind=bind)


def _say_rate(found: tuple[ShownFinding, ...], rate: Mapping[str, Json] | None, limit: int) -> str:
    if any(one.id in SOCKET_BREAKS for one in found):
        return "every request from the first restart on, until somebody restarts gunicorn"
    if any(one.id in ("permanent-outage", "workers-not-respawned") for one in found):
        return "every request, once the workers have restarted"
    return words_of_rate(rate, limit) if rate is not None else ""


def _bind_kind(bind: Any) -> str:  # noqa: ANN401 - as gunicorn takes it
    addresses = bind if isinstance(bind, list) else [part.strip() for part in str(bind).split(",")]
    return "unix" if any(str(one).startswith("unix:") for one in addresses) else "tcp"


def _explain(finding: str, count: int, of: int, *, release: str, worker: str, bind: str) -> ShownFinding:
    cause = find_cause(finding, release=release, worker=worker, bind=bind)
    introduced, gone = ("", "") if cause is None else (cause.introduced, cause.gone)
    bisects = find_bisects(finding, release=release, worker=worker, bind=bind, introduced=introduced, gone=gone)
    return ShownFinding(
        id=finding,
        seen=count,
        of=of,
        cause="not known" if cause is None else cause.sentence,
        upstream=() if cause is None else cause.upstream,
        introduced=introduced,
        gone=gone,
        bisects=tuple(bisects),
        history=write_history(cause, bisects),
    )
