"""The power is cut, and calls fail, while a story is played; a judge looks at what is left."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple, TypeAlias

import apsw

from milepost.testing.power.cutting import Cut, cuts
from milepost.testing.power.failure import NotAsPromised
from milepost.testing.power.faults import KINDS, Faults, Kind
from milepost.testing.power.images import Choice, choices, subsets
from milepost.testing.power.judging import Judge
from milepost.testing.power.medium import Mark
from milepost.testing.power.playing import Played, Story, play
from milepost.testing.power.repeating import (
    CutAgain,
    FaultAgain,
    choice_from,
    junk,
    read,
)
from milepost.testing.power.trial import Trial

__all__ = ["Cutting", "Failing", "Power"]

Count: TypeAlias = Callable[[str, dict[str, int]], None]
"""Is told of what something is a count, and the counts by name."""


class Cutting(NamedTuple):
    """How much was tried by cutting the power.

    `positions` are moments, `whole` those of them at which every subset of what was not durable was
    tried. Of the `images` that were made, `different` ones were judged.
    """

    positions: int
    whole: int
    images: int
    different: int


class Failing(NamedTuple):
    """How much was tried by failing calls: each of the `faults` in a playing of its own.

    In `passed_over` of them the story came to its end and refused nothing. `images` were made.
    """

    faults: int
    passed_over: int
    images: int


class Power:
    """Cuts the power and fails calls under any code that uses SQLite through apsw.

    `cut` and `fail` play a story, once and again and again, and ask a judge about what is left. One
    thread at a time: while a story is played, functions of `os` are watched.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kept: Path | None = None,
        again: str = "",
        counted: Count | None = None,
    ) -> None:
        """A harness that works in `folder`, which is best on a file system in memory.

        Args:
            folder: An empty one, for stories and what is left of them.
            kept: Where the files of a failing case are put; `folder` if it is not given.
            again: A case that failed before, as the message tells it: nothing else is tried.
            counted: Is called where all was well, with what it is a count of, and the counts.

        Raises:
            ValueError: `again` is no such case.
        """
        self._folder = folder
        self._kept = kept or folder
        self._again = read(again)
        self._counted = counted
        self._turns = count(1)
        self._playings = count(1)

    def cut(
        self,
        story: Story,
        judge: Judge,
        *,
        prepare: Story | None = None,
        most: int = 64,
        draws: int = 4,
        share: float = 1.0,
        seed: int = 0,
        lies: bool = False,
        promises: bool = True,
    ) -> Cutting:
        """Play the story once, then cut the power behind everything that it did, and judge.

        At each position images are made of the files that the disk may have then. What is durable
        is in all of them. Of the rest there are: all; nothing; all but each one of the last six
        writes; one file's writes alone; the last write of each file torn in four places, with and
        without junk behind; `draws` drawings of sectors; each with up to six ways in which names of
        files may be there. And every subset of the writes in every such way, if those are no more
        than `most`.

        Args:
            story: What is done, and promised; it must come to its end where nothing fails.
            judge: Raises, or gives what is there, in which the acknowledged values are looked up.
            prepare: What is there, and durable, before the story begins.
            most: The largest number of subsets that are tried at one position.
            draws: How many images of each position have sectors drawn at random.
            share: The part of the positions that is tried; those behind a promise are all tried.
            seed: Of what is drawn.
            lies: The disk acknowledges syncs and does none. A judge that finds nothing wrong then
                sees nothing: this is a control.
            promises: False for a story that need not promise anything, before a judge that need not
                look for promises, but only whether what is left is sound.

        Returns:
            How much was tried.

        Raises:
            NotAsPromised: With the smallest image of the first position at which one is wrong.
            AssertionError: Files were changed in a way that cannot be heard.
            ValueError: The story promised nothing, or wrote nothing, so nothing could be lost.
            TypeError: The judge gives None and has not looked at what was promised, or what it
                gives cannot be looked into.

        Cost:
            The story once, and the judge once for each different image.
        """
        __tracebackhide__ = True
        turn = next(self._turns)
        if self._again is not None and (
            not isinstance(self._again, CutAgain) or self._again.turn != turn
        ):
            return Cutting(0, 0, 0, 0)
        played = play(self._new(), story, prepare=prepare, lies=lies)
        if played.error is not None:
            raise played.error
        trial = Trial(self._kept / f"power-{turn}", judge, promises=promises)
        trial.hold_undisturbed(played)
        if self._again is None:
            _can_be_broken(played, promises=promises)
            if all(isinstance(operation, Mark) for operation in played.operations):
                raise ValueError("the story wrote nothing, so there was nothing to lose")
        rng = random.Random(seed)  # noqa: S311 images are drawn, not secrets
        if isinstance(self._again, CutAgain):
            self._cut_again(trial, played, self._again)
            return Cutting(0, 0, 0, 0)
        positions = whole = images = 0
        for here in cuts(played.before, played.operations, rng, share=share):
            positions += 1
            every = subsets(here.medium, most)
            whole += every is not None
            for choice in (*choices(here.medium, rng, draws, junk), *(every or ())):
                images += 1
                trial.hold_cut(here, choice, turn)
        counts = {"positions": positions, "with every subset": whole, "images": images}
        self._count("power cuts of a story", counts)
        return Cutting(positions, whole, images, trial.judging.asked)

    def fail(
        self,
        story: Story,
        judge: Judge,
        *,
        prepare: Story | None = None,
        kinds: Iterable[Kind] = KINDS,
        lasting: Iterable[bool] = (False, True),
        every: int = 1,
        raises: type[Exception] | tuple[type[Exception], ...] = (apsw.Error, OSError),
        promises: bool = True,
    ) -> Failing:
        """Play the story once for each of its calls of the VFS, which then fails, and judge.

        Whether the story raises, refuses or goes on is its own affair: what it has acknowledged
        must be there. That is looked at behind each promise after the fault, and at the end: in the
        files as the death of the process leaves them, and in what a power cut leaves of them if the
        disk has nothing that was not synced.

        Args:
            story: What is done, and promised.
            judge: As for `cut`.
            prepare: What is there before the story begins; nothing fails meanwhile.
            kinds: `"io"` fails opening, looking for, deleting, reading, writing, syncing,
                truncating, measuring and locking a file, `"full"` fails writes as a full disk does.
            lasting: False fails one call, True all from that one on.
            every: Every so manieth call fails in a playing of its own.
            raises: The errors that the story may end in.
            promises: As for `cut`.

        Returns:
            How much was tried.

        Raises:
            NotAsPromised: With the first fault after which something is wrong.
            AssertionError: Files were changed in a way that cannot be heard.
            ValueError: The story promised nothing, or no call of it can fail, or `every` is none.
            TypeError: As for `cut`.

        Cost:
            The story once for each call of each kind, once failing and lasting.
        """
        __tracebackhide__ = True
        if every < 1:
            raise ValueError(f"every={every!r}: every first, second or later call can fail")
        turn = next(self._turns)
        if self._again is not None and (
            not isinstance(self._again, FaultAgain) or self._again.turn != turn
        ):
            return Failing(0, 0, 0)
        trial = Trial(self._kept / f"power-{turn}", judge, promises=promises)
        faults = passed_over = images = 0
        for case in self._cases(
            trial, story, prepare, turn, kinds, lasting, every, promises=promises
        ):
            told = Faults(case.kind, case.at, case.lasting)
            played = play(self._new(), story, prepare=prepare, faults=told)
            if played.failed_at is None:  # it was not called so often this time
                continue
            faults += 1
            what = f"{_said(case)}: {played.failed}"
            again = _text(case)
            if played.error is not None and not isinstance(played.error, raises):
                error = f"it ended in {played.error!r}, which is none of {raises!r}"
                raise NotAsPromised(what, complaint=error, again=again) from played.error
            refused = any(not promise.is_there for promise in played.promises)
            passed_over += played.error is None and not refused
            trial.begin(played)
            for here in _looked_at(played):
                for choice in _two(here):
                    images += 1
                    if not trial.is_wrong(here, choice):
                        continue
                    if here.mark:
                        self._hold_sound(trial, story, prepare, what, again)
                        trial.begin(played)
                    trial.hold_fault(here, choice, what, again)
        if not faults:
            if self._again is not None:
                raise ValueError("the story has no such call; has it changed?")
            raise ValueError("no call of the story can fail by these `kinds`, once or `lasting`")
        if self._again is None:
            counts = {"faults": faults, "passed over": passed_over, "images": images}
            self._count("I/O errors of a story", counts)
        return Failing(faults, passed_over, images)

    def _cases(
        self,
        trial: Trial,
        story: Story,
        prepare: Story | None,
        turn: int,
        kinds: Iterable[Kind],
        lasting: Iterable[bool],
        every: int,
        *,
        promises: bool,
    ) -> Iterator[FaultAgain]:
        """The faults to try, of a story that is sound as long as nothing fails."""
        __tracebackhide__ = True
        for kind in kinds:
            none = Faults(kind)
            played = play(self._new(), story, prepare=prepare, faults=none)
            if played.error is not None:
                raise played.error
            trial.hold_undisturbed(played)
            if self._again is None:
                _can_be_broken(played, promises=promises)
            for for_good in lasting:
                for at in range(1, none.calls + 1, every):
                    case = FaultAgain(turn, kind, at, for_good)
                    if self._again in (None, case):
                        yield case

    def _hold_sound(
        self, trial: Trial, story: Story, prepare: Story | None, what: str, again: str
    ) -> None:
        """Raise NotAsPromised if no fault is needed for something to be wrong.

        Where a sync is missing, the call that happened to fail first is innocent.
        """
        __tracebackhide__ = True
        sound = play(self._new(), story, prepare=prepare)
        trial.begin(sound)
        for here in _looked_at(sound):
            for choice in _two(here) if here.mark else ():
                trial.hold_fault(here, choice, what, again, needed=False)

    def _cut_again(self, trial: Trial, played: Played, again: CutAgain) -> None:
        __tracebackhide__ = True
        rng = random.Random(0)  # noqa: S311 nothing is drawn
        for here in cuts(played.before, played.operations, rng):
            if here.position == again.position:
                trial.hold_cut(here, choice_from(again.choice, here.medium), again.turn)
                return
        raise ValueError(f"the story has no position {again.position}; has it changed?")

    def _new(self) -> Path:
        return self._folder / f"played-{next(self._playings)}"

    def _count(self, of: str, counts: dict[str, int]) -> None:
        if self._counted is not None:
            self._counted(of, counts)


