"""Stories on a server: those of files, with what is made ready beforehand made there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple
from unittest import mock

import psycopg

from milepost import StateManager
from milepost.state.persistence import open_store
from milepost.state.writing import lease as leases
from milepost.state.writing import staging
from milepost.testing import FakeClock
from tests.crash.power.judge import new_clock
from tests.crash.power.stories import A_JOB, REPAIR, STREAMED, UPKEEP, Life, Step, work
from tests.integrity import sample

__all__ = ["STORIES", "ServedLife", "ServedStory", "small_sizes"]

_SPAN = 4
"""So many commits are a part of the index here, that one is due soon."""


@dataclass
class ServedLife(Life):
    """One process that works with the store at `url`."""

    url: str = ""

    def open(self) -> None:
        self._manager = None
        self.store = open_store(self.url, durability=self.durability, busy_timeout_s=1.0)  # type: ignore[assignment]
        self._manager = StateManager(self.store, clock=self.clock)

    def give_back(self, job_id: str) -> None:
        """By a commit that can be tried again."""
        self.manager._append(job_id, leases.release(self.leases[job_id]))


class ServedStory(NamedTuple):
    """Steps, on a store that `prepare` has filled before, if it does."""

    name: str
    steps: tuple[Step, ...]
    prepare: Callable[[str, FakeClock], None] | None = None


def _worked(url: str, clock: FakeClock) -> None:
    with StateManager.open(url, clock=clock) as manager:
        work(manager)


def _damaged(url: str, clock: FakeClock) -> None:
    """The newest lease of a job is lost, and the log of another breaks off in its middle."""
    with StateManager.open(url, clock=clock) as manager:
        sample.fill(manager, FakeClock())
    server, _, schema = url.partition("&schema=")
    with psycopg.connect(server, autocommit=True) as connection:
        for damage in (
            "UPDATE {}.commits SET head = '\\x5b5d' WHERE job = 1 AND seq = 6",
            "DELETE FROM {}.leases WHERE job = 2",
        ):
            connection.execute(damage.format(schema).encode())


STORIES = (
    ServedStory("a job", A_JOB.steps),
    ServedStory("upkeep", tuple(step for step in UPKEEP.steps if step.name != "vacuum"), _worked),
    ServedStory("streamed", STREAMED.steps),
    ServedStory("repair", REPAIR.steps, _damaged),
)


@contextmanager
def small_sizes() -> Iterator[None]:
    """Stories are short: lists come in by one block each, parts of the index by a few commits."""
    with (
        mock.patch.object(staging, "_BATCH_BYTES", 1000),
        mock.patch("milepost.log.spans.SPAN", _SPAN),
        mock.patch("milepost.state.keeping.spanning.SPAN", _SPAN),
    ):
        yield


def clock() -> FakeClock:
    """The clock of a story and of who looks at it."""
    return new_clock()
