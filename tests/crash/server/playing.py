"""A story is played with a connection lost at every commit: on its way there, and its answer."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from milepost import StateManager, StateStore
from milepost.errors import CommitUnknown, StateError, StoreAbsent
from milepost.machine import MilepostError
from milepost.state.persistence import open_store
from tests.crash.power.holding import NOTHING, Chains, Held, chains_of, complaints, look
from tests.crash.power.stories import Step
from tests.crash.server.stories import ServedLife, ServedStory, clock, small_sizes
from tests.stores.postgres.proxy import Cut, Proxy, Request

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
_NOTHING = "nothing of it was written"


@dataclass
class Recording:
    """What was acknowledged after each step, the commits that each made, all that there were."""

    held: list[Held]
    commits: list[int]
    chains: Chains
    by_digest: bool = True

    def without_digests(self) -> Recording:
        """The same, to be compared by what is read: a step that is done again is stored anew."""
        held = [each.without_digests() for each in self.held]
        return replace(self, held=held, by_digest=False)

    def has(self, found: Held, number: int) -> bool:
        """True if what the step of that number was to do is done, by what is `found`."""
        before, after = self.held[number - 1 : number + 1]
        found = found if self.by_digest else found.without_digests()
        return found.jobs == after.jobs != before.jobs

    def complaints(
        self, found: Held, number: int, error: MilepostError | None, *, parts: bool = False
    ) -> list[str]:
        """What is `found` after the step of that number, and is not so, or was not told."""
        before, after = self.held[number - 1 : number + 1]
        unknown = isinstance(error, CommitUnknown) and _NOTHING not in str(error)
        return complaints(
            found if self.by_digest else found.without_digests(),
            after if error is None else before,
            after if error is None or unknown or parts else before,
            self.chains,
        )


@dataclass
class Outcome:
    """What playing came to."""

    faults: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


@dataclass
class Counting:
    """Counts what commits, and loses the one that it is told to, there or back."""

    commits: int = 0
    lose: tuple[int, Cut] | None = None
    lost: bool = False

    def meets(self, request: Request, cut: Cut) -> bool:
        self.commits += cut == "before"
        self.lost = self.lost or (self.commits, cut) == self.lose
        return (self.commits, cut) == self.lose

    def begin(self, lose: tuple[int, Cut] | None = None) -> None:
        self.commits, self.lose, self.lost = 0, lose, False


class Play:
    """One playing of a story at the URL of a schema that nobody has, through a proxy."""

    def __init__(self, story: ServedStory, url: str, folder: Path) -> None:
        self.story = story
        self.url = url
        self.counting = Counting()
        self.clock = clock()
        self.witness: StateStore | None = None
        if story.prepare is not None:
            story.prepare(url, self.clock)
        self.proxy = Proxy(url, folder, self.counting.meets)
        self.life = ServedLife(folder, None, clock=self.clock, url=self.proxy.url)

    def close(self) -> None:
        self.life.let_go()
        self.life.close()
        if self.witness is not None:
            self.witness.close()
        self.proxy.close()

    def look_away(self) -> None:
        """Give back the connections by which one looked: a server that is crashed ends them."""
        if self.witness is not None:
            self.witness.close()
        self.witness = None

    def held(self) -> Held:
        """What the store holds, for one who has seen nothing of it and looks past the proxy."""
        if self.witness is None:
            try:
                self.witness = open_store(self.url, create=False)
            except StoreAbsent:
                return NOTHING
        return look(StateManager(self.witness, clock=self.clock))

    def record(self) -> Recording:
        """Play it with nothing lost."""
        held, commits = [self.held()], [0]
        for step in self.story.steps:
            self.counting.begin()
            step.do(self.life)
            commits.append(self.counting.commits)
            held.append(self.held() if self.counting.commits else held[-1])
        assert self.witness is not None
        return Recording(
            held, commits, chains_of(held, StateManager(self.witness, clock=self.clock))
        )

    def lose_each(self, recording: Recording) -> Outcome:
        """Play it, each step again and again: its first commit lost, then the answer to it, ...

        One of a name that was there before is only taken, but in a soak.
        """
        outcome = Outcome()
        for number, step in enumerate(self.story.steps, 1):
            if step.name in outcome.faults and not SOAK:
                self.counting.begin()
                step.do(self.life)
                continue
            for fault in faults():
                self.counting.begin(fault)
                error = self.told(step, outcome)
                found = self.held()
                if self.counting.lost:
                    outcome.faults[step.name] += 1
                    if step.moves:
                        recording = recording.without_digests()
                where = f"{self.story.name}, {step.name}, {fault}: told {error!r}"
                outcome.wrong += [
                    f"{where}: {each}"
                    for each in recording.complaints(found, number, error, parts=step.parts)
                ]
                if not self.counting.lost and error is not None:
                    outcome.wrong.append(f"{where}, and nothing was lost")
                    return outcome
                if error is None or recording.has(found, number):
                    break
        return outcome

    def told(self, step: Step, outcome: Outcome) -> MilepostError | None:
        """Take a step; the error that it was refused with, which must be one of ours."""
        try:
            step.do(self.life)
        except MilepostError as error:
            outcome.told[error.code] += 1
            return error
        except Exception as error:  # noqa: BLE001 it is what is looked for
            outcome.wrong.append(f"{step.name}: an error that is none of ours: {error!r}")
            return StateError(str(error))
        return None


def faults() -> Iterator[tuple[int, Cut]]:
    cuts: tuple[Cut, ...] = ("before", "after")
    for commit in itertools.count(1):
        for cut in cuts:
            yield commit, cut


@contextmanager
def playing(story: ServedStory, url: str, folder: Path) -> Iterator[Play]:
    folder.mkdir()
    with small_sizes():
        play = Play(story, url, folder)
        try:
            yield play
        finally:
            play.close()
