"""A store whose commits are watched: somebody hears of each before it is made, and once it is.

What a commit is about is told by the facts in it, so that nothing that runs jobs has to know that
it is tested: a point of a run is a kind of fact.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast, get_args

from milepost.clock import SteadyClock
from milepost.log.codec import decode_facts
from milepost.log.facts import Fact, ItemsFired, JobFired, LeaseReleased, LeaseTaken, WriteRejected
from milepost.log.rows import Row, StoredLease, StoreFormat, Vacuumed
from milepost.machine import Lifecycle
from milepost.stores.protocol import Reader, StateStore, Writer

__all__ = [
    "LEASE",
    "LEASE_ALONE",
    "REJECTED",
    "RELEASED",
    "TakenBack",
    "Transaction",
    "Watch",
    "WatchedStore",
    "about_of",
    "point_of",
    "points_of",
]

LEASE: Final = str(LeaseTaken.__struct_config__.tag)
RELEASED: Final = str(LeaseReleased.__struct_config__.tag)
REJECTED: Final = str(WriteRejected.__struct_config__.tag)
LEASE_ALONE: Final = "lease alone"
_BESIDE: Final = "beside the log"


class TakenBack(BaseException):
    """Raised by a watch: the commit is undone, and whoever made it hears that it took place."""


class Transaction(NamedTuple):
    """One commit of a store: the so manieth that was made through this watched store, from 1 on.

    `rows` are those that it adds to logs, each with the number of its job, and `about` says of each
    what `about_of` says. `points` are all of these, once; of a commit that adds no row
    `lease alone` if it renews a lease or gives it back, `beside the log` if it changes anything
    else, and nothing if it changes nothing.
    """

    number: int
    rows: tuple[tuple[int, Row], ...]
    about: tuple[tuple[str, ...], ...]
    points: tuple[str, ...]


class Watch(Protocol):
    """Who hears of what is done with a store. What it raises ends what was begun."""

    def reads(self) -> None:
        """Somebody is about to read."""
        ...

    def read(self, seen: tuple[tuple[int, int, bytes], ...]) -> None:
        """Somebody has read: the newest commits that were seen, job number, seq and digest."""
        ...

    def begins(self) -> None:
        """Somebody is about to decide what to commit, and waits for the lock of the store."""
        ...

    def commits(self, made: Transaction) -> None:
        """A commit is decided and not made yet. If this raises, it is not made."""
        ...

    def committed(self, made: Transaction) -> None:
        """A commit was made, and nobody was told so far."""
        ...

    def failed(self, made: Transaction | None, error: BaseException) -> None:
        """Whoever began a commit gets `error`. It was not made if that is no CommitUnknown.

        `made` is None if it was not even decided.
        """
        ...


def about_of(row: Row) -> tuple[str, ...]:
    """What a commit is about: `point_of` of each of its facts, in order, once."""
    return tuple(dict.fromkeys(map(point_of, decode_facts(row, url="", job_id=""))))


def point_of(fact: Fact) -> str:
    """The name of the point of a run that a fact stands for.

    That is the name that the log has for such facts, `created`, `lease`, `checkpoint`; of an event,
    the event's own behind it: `job start_map`, `items succeed`.
    """
    kind = str(fact.__struct_config__.tag)
    return f"{kind} {fact.event}" if isinstance(fact, JobFired | ItemsFired) else kind


def points_of(lifecycle: Lifecycle) -> list[str]:
    """All that a commit of a job of this lifecycle can be about."""
    fired: list[type[JobFired | ItemsFired]] = [JobFired, ItemsFired]
    kinds = [of for of in get_args(Fact) if of not in fired]
    owned = {
        one.machine for each in lifecycle.machines.values() for one in each.collections.values()
    }
    return [
        *(
            f"{fired[name in owned].__struct_config__.tag} {event}"
            for name, machine in lifecycle.machines.items()
            for event in machine.events
        ),
        *(str(of.__struct_config__.tag) for of in kinds),
        LEASE_ALONE,
        _BESIDE,
    ]


class WatchedStore:
    """The store `inner`, and `watch` hears of all that is done with it. Safe for threads.

    If it is `alone`, one thread commits at a time, until the watch has heard of it: a process that
    stands still at a commit of one thread is in no other's.
    """

    def __init__(self, inner: StateStore, watch: Watch, *, alone: bool = False) -> None:
        self._inner = inner
        self._watch = watch
        self._turn: AbstractContextManager[object] = threading.RLock() if alone else nullcontext()
        self._numbers = count(1)

    @property
    def url(self) -> str:
        """That of the store itself, as all else that is not about commits."""
        return self._inner.url

    @property
    def read_only(self) -> bool:
        """True if `writing` is refused."""
        return self._inner.read_only

    @property
    def clock(self) -> SteadyClock | None:
        """The time that all who share the store go by; None if that of the machine is."""
        return self._inner.clock

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Queries of one moment."""
        self._watch.reads()
        with self._inner.reading() as inner:
            reader = _Reader(inner)
            yield cast("Reader", reader)
        self._watch.read(tuple(reader.seen))

    @contextmanager
    def writing(self, *jobs: str) -> Iterator[Writer]:
        """One commit, for jobs of these ids."""
        with self._turn, self._watched(self._inner.writing, jobs) as writer:
            yield writer

    @contextmanager
    def appending(self, *jobs: str) -> Iterator[Writer]:
        """As `writing`, for those who say on what they rely."""
        with self._turn, self._watched(self._inner.appending, jobs) as writer:
            yield writer

    def check(self) -> list[str]:
        """The problems of the medium itself; none if it is sound."""
        return self._inner.check()

    def format(self) -> StoreFormat:
        """The format that the store has."""
        return self._inner.format()

    def back_up(self, copy: Path) -> int:
        """Write a copy of this moment to a new file; its size in bytes."""
        return self._inner.back_up(copy)

    def vacuum(self) -> Vacuumed:
        """Give the space of what was deleted back to the disk."""
        return self._inner.vacuum()

    def close(self) -> None:
        """Close the store itself."""
        self._inner.close()

    @contextmanager
    def _watched(
        self, begin: Callable[..., AbstractContextManager[Writer]], jobs: Sequence[str]
    ) -> Iterator[Writer]:
        self._watch.begins()
        made: Transaction | None = None
        try:
            with begin(*jobs) as inner:
                writer = _Writer(inner)
                yield cast("Writer", writer)
                made = writer.transaction(next(self._numbers))
                self._watch.commits(made)
        except TakenBack:
            return
        except BaseException as error:
            self._watch.failed(made, error)
            raise
        self._watch.committed(made)


