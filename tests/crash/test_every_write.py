"""Every point at which a process can die: before each durable write, and after it unanswered.

Not sampled: a job is run through setup, map, reduce and its end once for every write it makes, and
for every pair of a first and a second death.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crash.every_write import ITEMS, Death, World


def deaths(writes: int) -> Iterator[Death]:
    for write in range(1, writes + 1):
        yield Death(write, "before")
        yield Death(write, "after")


def undisturbed() -> int:
    """How many writes the job takes when nobody dies."""
    world = World()
    ended, writes = world.live()
    assert ended
    world.check()
    assert set(world.calls.values()) == {1, 2}  # one item fails once
    return writes


def test_a_job_survives_a_death_at_every_write() -> None:
    """Nothing finished is done again, nothing acknowledged is lost, and the history is legal."""
    writes = undisturbed()
    assert writes > 15
    for death in deaths(writes):
        world = World()
        ended, begun = world.live(death)
        assert (ended, begun >= death.write) == (False, True), death
        assert world.live()[0], death
        world.check()


def test_a_job_survives_a_second_death_at_every_write_of_its_recovery() -> None:
    """All pairs: the second process dies at each of its own writes, and a third one finishes."""
    pairs = 0
    for first in deaths(undisturbed()):
        crashed = World()
        crashed.live(first)
        rest = crashed.fork().live()[1]
        for second in deaths(rest):
            world = crashed.fork()
            assert not world.live(second)[0], (first, second)
            assert world.live()[0], (first, second)
            world.check()
            pairs += 1
    assert pairs > 500


def test_a_write_that_was_acknowledged_and_lost_is_found() -> None:
    """The negative control: of every item and step, the write that broke the promise is noticed."""
    found: set[str] = set()
    for write in range(2, undisturbed()):  # without the first there is no job to take up
        world = World()
        world.live(Death(write, "lost"))
        world.live()
        if world.lost():
            found.update(world.lost())
            with pytest.raises(AssertionError):
                world.check()
    assert found >= {item.key for item in ITEMS} | {"setup/table", "reduce/merge", "reduce/upload"}


def test_a_call_for_what_had_finished_is_found() -> None:
    """The other negative control."""
    world = World()
    world.live()
    world.durable = world._finished()
    world.map_fn(ITEMS[0])
    with pytest.raises(AssertionError, match="was called again"):
        world.check()
