"""A story is recorded once; then the power is cut at every position of the recording."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from unittest import mock

from milepost import StateManager
from milepost.state.writing import staging
from milepost.stores.sqlite import connections as sqlite_connections
from milepost.stores.sqlite.store import Durability
from milepost.testing.power.cutting import Cut, cuts
from milepost.testing.power.images import Choice, choices, files_of
from milepost.testing.power.medium import Operation
from milepost.testing.power.recorder import Recorder
from milepost.testing.power.shrinking import shrink
from milepost.testing.power.wording import missing_from, told_of
from tests.crash.power.holding import (
    NOTHING,
    PASSED_OVER,
    Chains,
    Held,
    chains_of,
    complaints,
    look,
)
from tests.crash.power.judge import COPY, Judge
from tests.crash.power.stories import Life, Story

_numbers = count()


@dataclass(frozen=True)
class Recording:
    """What was done to which files, and what was acknowledged: `held[n]` by the mark `n`."""

    story: str
    before: dict[str, bytes]
    operations: list[Operation]
    held: list[Held]
    copied: list[Held | None]
    """What the copy of the store holds, by mark; None while there is none to rely on."""
    chains: Chains

    def until(self, position: int) -> Recording:
        """The same, cut off behind that operation."""
        return replace(self, operations=self.operations[: position + 1])


@dataclass
class Verdict:
    """What cutting came to: `lost` says of images what is not as it was acknowledged.

    `least` says of the first such position what a disk must have lost for it, at the least.
    """

    positions: int = 0
    images: int = 0
    distinct: int = 0
    lost: list[str] = field(default_factory=list)
    least: Callable[[], list[str]] = list

    def add(self, other: Verdict) -> None:
        self.positions += other.positions
        self.images += other.images
        self.distinct += other.distinct
        self.least = self.least if self.lost else other.least
        self.lost += other.lost


@contextmanager
def small_sizes() -> Iterator[None]:
    """Stories are short: lists come in by one block each, and the log is soon checked in."""
    with (
        mock.patch.object(staging, "_BATCH_BYTES", 1000),
        mock.patch.object(sqlite_connections, "_PAGES", 24),
    ):
        yield


def record(
    story: Story, folder: Path, *, durability: Durability = "full", lies: bool = False
) -> Recording:
    """Play a story once, and note everything that reaches the medium."""
    folder.mkdir(parents=True)
    story.prepare(folder)
    recorder = Recorder(f"recorder-{next(_numbers)}", folder, lies=lies)
    life = Life(folder, recorder.name, durability)
    held: list[Held] = [_held_by(recorder.before, folder.with_suffix(".before"))]
    copied: list[Held | None] = [None]
    recorder.mark(0)
    with recorder.listening(), small_sizes():
        for number, step in enumerate(story.steps, 1):
            step.do(life)
            closed = step.name == "close"
            now = held[-1] if closed else look(anew(life))
            held.append(now)
            copied.append(now if step.name == "back up" else copied[-1])
            recorder.mark(number)
    recorder.check()
    with StateManager.open(folder / "jobs.db", clock=life.clock) as manager:
        chains = chains_of(held, manager)
    return Recording(story.name, recorder.before, recorder.operations, held, copied, chains)


def cut(
    recording: Recording,
    judge: Judge,
    rng: random.Random,
    *,
    draws: int = 4,
    share: float = 1.0,
    promised: bool = True,
) -> Verdict:
    """Cut the power at a share of the positions, and judge every image.

    Every moment at which something has just been acknowledged is among them. Where nothing is
    `promised` to survive, what is there must still be what was there once.
    """
    verdict = Verdict()
    before = judge.distinct
    for here in cuts(recording.before, recording.operations, rng, share=share):
        verdict.positions += 1
        for choice in choices(here.medium, rng, draws):
            verdict.images += 1
            files = files_of(here.medium, choice)
            told = _wrong(recording, here.mark, judge, files, promised=promised)
            if told and not verdict.lost:
                verdict.least = _least(recording, judge, deepcopy(here), choice, promised=promised)
            where = f"{recording.story}, position {here.position} ({told_of(here.operation)})"
            verdict.lost += [f"{where}, {choice.kind}: {what}" for what in told]
    verdict.distinct = judge.distinct - before
    return verdict


def _least(
    recording: Recording, judge: Judge, here: Cut, choice: Choice, *, promised: bool
) -> Callable[[], list[str]]:
    """Looks for the smallest image that is wrong, once somebody wants to know it."""

    def fails(tried: Choice) -> bool:
        files = files_of(here.medium, tried)
        return bool(_wrong(recording, here.mark, judge, files, promised=promised))

    return lambda: missing_from(here.medium, shrink(here.medium, choice, fails).choice)


def _wrong(
    recording: Recording, mark: int, judge: Judge, files: dict[str, bytes], *, promised: bool
) -> list[str]:
    """What of an image is not as was acknowledged by `mark`."""
    acknowledged = recording.held[mark] if promised else NOTHING
    under_way = recording.held[min(mark + 1, len(recording.held) - 1)]
    of_store = {name: data for name, data in files.items() if COPY not in name}
    found = judge.held(of_store)
    if not promised:  # commits of the log that nobody waited for may be there in any order
        found = found.without_problems(PASSED_OVER)
    wrong = complaints(found, acknowledged, under_way, recording.chains)
    copied, to_come = (
        recording.copied[n] for n in (mark, min(mark + 1, len(recording.copied) - 1))
    )
    of_copy = {name: data for name, data in files.items() if name.startswith(COPY)}
    if COPY in of_copy:  # what has that name is whole, whether it was promised or not
        found = judge.held(of_copy, COPY)
        whole = copied or to_come or NOTHING
        wrong += [f"copy: {w}" for w in complaints(found, whole, whole, recording.chains)]
    elif copied is not None and promised:
        wrong.append("the copy is not there")
    return wrong


def anew(life: Life) -> StateManager:
    """A manager on the same store that has seen nothing yet."""
    assert life.store is not None
    return StateManager(life.store, clock=life.clock)


def _held_by(files: dict[str, bytes], folder: Path) -> Held:
    return Judge(folder).held(files) if files else NOTHING
