"""The runs of a proof: the change taken back at the new end, and put on the old end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.core.frozen import dataclass
from harness.studies.bisect.patching import Scratch
from harness.studies.bisect.proof import (
    Examination,
    PartVerdict,
    ProofPart,
    Rates,
    combine_parts,
    examine_patched,
    run_together,
)
from harness.studies.bisect.repository import Repository, short
from harness.studies.bisect.result import Proof
from harness.studies.bisect.search import Direction
from harness.studies.bisect.stages import StageOracle
from harness.studies.sightings.signs import Sign, read_sign

SCRATCH = "proof.git"


def prove(
    oracle: StageOracle,
    repository: Repository,
    commit: str,
    rates: Rates,
    direction: Direction,
    *,
    folder: Path,
    say: Callable[[str], None],
) -> Proof:
    """Make both experiments.

    Raises:
        SurroundingsError: git fails.
    """
    stage, scratch = oracle.stage, Scratch(repository, folder / SCRATCH)
    bench = ProofBench(
        oracle=oracle, scratch=scratch, rates=rates, commit=commit, parent=repository.resolve(f"{commit}^1")
    )
    comes = direction is Direction.INTRODUCED
    examinations = (
        bench.examine(stage.name(stage.history.new_end), reverse=True),
        bench.examine(stage.old, reverse=False),
    )
    revert, transplant = run_together(examinations, bench.run)
    say(f"     {revert.done}: {_tell(revert, comes=not comes)}")
    say(f"     {transplant.done}: {_tell(transplant, comes=comes)}")
    return Proof(verdict=combine_parts(revert, transplant), revert=revert, transplant=transplant)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofBench:
    """Where the states with and without a commit are made and run."""

    oracle: StageOracle
    scratch: Scratch
    rates: Rates
    commit: str
    parent: str

    def examine(self, on: str, *, reverse: bool) -> Examination:
        """Take the commit back at a state, or put it there: whole, else in hunks, else the files that it changed.

        Some hunks without the others may do nothing, or break something else: only a confirmation counts then.
        """
        done = f"{short(self.commit)} {'taken back at' if reverse else 'put on'} {short(on)}"
        whole = self.scratch.apply_whole(self.commit, on=on, reverse=reverse)
        if whole.spec is not None:
            return (yield from examine_patched(whole.spec, self.rates, like_after=not reverse, done=done))
        hunks = self.scratch.apply_hunks(self.commit, on=on, reverse=reverse)
        if hunks.spec is not None:
            told = f"{done} ({hunks.applied} of {hunks.hunks} hunks apply)"
            part = yield from examine_patched(hunks.spec, self.rates, like_after=not reverse, done=told)
            if part.verdict is PartVerdict.CONFIRMED:
                return part
        return (yield from self._exchange_files(on, reverse=reverse))

    def _exchange_files(self, on: str, *, reverse: bool) -> Examination:
        """The files that the commit changed, as just before it and just after it: only one may differ from ``on``."""
        sides = (self.commit, self.parent) if reverse else (self.parent, self.commit)
        control, test = (self.scratch.take_files(self.commit, on=on, of=side) for side in sides)
        done = f"at {short(on)}, the files that {short(self.commit)} changed, as {'before' if reverse else 'after'} it"
        if control.spec is None or test.spec is None:
            return ProofPart(verdict=PartVerdict.UNTESTABLE, done=f"{done}: no hunk applies, and it changes no file")
        checked = yield from examine_patched(control.spec, self.rates, like_after=reverse, done=done)
        if checked.verdict is not PartVerdict.CONFIRMED:
            other = "after" if reverse else "before"
            why = f"{done}: with those as {other} it, the state is no longer like itself"
            return ProofPart(verdict=PartVerdict.UNTESTABLE, done=why)
        return (yield from examine_patched(test.spec, self.rates, like_after=not reverse, done=done))

    def run(self, specs: Sequence[str]) -> list[Sign]:
        """Run each of these states once."""
        request = self.oracle.request
        made = self.oracle.maker.make([replace(request, cell=replace(request.cell, spec=spec)) for spec in specs])
        return [read_sign(run, self.oracle.finding) for run in made]


def _tell(part: ProofPart, *, comes: bool) -> str:
    runs = part.shown + part.absent
    if part.verdict is PartVerdict.UNTESTABLE:
        return "not testable"
    expected = "comes" if comes else "goes"
    return f"{part.verdict.value} (expected: the finding {expected}; shown in {part.shown} of {runs} runs)"
