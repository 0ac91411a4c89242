"""Where the commits of a bisection begin: at the older end, or, where neither end comes from the other, at their fork.

What the state at the fork shows says on which side the change lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from harness.core.frozen import dataclass
from harness.studies.bisect.conduct import Ends
from harness.studies.bisect.history import OLD_END
from harness.studies.bisect.proof import PartVerdict, Rates, examine_patched, run_together
from harness.studies.bisect.rates import WITH_FINDING, WITHOUT_FINDING
from harness.studies.bisect.repository import Repository, short
from harness.studies.bisect.search import Direction
from harness.studies.bisect.stages import Stage, make_commit_stage
from harness.studies.sightings.signs import Sign

RunBase: TypeAlias = Callable[[Stage, int], Sequence[Sign]]
"""Runs the old end of a stage so many times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The commits to be searched, what is known of their ends, and what the change did on the way from old to new."""

    stage: Stage
    ends: Ends
    direction: Direction


def enter_commits(
    repository: Repository,
    old: str,
    new: str,
    *,
    ends: Ends,
    direction: Direction,
    run_base: RunBase,
    say: Callable[[str], None],
) -> Entry | None:
    """The commits in which the change must lie; None where none of them changes the package."""
    base = repository.merge_base(old, new)
    if base is None:
        return None
    onwards = make_commit_stage(repository, base, new)
    if base == old or onwards is None:
        return None if onwards is None else Entry(stage=onwards, ends=ends, direction=direction)
    say(f"{short(new)} does not come from {short(old)}; both come from {short(base)}, which is tried first")
    priors = (WITHOUT_FINDING, WITH_FINDING)
    rates = Rates(
        before=ends.old, after=ends.new, priors=priors if direction is Direction.INTRODUCED else (priors[1], priors[0])
    )
    examination = examine_patched(onwards.spec(OLD_END), rates, like_after=False, done="")
    tried = run_together([examination], lambda specs: run_base(onwards, len(specs)))[0]
    runs = (tried.shown, tried.absent)
    if tried.verdict is not PartVerdict.CONTRADICTED:
        return Entry(
            stage=onwards, ends=Ends(old=_add(ends.old, runs), new=ends.new, direction=direction), direction=direction
        )
    backwards = make_commit_stage(repository, base, old)
    if backwards is None:
        return None
    turned = Direction.REPAIRED if direction is Direction.INTRODUCED else Direction.INTRODUCED
    swapped = Ends(old=_add(ends.new, runs), new=ends.old, direction=turned)
    return Entry(stage=backwards, ends=swapped, direction=turned)


def _add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]
