"""Processes that are killed or stand still at every crash point of a run, until its job has ended.

A crash point is a place at a commit: before it, or after it and with no answer given. Commits are
told apart by what they are about, so that the points of a run are those of its lifecycle.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from milepost import arguments
from milepost.errors import ArgumentInvalid
from milepost.job.versions import Catalogue
from milepost.machine import Lifecycle
from milepost.testing.deaths.driving import Live, Place
from milepost.testing.deaths.judging import Check
from milepost.testing.deaths.nursery import Nursery
from milepost.testing.deaths.trials import Trial
from milepost.testing.watching import LEASE_ALONE, points_of
from milepost.text.wording import short_repr

__all__ = [
    "Killed",
    "notices_undone_commits",
    "survives_kills",
    "survives_random_kills",
    "survives_stalls",
]

_OF_A_JOB: Final = 20
"""So many kills at random, and a process comes to its end."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Killed:
    """Counts of what was tried.

    `ended` is how many processes were killed, or stood still, and `jobs` in how many stores.
    `existing` are the crash points of an undisturbed run, and others that were asked for: `before
    items start`, `after lease`. `hit` counts, by crash point, the processes that ended there; of
    kills at random it is the last thing that they said.
    """

    ended: int
    jobs: int
    existing: tuple[str, ...]
    hit: Mapping[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """Numbers for a report: processes, and how many of the existing points were hit."""
        met = sum(point in self.hit for point in self.existing)
        return {"processes": self.ended, "points hit": met, "of existing": len(self.existing)}


@dataclass
class _Loop:
    """Trials that are alike, each in a store of its own."""

    live: Live
    folder: Path
    nursery: Nursery
    new_url: Callable[[], str] | None
    lifecycle: Lifecycle | None
    check: Check | None
    always: Check | None
    numbers: Iterator[int] = field(default_factory=count)
    jobs: int = 0
    ended: int = 0

    def trial(self) -> Trial:
        number = next(self.numbers)
        self.jobs += 1
        return Trial(
            self.live,
            self.new_url() if self.new_url else str(self.folder / f"trial-{number}.db"),
            self.folder / f"trial-{number}.journal",
            self.nursery,
            lifecycle=self.lifecycle,
            check=self.check,
            always=self.always,
        )

    def undisturbed(self) -> Counter[str]:
        """How often a run that nobody disturbs makes a commit about each point."""
        trial = self.trial()
        trial.finish()
        points = trial.points
        points.pop(LEASE_ALONE, None)  # which time decides
        assert points, (
            "a process made no commit that was seen, so there is no point to end one at: it must"
            " work by driver.manager or driver.store"
        )
        return points


def survives_kills(
    live: Live,
    folder: Path,
    *,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    always: Check | None = None,
    expected: Collection[str] = (),
    new_url: Callable[[], str] | None = None,
    nursery: Nursery | None = None,
) -> Killed:
    """Processes are killed at every crash point of a run: any executor, any store.

    Each of them kills itself by SIGKILL at the first crash point that no process was killed at so
    far, before the commit or after it. The next takes over, until one comes to its end; then the
    next job begins, until each crash point was hit. After each death, what was promised must hold,
    and after each end what `survives_every_write` says, with what `store.check` finds.

    Args:
        live: What a process does, with a Driver: it makes the job if it is not there, and runs it
            to its end, whichever process it is. A function of a module, or a `partial` of one.
        folder: Where the stores and what the processes note are put; made if it is not there.
        lifecycle: By which the jobs run, of a module that can be imported; None is the one that is
            built in.
        check: Asserts what else must hold of the store, by a manager, once the job has ended.
        always: Asserts what else must hold after each death.
        expected: What commits are about that must be met, too, while an undisturbed run makes none
            of them: `job recover`.
        new_url: The URL of a new store, for each job; SQLite files in `folder` if there is none.
        nursery: Where processes are born; one for this call if there is none.

    Returns:
        What was tried.

    Raises:
        AssertionError: Something does not hold; or a crash point was never hit, which it names; or
            a run makes no commit. Of a process that failed or does not end, a note says which it
            was, what it did last, and where those before it ended.
        ArgumentInvalid: No commit of the lifecycle can be about what is `expected`.

    Cost:
        With n points, some 4 n processes.
    """
    with _looping(live, folder, nursery, new_url, lifecycle, check, always) as loop:
        asked = _known(expected, lifecycle)
        existing = [*loop.undisturbed(), *asked]
        due = {place for point in existing for place in _around(point)}
        hit: Counter[Place] = Counter()
        while due:
            trial = loop.trial()
            while trial.raise_child(due=frozenset(due - trial.hit.keys())).killed:
                loop.ended += 1
            trial.look("a process came to its end", ended=True)
            assert due & trial.hit.keys(), f"never hit: {_named(due)}"
            due -= trial.hit.keys()
            hit += trial.hit
    return _killed(loop, existing, hit)


def survives_stalls(
    live: Live,
    folder: Path,
    *,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    always: Check | None = None,
    expected: Collection[str] = (),
    new_url: Callable[[], str] | None = None,
    nursery: Nursery | None = None,
) -> Killed:
    """Processes stand still at every crash point of a run, are taken over, and wake up.

    As `survives_kills`, with SIGSTOP for SIGKILL, and only once a commit was made: whoever stands
    still before one has the lock of its store. Once a process has come to its end, those that
    stand are woken by SIGCONT, the last one first. They must end by themselves, by an error of
    Milepost's that says that the job is another's, or because nothing is left to do; what they
    write after they were taken over is refused, and leaves a record of that at the most.

    `live` decides how a process takes over: by a reason, or once the lease has run out. The
    arguments, what is returned and what is raised are those of `survives_kills`.
    """
    with _looping(live, folder, nursery, new_url, lifecycle, check, always) as loop:
        asked = _known(expected, lifecycle)
        existing = [*loop.undisturbed(), *asked]
        due: set[Place] = {("after", point) for point in existing}
        hit: Counter[Place] = Counter()
        while due:
            trial = loop.trial()
            standing = []
            while True:
                child = trial.begin(due=frozenset(due - trial.hit.keys()), stalls=True)
                if not child.stands:
                    break
                trial.look("a process stood still")
                standing.append(child)
                loop.ended += 1
            trial.end(child, alone=False)
            trial.look("a process came to its end", ended=True)
            for sleeper in reversed(standing):
                os.kill(sleeper.pid, signal.SIGCONT)
                trial.end(sleeper, alone=False)
            trial.look("those that stood still went on", ended=True)
            assert due & trial.hit.keys(), f"never hit: {_named(due)}"
            due -= trial.hit.keys()
            hit += trial.hit
    return _killed(loop, existing, hit, sides=1)


def survives_random_kills(
    live: Live,
    folder: Path,
    *,
    kills: int,
    rng: Random,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    always: Check | None = None,
    new_url: Callable[[], str] | None = None,
    nursery: Nursery | None = None,
) -> Killed:
    """Processes are killed at moments that `rng` draws, from outside: in the middle of anything.

    Some a while after their start, some within a millisecond after a commit of a kind was begun or
    made. A process that is killed before it has opened the store does not count. After every 20
    kills, or as soon as a process has ended the job, another one begins.

    Args:
        live: As in `survives_kills`, as are the rest.
        folder: Where the stores and what the processes note are put; made if it is not there.
        kills: How many processes are to be killed at work.
        rng: Draws the moments.
        lifecycle: By which the jobs run.
        check: Asserts what else must hold once the job has ended.
        always: Asserts what else must hold after each death.
        new_url: The URL of a new store, for each job.
        nursery: Where processes are born.

    Returns:
        What was tried. Its crash points are those that a process spoke of last.

    Raises:
        AssertionError: Something does not hold.
    """
    kills = arguments.integer("kills", kills, 1)
    hit: Counter[Place] = Counter()
    with _looping(live, folder, nursery, new_url, lifecycle, check, always) as loop:
        points = loop.undisturbed()
        places = [place for point in points for place in _around(point)]
        names: dict[str, Place] = {f"{place[0]} {place[1]}": place for place in places}
        while hit.total() < kills:
            trial = loop.trial()
            for _ in range(_OF_A_JOB):
                if rng.random() < 0.4:
                    fate = trial.raise_child(delay_s=rng.random() * 0.06)
                else:
                    when, point = rng.choice(places)
                    fate = trial.raise_child(
                        at=f"{when} {point}",
                        nth=rng.randint(1, min(points[point], 40)),
                        delay_s=rng.random() * 0.001,
                    )
                if fate.killed and fate.doing in names:
                    hit[names[fate.doing]] += 1
                    loop.ended += 1
                if not fate.killed or hit.total() >= kills:
                    break
            trial.finish()
    return _killed(loop, list(points), hit)


def notices_undone_commits(
    live: Live,
    folder: Path,
    *,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    always: Check | None = None,
    new_url: Callable[[], str] | None = None,
    nursery: Nursery | None = None,
) -> Killed:
    """The control of `survives_kills`: a store that loses what it has acknowledged, at each point.

    A process hears that a commit was made, and it is gone, as is the process. The arguments are
    those of `survives_kills`.

    Returns:
        What was tried: `hit` are the points at which it was objected to.

    Raises:
        AssertionError: Nothing was objected to at some point but the first commit of a job, after
            whose loss the same job is made again.
    """
    with _looping(live, folder, nursery, new_url, lifecycle, check, always) as loop:
        _, *existing = loop.undisturbed()
        assert existing, (
            "a run makes a first commit alone, which is not tried: there is none to lose"
        )
        hit: Counter[Place] = Counter()
        for point in existing:
            trial = loop.trial()
            try:
                trial.raise_child(due=frozenset({("undone", point)}))
                trial.finish()
            except AssertionError:
                hit["undone", point] += 1
        missed = [point for point in existing if not hit["undone", point]]
        assert not missed, f"lost and not noticed: {', '.join(missed)}"
    return Killed(
        ended=len(existing),
        jobs=loop.jobs,
        existing=tuple(f"undone {point}" for point in existing),
        hit={f"{when} {point}": number for (when, point), number in hit.items()},
    )


@contextmanager
def _looping(
    live: Live,
    folder: Path,
    nursery: Nursery | None,
    new_url: Callable[[], str] | None,
    lifecycle: Lifecycle | None,
    check: Check | None,
    always: Check | None,
) -> Iterator[_Loop]:
    folder.mkdir(parents=True, exist_ok=True)
    if nursery is not None:
        yield _Loop(live, folder, nursery, new_url, lifecycle, check, always)
        return
    with Nursery(folder / "nursery.errors") as own:
        yield _Loop(live, folder, own, new_url, lifecycle, check, always)


def _known(expected: Collection[str], lifecycle: Lifecycle | None) -> list[str]:
    """The points that are `expected`. Raises ArgumentInvalid for one that there cannot be."""
    lifecycle = lifecycle or Catalogue.of().default
    points = points_of(lifecycle)
    asked = arguments.texts("expected", expected)
    for point in asked:
        if point not in points:
            near = get_close_matches(point, points, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            wanted = f"what a commit of {lifecycle.name!r} can be about"
            raise ArgumentInvalid(name="expected", given=f"{point!r}{hint}", wanted=wanted)
    return asked


def _around(point: str) -> tuple[Place, Place]:
    return ("before", point), ("after", point)


def _named(places: Collection[Place]) -> str:
    return ", ".join(sorted(f"{when} {point}" for when, point in places))


def _killed(loop: _Loop, existing: list[str], hit: Counter[Place], *, sides: int = 2) -> Killed:
    return Killed(
        ended=loop.ended,
        jobs=loop.jobs,
        existing=tuple(
            f"{when} {point}" for point in existing for when, _ in _around(point)[2 - sides :]
        ),
        hit={f"{when} {point}": number for (when, point), number in hit.items()},
    )
