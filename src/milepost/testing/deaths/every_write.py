"""Every point at which a process can die: before each commit, and after it with no answer given.

Not sampled: a run is made once for every commit that it makes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from milepost import arguments
from milepost.machine import Lifecycle
from milepost.stores.memory import MemoryStore
from milepost.stores.protocol import StateStore
from milepost.testing.deaths.ending import failed
from milepost.testing.deaths.judging import Check, objected, said_by
from milepost.testing.deaths.lives import Death, Died, Endless, Life, World
from milepost.text.wording import counted, short_repr

__all__ = ["Survived", "notices_lost_writes", "survives_every_write"]

Live = Callable[[Life], object]

_UNDISTURBED: Final = "a life that nobody disturbed"

_LAST: Final = 4
"""So many of the last events of a job are told of."""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Survived:
    """Counts of what was tried.

    `writes` is how many commits a run makes that nobody disturbs, `deaths` how many lives died,
    `points` how often a commit about each was made in all lives, by its name in the log.
    """

    writes: int
    deaths: int
    points: Mapping[str, int]


@dataclass
class _Trial:
    live: Live
    lifecycle: Lifecycle | None
    store: Callable[[], StateStore]
    check: Check | None
    points: Counter[str] = field(default_factory=Counter)

    def world(self) -> World:
        return World(self.store(), self.lifecycle, points=self.points)

    def lives(self, world: World, death: Death | None = None, *, after: str = "") -> int | None:
        """How many commits a life made that came to its end; None if it died.

        What it raises else says which life it was, and which deaths came before it.
        """
        life = Life(world, death)
        before = f", after {after}" if after else ""
        try:
            self.live(life)
        except Died:
            return None
        except Endless as error:
            raise AssertionError(f"{error}{before}: {self.where(world, error)}") from None
        except Exception as error:
            if life.died:
                raise AssertionError(_swallowed(life, death, before)) from error
            error.add_note(f"this was life {life.number}{before or ': nobody had died'}")
            for told in failed(world.manager()):
                error.add_note(told)
            raise
        if life.died:
            raise AssertionError(_swallowed(life, death, before))
        return life.writes

    def where(self, world: World, error: Endless) -> str:
        """Where the jobs are, and what happened to them last."""
        manager = world.manager()
        told = []
        for job_id in manager.job_ids():
            last = manager.get_state_history(job_id, newest=_LAST)
            went = ", ".join(f"{event.event} to {event.target}" for event in last)
            told.append(f"job {job_id} {error.of_a_job}: {went}")
        return "; ".join(told) or "there is no job"

    def undisturbed(self, world: World, deaths: tuple[Death, ...] = ()) -> int:
        """How many commits a life makes that nobody disturbs, from there on."""
        writes = self.lives(world, after=_told(deaths))
        assert writes is not None, "a life that was to live died: Died is for the harness alone"
        return writes

    def sound(self) -> int:
        """How many commits a life makes; raise AssertionError if something does not hold already.

        There must be some: a store that is not empty may hold a job that has ended.
        """
        world = self.world()
        writes = self.undisturbed(world)
        objected(_UNDISTURBED, self.complaints(world))
        assert writes, (
            "the life made no commit, so there was none to die at: it must work by life.manager or"
            " life.store, and `store` must make an empty store each time"
        )
        return writes

    def complaints(self, world: World, deaths: tuple[Death, ...] = ()) -> Iterator[str]:
        yield from world.complaints()
        yield from said_by(self.check, world.manager(), _told(deaths) or _UNDISTURBED)

    def dies(self, deaths: tuple[Death, ...]) -> World:
        """A world in which the lives died those deaths, one after the other."""
        world = self.world()
        for number, death in enumerate(deaths):
            assert self.lives(world, death, after=_told(deaths[:number])) is None, (
                f"{_told(deaths)}: a life that was to die came to its end, so its run does not make"
                " the same commits each time: use executor=life.executor, workers=1 and ahead=0,"
                " and let nothing else decide but what is stored"
            )
        return world


def survives_every_write(
    live: Live,
    *,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    store: Callable[[], StateStore] = MemoryStore,
    deaths: int = 1,
) -> Survived:
    """A run is made once for each commit that it makes, dies there, and is taken up again.

    It dies before the commit, and in another trial after it. A second life then comes to its end.
    What must hold: all jobs have ended and nobody holds them; each commit that was acknowledged is
    in the log as it was; what `life.acknowledge` got is done, and `life.called` got nothing that
    was recorded as finished by then; each log verifies; and `check` finds nothing.

    Args:
        live: One life. It makes the job on `life.manager`, if it is not there, and runs it to its
            end, whichever life it is. It must do the same each time.
        lifecycle: By which the jobs run; None is the one that is built in.
        check: Asserts what else must hold of the store, by a manager, once the job has ended. It
            may give False, too.
        store: Makes an empty store for each trial.
        deaths: 2 has the second life die, too, at each of its own commits, and a third one end.

    Returns:
        What was tried.

    Raises:
        AssertionError: Something does not hold. It says what, and at which commit a life died; of a
            job that has failed, why; then what `check` raised, too. Or a life made no commit at
            all, or went on after its death.
        Exception: What `live` raised, or `check` where all else holds, with a note that says which
            life that was, and at which commits others had died before it.

    Cost:
        With n commits, 4 n runs for one death, and some 2 n² more for two.
    """
    deaths = arguments.integer("deaths", deaths, 1, 2)
    trial = _Trial(live, lifecycle, store, check)
    writes = trial.sound()
    died = 0
    rest: dict[Death, int] = {}
    for first in _deaths(writes):
        world = trial.dies((first,))
        died += 1
        rest[first] = trial.undisturbed(world, (first,))
        objected(_told((first,)), trial.complaints(world, (first,)))
    for pair in _pairs(writes, rest) if deaths > 1 else ():
        world = trial.dies(pair)
        died += 2
        trial.undisturbed(world, pair)
        objected(_told(pair), trial.complaints(world, pair))
    return Survived(writes=writes, deaths=died, points=dict(trial.points))


def notices_lost_writes(
    live: Live,
    *,
    lifecycle: Lifecycle | None = None,
    check: Check | None = None,
    store: Callable[[], StateStore] = MemoryStore,
) -> Counter[str]:
    """The control of `survives_every_write`: a store that loses what it has acknowledged.

    A run is made once for each of its commits but the first. That commit is acknowledged and gone,
    and the life dies at its next one.

    Args:
        live: One life, as above.
        lifecycle: By which the jobs run; None is the one that is built in.
        check: Asserts what else must hold, as above.
        store: Makes an empty store for each trial.

    Returns:
        How many of those lost commits were objected to, by what they were about.

    Raises:
        AssertionError: Not one was objected to, or there was none to try. Or something does not
            hold where nothing was lost.
    """
    trial = _Trial(live, lifecycle, store, check)
    noticed: Counter[str] = Counter()
    writes = trial.sound()
    assert writes > 2, (
        f"a life makes {counted(writes, 'commits')}, of which the first and the last are not tried:"
        " there was none to lose"
    )
    for write in range(2, writes):
        lost = Death(write, "undone")
        world = trial.dies((lost,))
        about = {
            point
            for append in world.record.appends[-1:]
            for entry in append.entries
            for point in entry.about
        }
        trial.undisturbed(world, (lost,))
        if any(trial.complaints(world, (lost,))):
            noticed.update(about)
    assert noticed, "no commit that was acknowledged and lost was noticed"
    return noticed


def _deaths(writes: int) -> Iterator[Death]:
    for write in range(1, writes + 1):
        yield Death(write, "before")
        yield Death(write, "after")


def _pairs(writes: int, rest: Mapping[Death, int]) -> Iterator[tuple[Death, Death]]:
    """Both deaths of each pair, `rest` being what a life makes that follows the first."""
    for first in _apart(writes):
        for second in _apart(rest[first]):
            yield first, second


def _apart(writes: int) -> Iterator[Death]:
    """Deaths that each leave another store: before a commit it is as after the one before it."""
    for write in range(1, writes + 1):
        yield Death(write, "before")
    if writes:
        yield Death(writes, "after")


def _swallowed(life: Life, death: Death | None, before: str) -> str:
    """What to say of a life that went on, though its process was gone."""
    assert death is not None, "a life that is to live does not die"
    write, when = death
    at = f"{when} its commit {write}" if when != "undone" else f"once its commit {write} was undone"
    return (
        f"life {life.number} died {at}{before}, and `live`, or what it calls, went on: its death is"
        " raised as a BaseException, and something has caught that and kept it. Look for `except"
        " BaseException:`, `except:` without a name, and a `return` in a `finally:`, and let that"
        " code raise again what is no Exception: a process that is gone runs none of it"
    )


def _told(deaths: tuple[Death, ...]) -> str:
    lives = (
        f"life {n} died once its commit {write} was undone"
        if when == "undone"
        else f"life {n} died {when} its commit {write}"
        for n, (write, when) in enumerate(deaths, 1)
    )
    return ", ".join(lives)