def _can_be_broken(played: Played, *, promises: bool) -> None:
    """Raise ValueError for a story without `promises` that are wanted of it."""
    __tracebackhide__ = True
    if promises and not played.promises:
        raise ValueError(
            "the story promised nothing, so nothing of it could be lost: let it say what is there"
            " for good by `at.acknowledge(value)`; `promises=False` says that the judge looks at"
            " nothing but whether what is left is sound"
        )


def _looked_at(played: Played) -> Iterator[Cut]:
    """The moments behind each promise that was made after the fault, and the end."""
    last = len(played.operations) - 1
    for here in cuts(played.before, played.operations, random.Random(0)):  # noqa: S311 none is drawn
        told = isinstance(here.operation, Mark) and here.position >= (played.failed_at or 0)
        if told or here.position == last:
            yield here


def _two(here: Cut) -> list[Choice]:
    """What the death of the process leaves, and what a power cut does that takes all it can."""
    every = choices(here.medium, random.Random(0), 0, junk)  # noqa: S311 none is drawn
    return [choice for choice in every if choice.kind in ("all", "none")]


def _said(case: FaultAgain) -> str:
    error = "a full disk" if case.kind == "full" else "an I/O error"
    since = " and at all from there on" if case.lasting else ""
    return f"{error} at call {case.at}{since}"


def _text(case: FaultAgain) -> str:
    lasting = "lasting" if case.lasting else "once"
    return f"{case.turn}:fail:{case.kind}:{case.at}:{lasting}"
