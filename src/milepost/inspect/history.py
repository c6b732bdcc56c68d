"""`milepost history`: what happened to a job, event by event."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from fnmatch import translate
from itertools import islice, pairwise
from typing import Any, ClassVar, Final

from msgspec import Struct
from msgspec.structs import replace

from milepost.arguments import MAX_COUNT
from milepost.errors import CommitAbsent
from milepost.inspect.page import Column, Page, Table
from milepost.inspect.words import duration, stamp, told
from milepost.state.manager import StateManager
from milepost.state.reading.history import StateEvent
from milepost.state.writing.new_jobs import JobSummary
from milepost.text.wording import bounded

__all__ = [
    "EVERYTHING",
    "HistoryLine",
    "HistoryView",
    "Wanted",
    "history",
    "history_page",
    "nothing_there",
]

_KEYS_NAMED: Final = 3
_MICROSECOND: Final = timedelta(microseconds=1)
_MESSAGE: Final = 200
"""The most characters of a message that a line has; `milepost failures` has all of it."""

_LONG: Final = ("report",)  # of an import: in the JSON alone


class Wanted(Struct, frozen=True, kw_only=True):
    """Which events are asked for: all of it is true of those that are shown.

    They touched an item of one of `keys` or one whose key fits one of `globs`, are one of `events`
    or of that kind, took place at or after `since`, and have a text that `grep` finds: their name,
    a phase, who did it, what came with them, or the message of a failure.
    """

    keys: frozenset[str] = frozenset()
    globs: tuple[str, ...] = ()
    events: frozenset[str] = frozenset()
    since: datetime | None = None
    grep: re.Pattern[str] | None = None

    @property
    def chooses(self) -> bool:
        """True if an event is looked at itself to tell."""
        return bool(self.keys or self.globs or self.events or self.grep)


EVERYTHING: Final = Wanted()
"""All events."""


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One thing that happened, `elapsed_s` after the one before; None where that is not known.

    `count` is how many items it touched, `keys` names the first few of them, where items were
    asked for the first few of those; `transitions`
    counts the transitions taken, by machine and id. `index` is its place in its commit, from 0.
    `message` is what was said of a failure, bounded: of the first of the items that were asked for
    whose message fits.
    """

    seq: int
    at: datetime
    elapsed_s: float | None
    fence: int
    owner: str | None
    kind: str
    event: str
    source: str
    target: str
    count: int
    keys: tuple[str, ...]
    transitions: Mapping[str, int]
    payload: Mapping[str, Any]  # Any: JSON
    index: int
    message: str = ""


class HistoryView(Struct, frozen=True, kw_only=True):
    """The newest events of a range of a job's log, oldest first; `cut` if older ones are left out.

    `seq` is the newest commit of the job. `total` is how many events there are in the range of
    those that were asked for, None where all were.
    """

    SCHEMA: ClassVar[str] = "milepost.history/1"

    job: str
    seq: int
    cut: bool
    events: tuple[HistoryLine, ...]
    total: int | None = None


def history(
    manager: StateManager,
    job_id: str,
    *,
    after: int = 0,
    upto: int | None = None,
    wanted: Wanted = EVERYTHING,
    limit: int | None = None,
) -> HistoryView:
    """The newest `limit` events that are `wanted` of the commits with `after < seq <= upto`.

    They stand oldest first. Cost: the log from the nearest state before them that is stored is
    folded; where the lifecycle is not found, its heads are read. Where events are chosen, that is
    the log of the whole range. Raises JobAbsent.
    """
    seq = manager.summary(job_id).seq
    last = seq if upto is None else min(upto, seq)
    if wanted.since is not None:
        with suppress(CommitAbsent):  # the job did not exist yet
            after = max(after, manager.seq_at(job_id, wanted.since - _MICROSECOND))
    # One more is read, for the time since the event before.
    events: list[StateEvent] = []
    if last > after:
        newest = None if limit is None or wanted.chooses else min(limit + 1, MAX_COUNT)
        context = max(after - 1, 0)
        events = manager.get_state_history(job_id, after=context, upto=last, newest=newest)
    older = bool(events) and events[0].seq > after + 1
    lines = _lines(events, _named(wanted), wanted.grep)
    found = [line for line in lines if line.seq > after and _fits(line, wanted)]
    found = [replace(line, message=bounded(line.message, _MESSAGE)) for line in found]
    shown = found if limit is None else found[max(len(found) - limit, 0) :]
    return HistoryView(
        job=job_id,
        seq=seq,
        cut=older or len(shown) < len(found),
        events=tuple(shown),
        total=len(found) if wanted.chooses else None,
    )


