"""Views as pages: which of their data people see, in which order, in which words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from milepost.inspect.page import Badge, Block, Cell, Column, Fields, Note, Page, Table
from milepost.inspect.views import (
    CheckpointView,
    Guarding,
    HistoryLine,
    HistoryView,
    ItemLine,
    ItemsView,
    JobsView,
    ShowView,
)
from milepost.inspect.words import ago, duration, stamp, told, value
from milepost.job import JOB, Progress
from milepost.state.liveness import Standing

__all__ = [
    "checkpoint_page",
    "history_page",
    "items_page",
    "jobs_page",
    "show_page",
]

_ITEM = "item"
_LONG = ("report",)  # of an import: in the JSON of the history alone


def jobs_page(view: JobsView) -> Page:
    """A line for each job."""
    columns = (
        Column("JOB"),
        Column("PHASE"),
        Column("DONE", numeric=True),
        Column("LEFT", numeric=True),
        Column("DEAD", numeric=True),
        Column("ITEMS", numeric=True),
        Column("SEQ", numeric=True),
        Column("UPDATED"),
    )
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (
            job.id,
            Badge(JOB, job.phase),
            *_counts(job.progress),
            str(job.seq),
            stamp(job.updated_at),
        )
        for job in view.jobs
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _counts(progress: Progress | None) -> tuple[str, ...]:
    """Done, left, dead and all; unknown for a job of another lifecycle."""
    if progress is None:
        return ("?",) * 4
    return tuple(
        str(count) for count in (progress.done, progress.left, progress.dead, progress.total)
    )


def show_page(view: ShowView) -> Page:
    """One screen about one job."""
    return (
        Fields(entries=tuple(_about(view))),
        Fields(title="context", entries=tuple(_values(view.context))),
        Fields(title="parameters of its items", entries=tuple(_values(view.item_params))),
        Fields(title="variables", entries=tuple(_values(view.variables))),
        Table(
            title=f"last failures ({len(view.failures)} of {view.failure_count})",
            columns=(
                Column("SEQ", numeric=True),
                Column("ITEM"),
                Column("CAUSE"),
                Column("MESSAGE"),
            ),
            rows=tuple((str(f.seq), f.key, f.cause, f.message) for f in view.failures),
        ),
        Table(
            title="events that it would take now",
            columns=(Column("EVENT"), Column("TO"), Column("NEEDS"), Column("ABOUT")),
            rows=tuple(
                (
                    event.event,
                    Badge(JOB, event.targets[0])
                    if len(event.targets) == 1
                    else " or ".join(event.targets),
                    ", ".join(event.fields),
                    event.doc,
                )
                for event in view.allowed
            ),
            empty=f"no event is left for it in {view.phase}",
        ),
        *_refusals(view),
    )


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


def items_page(view: ItemsView) -> Page:
    """A line for each item."""
    columns = (
        Column("ITEM"),
        Column("STATE"),
        Column("ATTEMPTS", numeric=True),
        Column("CRASHES"),
        Column("FAILURES", numeric=True),
        Column("CAUSE"),
        Column("LAST FAILURE"),
    )
    rows = tuple(
        (
            item.key,
            Badge(_ITEM, item.state),
            f"{item.attempts}/{view.max_attempts}",
            _crashes(item, view.max_crashes),
            str(item.failures),
            item.last_failure.cause if item.last_failure else "",
            item.last_failure.message if item.last_failure else "",
        )
        for item in view.items
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _crashes(item: ItemLine, most: int) -> str:
    """How many executors died of it; of one that none is known to have died of, that it may be."""
    if item.crashes:
        return f"{item.crashes}/{most}"
    return "suspect" if item.suspect else ""


def checkpoint_page(view: CheckpointView) -> Page:
    """A line for each checkpoint, newest first."""
    columns = (Column("SEQ", numeric=True), Column("TAKEN"), Column("REASON"), Column("CHECKSUM"))
    rows = tuple(
        (str(one.seq), stamp(one.taken_at), one.reason, one.checksum) for one in view.checkpoints
    )
    return (Table(columns=columns, rows=rows),) if rows else ()


def _about(view: ShowView) -> Iterator[tuple[str, Cell]]:
    progress = view.progress
    yield "job", view.job
    yield "phase", Badge(JOB, view.phase)
    yield "", view.phase_doc
    came = f"by {view.entered.event} at seq {view.entered.seq}"
    yield "since", f"{ago(view.entered.at, view.as_of)}, {came}"
    why = {k: v for k, v in view.entered.payload.items() if k in ("cause", "message", "reason")}
    if told(why):
        yield "", told(why)
    settled = f"{progress.done} done, {progress.dead} dead, {progress.skipped} skipped"
    yield "settled", f"{progress.settled} of {progress.total}: {settled}"
    left = f"{progress.pending} pending, {progress.running} running, {progress.failed} failed"
    yield "left", f"{progress.left}: {left}"
    if view.added_count:
        yield "added", f"{view.added_count} of them after it was created"
    yield "lease", _lease(view)
    yield "fence", str(view.fence)
    yield "checkpoint", _newest_checkpoint(view)
    yield "created", ago(view.created_at, view.as_of)
    yield "updated", f"{ago(view.updated_at, view.as_of)}, seq {view.seq}"
    if view.orphaned:
        yield "orphaned", "its holder was taken over and it has not been recovered since"
    if view.rejected_count:
        yield "rejected", f"{view.rejected_count} writes were refused and kept for the record"
    for at, to in view.rewinds:
        yield "rewound", f"at seq {at}, to as it was at seq {to}"
    yield "items take", ", ".join(view.item_events) or "no event in this phase"


def _newest_checkpoint(view: ShowView) -> str:
    if view.checkpoint is None:
        return "none"
    taken = f"{view.checkpoint.reason}, {stamp(view.checkpoint.taken_at)}"
    behind = view.seq - view.checkpoint.seq
    return f"at seq {view.checkpoint.seq} ({taken}), {behind} commits before the newest"


def _lease(view: ShowView) -> str:
    if view.lease is None:
        return "nobody holds it"
    owner, left = view.lease.owner, duration(view.lease_left_s)
    match view.standing:
        case Standing.ALIVE:
            until = view.as_of + timedelta(seconds=view.lease_left_s)
            return f"{owner}, until {stamp(until)} (in {left})"
        case Standing.WATCHED:
            return f"{owner}, whose clock cannot be compared: it lapses if watched for {left}"
        case Standing.GONE:
            return f"{owner}, whose process is gone: another may take over"
        case _:
            when = stamp(min(view.lease.expires_at or view.as_of, view.as_of))
            return f"{owner}, expired {when}: another may take over"


def _refusals(view: ShowView) -> Iterator[Block]:
    """Why events are refused: what each guard needs, beside what it read."""
    rows: list[tuple[Cell, ...]] = []
    definitions: dict[str, str] = {}
    for event in view.refused:
        for guarding in event.guards:
            target = Badge(JOB, guarding.target)
            rows.append((event.event, target, guarding.guard, _read(guarding)))
            definitions.update(guarding.definitions)
    yield Table(
        title="events that it would refuse now",
        columns=(Column("EVENT"), Column("TO"), Column("NEEDS"), Column("NOW")),
        rows=tuple(rows),
    )
    yield Fields(title="where", entries=tuple(definitions.items()))
    elsewhere = [event.event for event in view.refused if not event.guards]
    if elsewhere:
        yield Note(f"no transition from {view.phase}: {', '.join(elsewhere)}")


def _read(guarding: Guarding) -> str:
    return ", ".join(f"{name}={value(read)}" for name, read in guarding.values.items())


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


def _values(values: Mapping[str, Any]) -> Iterator[tuple[str, Cell]]:
    for name, given in values.items():
        yield f"  {name}", value(given)
