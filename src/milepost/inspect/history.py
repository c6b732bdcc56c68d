"""`milepost history`: what happened to a job, event by event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice, pairwise
from typing import Any, ClassVar, Final

from msgspec import Struct

from milepost.inspect.page import Column, Page, Table
from milepost.inspect.words import duration, stamp, told
from milepost.state.manager import StateManager
from milepost.state.reading.history import StateEvent

__all__ = ["HistoryLine", "HistoryView", "history", "history_page"]

_KEYS_NAMED: Final = 3
_LONG: Final = ("report",)  # of an import: in the JSON alone


class HistoryLine(Struct, frozen=True, kw_only=True):
    """One thing that happened, `elapsed_s` after the one before; None where that is not known.

    `count` is how many items it touched, `keys` names the first few of them; `transitions`
    counts the transitions taken, by machine and id.
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


class HistoryView(Struct, frozen=True, kw_only=True):
    """The newest events of a range of a job's log, oldest first; `cut` if older ones are left out.

    `seq` is the newest commit of the job.
    """

    SCHEMA: ClassVar[str] = "milepost.history/1"

    job: str
    seq: int
    cut: bool
    events: tuple[HistoryLine, ...]


def history(
    manager: StateManager,
    job_id: str,
    *,
    after: int = 0,
    upto: int | None = None,
    limit: int | None = None,
) -> HistoryView:
    """The newest `limit` events of the commits with `after < seq <= upto`, oldest first.

    Cost: the log from the nearest state before them that is stored is folded; where the lifecycle
    is not found, its heads are read. Raises JobAbsent.
    """
    seq = manager.summary(job_id).seq
    last = seq if upto is None else min(upto, seq)
    # A commit holds an event at least. One more is read, for the time since the event before.
    first = after if limit is None else max(after, last - limit)
    context = max(first - 1, 0)
    events = manager.get_state_history(job_id, after=context, upto=last) if last > first else []
    lines = [_line(None, events[0])] if events else []
    lines += [_line(before, event) for before, event in pairwise(events)]
    wanted = [line for line in lines if line.seq > first]
    shown = wanted if limit is None else wanted[max(len(wanted) - limit, 0) :]
    cut = first > after or len(shown) < len(wanted)
    return HistoryView(job=job_id, seq=seq, cut=cut, events=tuple(shown))


def history_page(view: HistoryView) -> Page:
    """A line for each event, oldest first."""
    columns = (
        Column("SEQ", numeric=True),
        Column("AT"),
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


def _line(before: StateEvent | None, event: StateEvent) -> HistoryLine:
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
        keys=tuple(islice(event.items, _KEYS_NAMED)),
        transitions=dict(event.transitions),
        payload=dict(event.payload),
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
    return "; ".join(part for part in (keys, told(payload)) if part)
