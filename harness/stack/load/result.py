"""The result file of a load: read for every load, written here for the httpx load.

Each line has one fact; the summary comes last, so that a truncated file is noticed:

    answers <bucket> <status> <count>      in buckets of 10 ms of CLOCK_MONOTONIC
    errors <bucket> <error> <count>        likewise, by ``model.CLIENT_ERRORS``; wrk has totals only
    own <bucket> <status> <count>          of the answers of this status, those that the app made itself
    wrong <bucket> <kind> <count>          answers of success that were not the request's; see ``answers``
    took <tenth> <power> <count>           in tenths of a second: answers that took 2^power us and less than twice that
    late <count>                           of the time-outs, those that were answered after all; wrk's all were
    latency <us> <count>                   see ``latency``; wrk has none
    pace <name> <count>                    of an open loop; see ``clients``
    summary requests= connect= read= write= timeout=
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass as changing_dataclass
from dataclasses import field

from harness.core.events.clients import Answers
from harness.core.frozen import dataclass
from harness.core.model import CLIENT_ERRORS
from harness.core.patterns import pattern
from harness.stack.load.latency import summarise

RESULT_VARIABLE = "RECYCLE_HARNESS_LOAD_RESULT"
"""The variable that names the file for a load's result."""

ENDING_VARIABLE = "RECYCLE_HARNESS_LOAD_ENDING"
"""The variable that names a file; once the file exists a load may end, as on SIGINT."""

BUCKET_NS = 10_000_000
NS_PER_TENTH = 100_000_000
_ROW = pattern(
    r"(answers|errors|own|wrong|took) (\d+) ([0-9]+|[a-z]+) (\d+)|(late) (\d+)|(latency) (\d+) (\d+)|(pace) (\w+) (\d+)"
)
_SUMMARY = pattern(
    r"summary requests=\d+ connect=(?P<connect>\d+) read=(?P<read>\d+) write=(?P<write>\d+) timeout=(?P<timeout>\d+)"
)


@changing_dataclass(slots=True, kw_only=True)
class LoadTally:
    """What was counted; also the sum of several. ``outcomes`` by (bucket, status or error), ``latency`` by us.

    ``own`` by (bucket, status), ``wrong`` by (bucket, kind), ``took`` by (tenth of a second, power of two in us).
    """

    outcomes: Counter[tuple[int, str]] = field(default_factory=Counter)
    own: Counter[tuple[int, str]] = field(default_factory=Counter)
    wrong: Counter[tuple[int, str]] = field(default_factory=Counter)
    took: Counter[tuple[int, str]] = field(default_factory=Counter)
    late: int = 0
    latency: Counter[int] = field(default_factory=Counter)
    pace: Counter[str] = field(default_factory=Counter)

    def add(self, other: LoadTally) -> None:
        """Add the counts of another process."""
        self.outcomes.update(other.outcomes)
        self.own.update(other.own)
        self.wrong.update(other.wrong)
        self.took.update(other.took)
        self.latency.update(other.latency)
        self.pace.update(other.pace)
        self.late += other.late


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadReport:
    """A whole result. ``answers`` hold timed errors too; ``errors`` are totals, timed or not, by CLIENT_ERRORS.

    ``late``: how many of the time-outs have a status as well. ``latency_ms``: {} where it was not measured.
    ``took``: start of a tenth of a second in ns -> {power of two in us: answers}.
    """

    requests: int
    statuses: Counter[str]
    errors: Counter[str]
    answers: tuple[Answers, ...]
    late: int
    latency_ms: Mapping[str, float]
    pace: Mapping[str, int]
    took: Mapping[int, Mapping[str, int]]


def parse_result(text: str) -> LoadReport | None:
    """Parse the result file; None where it has an unknown line or no complete summary at its end."""
    *lines, last = text.splitlines() or [""]
    ended = _SUMMARY.fullmatch(last)
    if ended is None or not text.endswith("\n"):
        return None
    tally = LoadTally()
    for line in lines:
        row = _ROW.fullmatch(line)
        if row is None:
            return None
        _count(tally, [group for group in row.groups() if group is not None])
    summary = {name: int(count) for name, count in ended.groupdict().items()}
    totals = Counter(closed=summary["read"] + summary["write"], timeout=summary["timeout"], refused=summary["connect"])
    return _report(tally, totals)


def _count(tally: LoadTally, row: list[str]) -> None:
    kind, *values, count = row
    timed = {
        "answers": tally.outcomes,
        "errors": tally.outcomes,
        "own": tally.own,
        "wrong": tally.wrong,
        "took": tally.took,
    }
    if kind in timed:
        timed[kind][int(values[0]), values[1]] += int(count)
    elif kind == "latency":
        tally.latency[int(values[0])] += int(count)
    elif kind == "pace":
        tally.pace[values[0]] += int(count)
    else:
        tally.late += int(count)


def _report(tally: LoadTally, totals: Counter[str]) -> LoadReport:
    statuses, timed = _split(tally.outcomes)
    buckets, own, wrong = _by_time(tally.outcomes), _by_time(tally.own), _by_time(tally.wrong)
    return LoadReport(
        requests=sum(statuses.values()),
        statuses=statuses,
        errors=timed or totals,
        answers=tuple(
            Answers(at_ns=at * BUCKET_NS, outcomes=buckets.get(at, {}), by_app=own.get(at), wrong=wrong.get(at))
            for at in sorted({*buckets, *own, *wrong})
        ),
        took={at * NS_PER_TENTH: counts for at, counts in sorted(_by_time(tally.took).items())},
        late=tally.late if timed else totals["timeout"],
        latency_ms=summarise(tally.latency),
        pace=dict(tally.pace),
    )


def _by_time(counts: Mapping[tuple[int, str], int]) -> dict[int, dict[str, int]]:
    by_time: defaultdict[int, dict[str, int]] = defaultdict(dict)
    for (at, name), count in counts.items():
        by_time[at][name] = count
    return dict(by_time)


def _split(outcomes: Mapping[tuple[int, str], int]) -> tuple[Counter[str], Counter[str]]:
    """(answers by status, errors by name)."""
    statuses: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for (_, outcome), count in outcomes.items():
        (statuses if outcome.isdigit() else errors)[outcome] += count
    return statuses, errors


def render_result(tally: LoadTally) -> str:
    """The result file, from which ``parse_result`` makes the same counts."""
    statuses, errors = _split(tally.outcomes)
    unknown = set(errors) - set(CLIENT_ERRORS)
    if unknown:
        raise ValueError(f"no client error is called {min(unknown)!r}")
    lines = [
        f"{'answers' if outcome.isdigit() else 'errors'} {bucket} {outcome} {count}"
        for (bucket, outcome), count in sorted(tally.outcomes.items())
    ]
    for kind, counts in (("own", tally.own), ("wrong", tally.wrong), ("took", tally.took)):
        lines += [f"{kind} {at} {name} {count}" for (at, name), count in sorted(counts.items())]
    lines += [f"late {tally.late}"]
    lines += _render("latency", tally.latency.items()) + _render("pace", tally.pace.items())
    connect = errors["refused"] + errors["missing"] + errors["other"]
    lines.append(
        f"summary requests={sum(statuses.values())} connect={connect} read={errors['closed']} write=0 "
        f"timeout={errors['timeout']}"
    )
    return "\n".join(lines) + "\n"


def _render(kind: str, counts: Iterable[tuple[object, int]]) -> list[str]:
    return [f"{kind} {name} {count}" for name, count in counts]