class _Reader:
    """A reader that remembers what it told of the ends of logs."""

    def __init__(self, inner: Reader) -> None:
        self._inner = inner
        self.seen: list[tuple[int, int, bytes]] = []

    def __getattr__(self, name: str) -> Any:  # Any: whichever method of a reader it is
        return getattr(self._inner, name)

    def newest(self, job: int) -> tuple[int, bytes] | None:
        found = self._inner.newest(job)
        if found is not None:
            self.seen.append((job, *found))
        return found

    def tip(self, job: int) -> Row | None:
        found = self._inner.tip(job)
        if found is not None:
            self.seen.append((job, found.seq, found.digest))
        return found


class _Writer:
    """A writer that remembers what it was given."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner
        self.added: list[tuple[int, Row]] = []
        self._leases = 0
        self._others = 0

    def __getattr__(self, name: str) -> Any:  # Any: whichever method of a writer it is
        self._others += name in _CHANGES
        return getattr(self._inner, name)

    def add_row(self, job: int, row: Row) -> None:
        self._inner.add_row(job, row)
        self.added.append((job, row))

    def add_rows(self, job: int, rows: Iterable[Row]) -> None:
        given = list(rows)
        self._inner.add_rows(job, given)
        self.added += [(job, row) for row in given]

    def put_lease(self, job: int, lease: StoredLease) -> None:
        self._inner.put_lease(job, lease)
        self._leases += 1

    def transaction(self, number: int) -> Transaction:
        """What was given so far."""
        about = tuple(about_of(row) for _, row in self.added)
        points = tuple(dict.fromkeys(point for each in about for point in each))
        if not points and (self._leases or self._others):
            points = (LEASE_ALONE if self._leases else _BESIDE,)
        return Transaction(number, tuple(self.added), about, points)


_CHANGES: Final = frozenset(
    name
    for name in vars(Writer)
    if name not in vars(Reader) and not name.startswith("_") and name not in ("mark", "relies_on")
) - {"reserve"}