def history_page(view: HistoryView) -> Page:
    """A line for each event, oldest first."""
    columns = (
        Column("SEQ", numeric=True),
        Column("AT", whole=True),
        Column("AFTER", numeric=True),
        Column("EVENT"),
        Column("PHASE"),
        Column("ITEMS", numeric=True),
        Column("BY"),
        Column("WHAT"),
    )
    rows = tuple(
        (
            str(event.seq),
            stamp(event.at, timespec="milliseconds"),
            f"+{duration(event.elapsed_s)}" if event.elapsed_s else "",
            event.event,
            _phases(event),
            str(event.count) if event.count else "",
            event.owner or "",
            _what(event),
        )
        for event in view.events
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def nothing_there(
    newest: JobSummary, *, after: int, upto: int | None, wanted: Wanted = EVERYTHING
) -> str:
    """Why there is no event: what was asked for, and up to where the job's log goes."""
    if wanted.chooses:
        return "nothing of the kind happened"
    asked = [f"after {after}"] if after else []
    if upto is not None:
        asked.append(f"up to {upto}")
    if wanted.since is not None:
        asked.append(f"since {stamp(wanted.since, timespec='milliseconds')}")
    at = stamp(newest.updated_at, timespec="milliseconds")
    return f"no commit {' and '.join(asked)}: the newest of the job is {newest.seq}, of {at}"


_Names = Callable[[StateEvent], Iterator[str]]


def _named(wanted: Wanted) -> _Names:
    """The keys of an event that are asked for, one by one as they are."""
    keys = sorted(wanted.keys)
    if wanted.globs:
        fits = re.compile("|".join(map(translate, wanted.globs))).match
        return lambda event: (key for key in event.items if key in wanted.keys or fits(key))
    if keys:
        return lambda event: (key for key in keys if key in event.items)
    return lambda event: iter(event.items)


def _fits(line: HistoryLine, wanted: Wanted) -> bool:
    if (wanted.keys or wanted.globs) and not line.keys:
        return False
    if wanted.events and not wanted.events & {line.event, line.kind}:
        return False
    if wanted.grep is None:
        return True
    named = (line.event, line.source, line.target, line.owner or "", *line.keys)
    texts = (*named, told(line.payload), line.message)
    return any(map(wanted.grep.search, texts))


def _lines(
    events: list[StateEvent], named: _Names, grep: re.Pattern[str] | None
) -> Iterator[HistoryLine]:
    """A line for each event; the first of them is the first of its commit."""
    index = 0
    for before, event in pairwise((None, *events)):
        assert event is not None
        index = index + 1 if before is not None and before.seq == event.seq else 0
        yield _line(before, event, named, index, _message(event, named, grep))


def _message(event: StateEvent, named: _Names, grep: re.Pattern[str] | None) -> str:
    """What was said of the first item that is named and failed, where `grep` finds it if it can."""
    if not event.messages:
        return ""
    told_of = [event.messages[key] for key in named(event) if key in event.messages]
    fitting = (each for each in told_of if grep is not None and grep.search(each))
    return next(fitting, next(iter(told_of), ""))


def _line(
    before: StateEvent | None, event: StateEvent, named: _Names, index: int, message: str
) -> HistoryLine:
    elapsed_s = None if before is None else (event.at - before.at).total_seconds()
    return HistoryLine(
        seq=event.seq,
        at=event.at,
        elapsed_s=elapsed_s,
        fence=event.fence,
        owner=event.owner,
        kind=str(event.kind),
        event=event.event,
        source=event.source,
        target=event.target,
        count=event.count,
        keys=tuple(islice(named(event), _KEYS_NAMED)),
        transitions=dict(event.transitions),
        payload=dict(event.payload),
        index=index,
        message=message,
    )


def _phases(event: HistoryLine) -> str:
    if event.source == event.target:
        return event.target
    return f"{event.source} → {event.target}"


def _what(event: HistoryLine) -> str:
    """The items' keys, and what came with the event."""
    more = ", …" if event.count > len(event.keys) else ""
    keys = ", ".join(event.keys) + more if event.keys else ""
    payload = {name: given for name, given in event.payload.items() if name not in _LONG}
    return "; ".join(part for part in (keys, told(payload), event.message) if part)
