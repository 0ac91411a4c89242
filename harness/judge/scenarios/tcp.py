"""Scenario `tcp`: does a port avoid what happens over the Unix socket? Judged by the run over the port.

The run over the Unix socket is the comparison: what breaks there is told, and does not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from harness.core.findings import FindingId
from harness.core.model import Json, Judgement, Outcome, State, Verdict, is_failure
from harness.judge.scenarios.arms import ScenarioAnswer, Seen
from harness.judge.scenarios.record import Trial

UNIX, TCP = "unix", "tcp"
HEAD = ("listens on", "verdict", "restarts", "requests", "failed", "share", "findings")


def judge(trial: Trial, seen: Mapping[str, Seen]) -> ScenarioAnswer:
    """Nothing of its own to judge: the invariants of the run over the port are the verdict, where it was made."""
    missing = Judgement(state=State.UNKNOWN, reason="the run over the port was not made")
    verdicts = {name: arm.verdict for name, arm in seen.items()}
    return ScenarioAnswer(
        sentence=say_answer(verdicts),
        judgements={} if TCP in verdicts else {"port-tried": missing},
        arms={name: arm_to_json(verdict) for name, verdict in verdicts.items()},
        tables=({"title": "Side by side", "head": list(HEAD), "rows": [row(n, v) for n, v in verdicts.items()]},),
        notes=tuple(f"{name}: {finding.detail}" for name, one in verdicts.items() for finding in one.findings),
        counted=(TCP,),
    )


def say_answer(verdicts: Mapping[str, Verdict]) -> str:
    """Whether the work-around works, and what remains; never more than both runs show."""
    unix, tcp = verdicts.get(UNIX), verdicts.get(TCP)
    if unix is None or tcp is None:
        return "not known: not both runs were made"
    if tcp.outcome is Outcome.INCONCLUSIVE:
        return f"not known: over the port, {tcp.reasons[0]}"
    return f"{say_socket(unix)}; {say_port(tcp)}"


def say_socket(unix: Verdict) -> str:
    """What the comparison shows."""
    found = {finding.id for finding in unix.findings}
    if FindingId.SOCKET_DELETED in found:
        return "over the Unix socket the file is deleted" + (
            " and the service is gone for good" if FindingId.PERMANENT_OUTAGE in found else ""
        )
    if unix.outcome is Outcome.INCONCLUSIVE:
        return "over the Unix socket nothing is certain"
    return "over the Unix socket the file survives" + (" too, so there is nothing to work around" if not found else "")


def say_port(tcp: Verdict) -> str:
    """What the port avoids and what remains."""
    found = [finding.id for finding in tcp.findings]
    if not found:
        return "over a port nothing fails"
    if FindingId.PERMANENT_OUTAGE in found:
        return "over a port the service is gone for good as well"
    failed, requests = count_failed(tcp)
    kinds = ", ".join(dict.fromkeys(one.value for one in found))
    share = f"{failed:,} of {requests:,} requests failed ({failed / requests:.1%})" if requests else "nothing was sent"
    return f"over a port the service comes through the restarts, but {kinds} remains: {share}"


def count_failed(verdict: Verdict) -> tuple[int, int]:
    """(failed, all) requests of all clients."""
    statuses = cast("Mapping[str, int]", verdict.counts["statuses"])
    errors = cast("Mapping[str, int]", verdict.counts["client_errors"])
    failed = sum(count for status, count in statuses.items() if is_failure(status)) + sum(errors.values())
    return failed, cast(int, verdict.counts["requests"])


def row(name: str, verdict: Verdict) -> list[str]:
    """One line of the table."""
    failed, requests = count_failed(verdict)
    findings = ", ".join(dict.fromkeys(finding.id.value for finding in verdict.findings))
    return [
        "Unix socket" if name == UNIX else "port",
        verdict.outcome.value,
        str(verdict.counts["recycles"]),
        f"{requests:,}",
        f"{failed:,}",
        f"{failed / requests:.1%}" if requests else "-",
        findings or "none",
    ]


def arm_to_json(verdict: Verdict) -> dict[str, Json]:
    """An arm's figures."""
    failed, requests = count_failed(verdict)
    return {
        "findings": list(dict.fromkeys(finding.id.value for finding in verdict.findings)),
        "failed": failed,
        "requests": requests,
        "recycles": verdict.counts["recycles"],
    }
