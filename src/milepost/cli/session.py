"""A session: what the options of one call say, the store that they name, and the jobs in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import click

from milepost.cli.keys import AS_JSON, LIFECYCLES, STORE, UNPAGED, UTC
from milepost.cli.output import note, write_json, write_page
from milepost.cli.trouble import TROUBLE, Trouble, nearest
from milepost.clock import Clock, SystemClock, instant, steady
from milepost.discovery import Discovery, discover
from milepost.errors import JobMoved, LifecycleUnknown, StateError
from milepost.inspect.page import Page
from milepost.inspect.view import View
from milepost.state.manager import StateManager
from milepost.stores.opening import open_store, shown_url, watching
from milepost.stores.protocol import StateStore
from milepost.text.commands import command
from milepost.text.escapes import printable

__all__ = [
    "Session",
    "answer",
    "discovery_of",
    "find_job",
    "session_of",
    "tell_unreadable",
]

_LISTED: Final = 10


class Manner(NamedTuple):
    """How a call is to be answered: in JSON, with times in UTC on a terminal too, by a pager."""

    as_json: bool
    utc: bool
    paged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One call of a command. `clock` says what time it is; stores are opened as it goes."""

    store: str
    manner: Manner
    clock: Clock
    discovery: Discovery

    @contextmanager
    def reading(self) -> Iterator[StateManager]:
        """The store, opened for reading alone; it must exist."""
        with self._opened(read_only=True) as manager:
            yield manager

    @contextmanager
    def writing(self) -> Iterator[StateManager]:
        """The store, opened for commands that were told to change something; it must exist."""
        with self._opened(read_only=False) as manager:
            yield manager

    @contextmanager
    def stored(self) -> Iterator[StateStore]:
        """The store alone, for reading, with nothing above it that knows what a fact means."""
        store = open_store(self.store, create=False, read_only=True)
        try:
            yield store
        finally:
            store.close()

    @contextmanager
    def _opened(self, *, read_only: bool) -> Iterator[StateManager]:
        """The store, with the lifecycles that were found; what could not be had is told."""
        with StateManager.open(
            self.store,
            create=False,
            read_only=read_only,
            clock=self.clock_given,
            lifecycles=self.discovery.lifecycles,
            earlier=self.discovery.earlier,
        ) as manager:
            for each in self.discovery.troubles:
                note(f"the lifecycle {each.named} of a package is not here: {each.problem}")
            try:
                yield manager
            except LifecycleUnknown as error:
                for each in self.discovery.found:
                    if each.named == error.lifecycle and each.problem:
                        error.add_note(each.problem)
                raise

    @property
    def clock_given(self) -> Clock | None:
        """The clock that stands above the store's own, if the call has one."""
        return None if isinstance(self.clock, SystemClock) else self.clock

    @property
    def store_named(self) -> str:
        """The store as it was named, without the password of a URL."""
        return shown_url(self.store)

    def sleep(self, seconds: float) -> None:
        """Let time pass, by the session's clock if it has a way to."""
        getattr(self.clock, "sleep", time.sleep)(seconds)

    @contextmanager
    def watching(self, job_id: str) -> Iterator[Callable[[float], None]]:
        """A way to wait between two looks at a job: shorter where a server says that it changed."""
        by_server = None if self.clock_given else watching(self.store, job_id)
        if by_server is None:
            yield self.sleep
        else:
            with by_server as wait:
                yield wait

    def monotonic_s(self) -> float:
        """Seconds from any start, by the session's clock."""
        return steady(self.clock).monotonic_us() / 1e6

    def now(self) -> datetime:
        """The time by the session's clock, aware UTC."""
        return instant(self.clock.now_us())

    def before(self, age: timedelta | None) -> datetime | None:
        """The time `age` ago; None without an age, and before the calendar begins."""
        try:
            return None if age is None else self.now() - age
        except OverflowError:
            return None

    def answer(self, view: View, page: Callable[[], Page]) -> None:
        """Write `view` as JSON if that was asked for, else the page of it."""
        _answer(view, page, self.manner)

    @property
    def as_json(self) -> bool:
        """True if the answer is wanted as JSON."""
        return self.manner.as_json


def answer(context: click.Context, view: View, page: Callable[[], Page]) -> None:
    """Write `view` as the options of `context` ask for it, without a store."""
    _answer(view, page, _manner_of(context))


def _answer(view: View, page: Callable[[], Page], manner: Manner) -> None:
    if manner.as_json:
        write_json(view)
    else:
        write_page(page, utc=manner.utc, paged=manner.paged)


def _manner_of(context: click.Context) -> Manner:
    return Manner(
        as_json=context.meta.get(AS_JSON, False),
        utc=context.meta.get(UTC, False),
        paged=not context.meta.get(UNPAGED, False),
    )


def session_of(context: click.Context) -> Session:
    """The session that the options of `context` ask for. A Clock as its `obj` stands for time.

    Raises UsageError if no store was named, LifecycleAbsent for a lifecycle that cannot be had.
    """
    store: str | None = context.meta.get(STORE)
    if not store:
        raise click.UsageError(
            "which store? Name it with --db, or in the variable MILEPOST_DB.", context
        )
    return Session(
        store=store,
        manner=_manner_of(context),
        discovery=discovery_of(context),
        clock=context.obj if context.obj is not None else SystemClock(),
    )


def discovery_of(context: click.Context) -> Discovery:
    """The lifecycles that the options of `context` name, and those that are found.

    Raises LifecycleAbsent, LifecycleUnfit.
    """
    return discover(context.meta.get(LIFECYCLES, ()))


def tell_unreadable(context: click.Context, problems: Iterable[str]) -> None:
    """Say what could not be read, and end the command with exit code 2 if that is anything."""
    found = list(problems)
    for problem in found:
        note(problem)
    if found:
        context.exit(TROUBLE)


def find_job(manager: StateManager, wanted: str) -> str:
    """The id of the job that `wanted` names: by all of its id, or by a beginning no other has.

    Raises Trouble, which lists the candidates, or the nearest ids where there is none, and JobMoved
    for a whole id of one that has gone to another store. Entries
    that cannot be read stand in the way of a beginning, which may be theirs, not of a whole id.
    Cost: a look at the index for a whole id; as StateManager.job_ids for the rest.
    """
    if manager.has_job(wanted):
        return wanted
    unreadable: list[StateError] = []
    found = manager.job_ids(wanted, limit=_LISTED + 1, on_error=unreadable.append)
    if unreadable:
        raise unreadable[0]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(found[:_LISTED]) + (", …" if len(found) > _LISTED else "")
        raise Trouble(f"{manager.count_jobs(wanted)} jobs begin with {wanted!r}: {listed}")
    try:
        manager.summary(wanted)
    except JobMoved:
        raise  # which says where it is
    except StateError:
        pass
    known = manager.job_ids()
    advice = nearest(wanted, known) or (
        f": `{command('jobs')}` lists those there are" if known else ": there are no jobs in it"
    )
    raise Trouble(f"no job {wanted!r} in {printable(manager.url)}{advice}")
