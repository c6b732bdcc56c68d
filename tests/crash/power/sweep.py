"""A story is played again and again, each time with another call of its VFS failing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from milepost.errors import CommitUnknown, StateError
from milepost.machine import MilepostError
from milepost.testing.power.faults import Failing, Faults, Kind
from milepost.testing.power.recorder import contents_of
from tests.crash.power.cuts import Recording, anew, small_sizes
from tests.crash.power.holding import PASSED_OVER, Held, complaints, look
from tests.crash.power.judge import Judge
from tests.crash.power.stories import Life, Step, Story

_numbers = count()
_NOTHING = "nothing of it was written"


@dataclass
class Outcome:
    """What a sweep came to: how many faults, what the caller was told, and what was `wrong`."""

    faults: int = 0
    unnoticed: int = 0
    told: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        self.faults += other.faults
        self.unnoticed += other.unnoticed
        self.told += other.told
        self.failed += other.failed
        self.wrong += other.wrong


def calls_of(story: Story, folder: Path, recording: Recording, kind: Kind) -> int:
    """How many calls there are that can fail, when none does."""
    trial = _Trial(story, folder, recording, Faults(kind), Judge(folder.with_suffix(".judge")))
    outcome = trial.play()
    assert outcome.wrong == []
    return trial.faults.calls


def sweep(
    story: Story,
    folder: Path,
    recording: Recording,
    judge: Judge,
    calls: Iterable[int],
    *,
    kind: Kind,
    lasting: bool,
) -> Outcome:
    """Play `story` once for each of `calls`, which then fails. `recording` is of the same story."""
    total = Outcome()
    for at in calls:
        total.add(_Trial(story, folder, recording, Faults(kind, at, lasting), judge).play())
    return total


class _Trial:
    """One playing of a story, with one fault."""

    def __init__(
        self, story: Story, folder: Path, recording: Recording, faults: Faults, judge: Judge
    ) -> None:
        self.story = story
        self.folder = folder
        self.held = recording.held
        self.chains = recording.chains
        self.faults = faults
        self.judge = judge
        self.outcome = Outcome(faults=1)

    def play(self) -> Outcome:
        """The story from its beginning to its end, whatever fails on the way."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.story.prepare(self.folder)
        vfs = Failing(f"failing-{next(_numbers)}", self.faults)
        life = Life(self.folder, vfs.name)
        with small_sizes():
            for number, step in enumerate(self.story.steps, 1):
                if not self._step(life, number, step):
                    break
            self.faults.healed = True
            self._try(life, Step("close", Life.close))
        life.let_go()
        self._judge("at the end", self.held[number], self.held[number])
        if self.faults.failed and not self.outcome.told:
            self.outcome.unnoticed = 1
        self.outcome.failed = self.faults.failed
        return self.outcome

    def _step(self, life: Life, number: int, step: Step) -> bool:
        """Take a step, and take it again once it was refused; False if the story cannot go on."""
        before, after = self.held[number - 1], self.held[number]
        error = self._try(life, step)
        if error is None:
            return True
        if step.moves:
            self.held = [held.without_digests() for held in self.held]
            before, after = self.held[number - 1], self.held[number]
        unknown = isinstance(error, CommitUnknown) and _NOTHING not in str(error)
        self._judge(step.name, before, after if unknown or step.parts else before)
        if self.faults.lasting and step.again:
            if self._try(life, step) is None and step.name != "close":
                self._complain(step.name, "it was done while all failed")
            self._judge(step.name, before, after)
        self.faults.healed = self.faults.lasting
        if unknown and life.store is not None and self._has(life, before, after):
            return True
        if not step.again:
            self.held = [*self.held[:number], before]
            return False
        again = self._try(life, step)
        if again is not None:
            self._complain(step.name, f"nothing fails any more, and it is refused: {again!r}")
            return False
        return True

    def _try(self, life: Life, step: Step) -> MilepostError | None:
        """Take a step; the error that it was refused with, which must be one of ours."""
        try:
            step.do(life)
        except MilepostError as error:
            self.outcome.told[error.code] += 1
            return error
        except Exception as error:  # noqa: BLE001 it is what is looked for
            self.outcome.told["untyped"] += 1
            self._complain(step.name, f"an error that is none of ours: {error!r}")
            return StateError(str(error))
        return None

    def _has(self, life: Life, before: Held, after: Held) -> bool:
        """True if what was refused with an unknown outcome was done, for all who look now."""
        found = look(anew(life))
        if not before.by_digest:
            found = found.without_digests()
        return found.jobs == after.jobs != before.jobs

    def _judge(self, step: str, before: Held, after: Held) -> None:
        """What a crash at this moment would leave; it must be between `before` and `after`."""
        files = {n: d for n, d in contents_of(self.folder).items() if not n.startswith("copy")}
        found = self.judge.held(files)
        if not before.by_digest:
            found = found.without_digests()
        if self.faults.lasting:  # what was never acknowledged is there, then half written over
            found = found.without_problems(PASSED_OVER)
        for what in complaints(found, before, after, self.chains):
            self._complain(step, what)

    def _complain(self, step: str, what: str) -> None:
        faults = self.faults
        how = "from then on" if faults.lasting else "once"
        self.outcome.wrong.append(
            f"{self.story.name}, {faults.kind} at call {faults.at} {how}"
            f" ({dict(faults.failed)}), {step}: {what}"
        )
