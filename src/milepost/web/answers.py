"""Each page's answer: the view that the command line has too, its blocks and its lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import UNSET

from milepost.arguments import MAX_COUNT
from milepost.errors import StoreUnreadable
from milepost.inspect import changes as changes_model
from milepost.inspect import facets as facets_model
from milepost.inspect import failures as failures_model
from milepost.inspect import grid as grid_model
from milepost.inspect import history as history_model
from milepost.inspect import items as items_model
from milepost.inspect import jobs as jobs_model
from milepost.inspect import plan as plan_model
from milepost.inspect import show as show_model
from milepost.inspect import timeline as timeline_model
from milepost.inspect.csv import Lines
from milepost.inspect.page import Page
from milepost.inspect.view import View
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.text.wording import counted, items_counted
from milepost.web.asking import MOST_ROWS, Asked, QueryUnfitError, require_among
from milepost.web.hiding import changes_hidden, history_hidden, plan_hidden, show_hidden

__all__ = ["DATA_ALONE", "JOB_PAGES", "STORE_PAGES", "Answer", "Asking", "Missed"]

_ROWS: Final = 100
_NEWEST: Final = 20
_KEYS: Final = 5

_OF_JOBS: Final[Mapping[str, str]] = {
    "prefix": "id begins with",
    "phase": "phase",
    "of": "lifecycle",
    "outcome": "outcome",
    "since": "written to within",
}
_OF_ITEMS: Final[Mapping[str, str]] = {
    "key": "key fits",
    "state": "state",
    "failed": "failed or dead",
    "first": "first ordinal",
    "last": "last ordinal",
}
_OF_COMMITS: Final[Mapping[str, str]] = {"after": "after commit", "upto": "up to commit"}
"""What can be asked for, in the words of the forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """That there is nothing to show: `told` says of how many, `looked_for` what was chosen."""

    told: str
    looked_for: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page shows: its `view`, the blocks of it, and what stands beside them.

    `lines` are those of a table, where the view is one. `notes` say what is cut, `missed` that
    there is nothing to show. `around` is the
    newest history on the page of a job, `facets` count on that of jobs what filters would leave,
    `grid` has the cells on that of items, `timeline` the phases on that of the history; `commits`
    are the two ends of a comparison.
    """

    view: View
    page: Page
    lines: Lines | None = None
    notes: tuple[str, ...] = ()
    missed: Missed | None = None
    around: Page = ()
    facets: facets_model.FacetsView | None = None
    grid: grid_model.GridView | None = None
    timeline: timeline_model.TimelineView | None = None
    commits: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom and what to ask: the store, the query, the time; and whether payloads are shown."""

    manager: StateManager
    asked: Asked
    now: datetime
    payloads: bool = False
    job: str = ""


def _jobs(asking: Asking) -> Answer:
    """The jobs of the store, filtered by the query; or those that their holders left."""
    asked = asking.asked
    phase, lifecycle = asked.text("phase"), asked.text("of")
    outcome = asked.choice("outcome", jobs_model.WANTED_OUTCOMES)
    sort = jobs_model.Sort(asked.choice("sort", tuple(jobs_model.Sort)) or "created")
    since = asked.since("since", asking.now)
    limit = asked.limit(_ROWS)
    if asked.flag("stuck"):
        _require_phase(asking.manager, phase)
        return _stuck(asking)
    prefix = asked.text("prefix") or ""
    found = jobs_model.jobs(
        asking.manager,
        phases=[phase] if phase else (),
        outcome=outcome,
        lifecycle=lifecycle,
        prefix=prefix,
        since=since,
        sort=sort,
        limit=limit,
    )
    if not found.jobs and not found.unreadable:  # a job of another lifecycle has phases of its own
        _require_phase(asking.manager, phase)
        _require_lifecycle(asking.manager, lifecycle)
    notes = found.unreadable
    if found.more:
        count, total = len(found.jobs), found.total
        first = counted(count, "jobs") if total is None else f"{count} of {counted(total, 'jobs')}"
        notes += (f"the first {first}: filter them, or raise the limit",)
    if found.unknown:
        unknown = counted(found.unknown, "jobs")
        notes += (f"not in the list: {unknown} of which nothing here tells the outcome",)
    return Answer(
        view=found,
        page=jobs_model.jobs_page(found),
        lines=Lines(kind=jobs_model.JobLine, lines=found.jobs),
        notes=notes,
        missed=None if found.jobs else _no_job(asking.manager, asked.told(_OF_JOBS)),
        facets=facets_model.facets(
            asking.manager,
            phase=phase or "",
            outcome=outcome,
            lifecycle=lifecycle or "",
            prefix=prefix,
            since=since,
        ),
    )


def _stuck(asking: Asking) -> Answer:
    view = jobs_model.stuck(asking.manager, now=asking.now)
    notes = (*view.unknown, *view.unreadable)
    if others := asking.asked.told(_OF_JOBS):
        notes += (f"among all jobs, whatever else was asked for: {others}",)
    return Answer(
        view=view,
        page=jobs_model.stuck_page(view),
        lines=Lines(kind=jobs_model.StuckLine, lines=view.jobs),
        notes=notes,
        missed=None if view.jobs else _no_job(asking.manager, "jobs left by their holders"),
    )


def _no_job(manager: StateManager, chosen: str) -> Missed:
    """That no job is as it was `chosen`, of how many there are, where that can be told."""
    try:
        count = manager.count_jobs()
    except StoreUnreadable:  # which jobs there are, only a look at all tells
        return Missed(told="no job matched", looked_for=chosen)
    if not count:
        return Missed(told="there are no jobs in this store")
    return Missed(told=_none_of(counted(count, "jobs")), looked_for=chosen)


def _none_of(all_of_them: str) -> str:
    return f"none of {all_of_them} matched"


def _require_phase(manager: StateManager, phase: str | None) -> None:
    """Raise QueryUnfitError for a phase that no lifecycle at hand has."""
    known = dict.fromkeys(
        state for each in manager.lifecycles for state in each.machines[each.root].states
    )
    require_among("phase", (phase,) if phase else (), known)


def _require_lifecycle(manager: StateManager, lifecycle: str | None) -> None:
    """Raise QueryUnfitError for a lifecycle that is not at hand and that no job runs by."""
    known = sorted({each.name for each in manager.lifecycles})
    if lifecycle is None or lifecycle in known:
        return
    if not manager.list_jobs(lifecycle=lifecycle, limit=1, on_error=lambda _: None):
        require_among("of", (lifecycle,), known)


def _facets(asking: Asking) -> Answer:
    facets = _jobs(asking).facets
    if facets is None:
        raise QueryUnfitError("jobs that were left by their holders are not counted by choices")
    return Answer(view=facets, page=())


def _show(asking: Asking) -> Answer:
    view = show_model.show(asking.manager, asking.job, now=asking.now)
    newest = history_model.history(asking.manager, asking.job, limit=_NEWEST)
    if not asking.payloads:
        view, newest = show_hidden(view), history_hidden(newest)
    return Answer(
        view=view, page=show_model.show_page(view), around=history_model.history_page(newest)
    )


def _items(asking: Asking) -> Answer:
    asked = asking.asked
    first, last = asked.number("first", 0), asked.number("last", MAX_COUNT)
    states = asked.texts("state")
    ledgers = asking.manager.get_state(asking.job).ledgers.values()
    known = dict.fromkeys(state for each in ledgers for state in each.machine.states)
    require_among("state", states, known)
    view = items_model.items(
        asking.manager,
        asking.job,
        states=states,
        failed=asked.flag("failed"),
        key=asked.text("key"),
        span=(first, last),
        limit=asked.limit(_ROWS),
    )
    notes: tuple[str, ...] = ()
    missed = None
    if len(view.items) < view.matched:
        notes = (f"the first {len(view.items)} of {items_counted(view.matched)}",)
    elif not view.total:
        missed = Missed(told="the job has no items")
    elif not view.matched:
        missed = Missed(
            told=_none_of(items_counted(view.total)),
            looked_for=asked.told(_OF_ITEMS, flag="failed"),
        )
    cells = grid_model.grid(asking.manager, asking.job)
    return Answer(
        view=view,
        page=items_model.items_page(view),
        lines=Lines(kind=items_model.ItemLine, lines=view.items),
        notes=notes,
        missed=missed,
        grid=cells,
    )


def _grid(asking: Asking) -> Answer:
    view = grid_model.grid(asking.manager, asking.job)
    lines = Lines(kind=grid_model.GridCell, lines=view.cells)
    return Answer(view=view, page=(), lines=lines, grid=view)


def _failures(asking: Asking) -> Answer:
    each = asking.asked.flag("each")
    limit = asking.asked.limit(_ROWS)
    view = failures_model.failures(asking.manager, asking.job, each=each, limit=limit)
    notes: tuple[str, ...] = ()
    if view.each and len(view.each) < view.count:
        notes = (f"the newest {len(view.each)} of {counted(view.count, 'failures')}",)
    lines = Lines(kind=failures_model.GroupLine, lines=view.groups)
    if view.each is not UNSET:
        lines = Lines(kind=failures_model.ItemFailure, lines=view.each)
    return Answer(
        view=view,
        page=failures_model.failures_page(view),
        lines=lines,
        notes=notes,
        missed=None if view.count else Missed(told="no failures"),
    )


def _plan(asking: Asking) -> Answer:
    keys = asking.asked.number("keys", _KEYS, most=MOST_ROWS)
    failed = asking.asked.flag("failed")
    scope = Scope.failed() if failed else Scope.all()
    view = plan_model.plan(asking.manager, asking.job, scope=scope, keys=keys)
    view = view if asking.payloads else plan_hidden(view)
    missed = None if view.work_left else Missed(told="nothing is left to do")
    if missed and failed:
        count = asking.manager.get_state(asking.job).items.count
        missed = Missed(
            told=_none_of(items_counted(count)),
            looked_for=asking.asked.told(_OF_ITEMS, flag="failed"),
        )
    notes: tuple[str, ...] = ()
    if view.changes_nothing and view.work_left:
        notes = ("nothing to change: a run does what is left",)
    return Answer(view=view, page=plan_model.plan_page(view), notes=notes, missed=missed)


def _history(asking: Asking) -> Answer:
    asked = asking.asked
    after, last = asked.number("after", 0), asked.number("upto", MAX_COUNT, least=1)
    upto = None if last == MAX_COUNT else last
    view = history_model.history(
        asking.manager, asking.job, after=after, upto=upto, limit=asked.limit(_ROWS)
    )
    view = view if asking.payloads else history_hidden(view)
    notes: tuple[str, ...] = ()
    if view.cut:
        notes = (f"the newest {counted(len(view.events), 'events')} of them",)
    return Answer(
        view=view,
        page=history_model.history_page(view),
        lines=Lines(kind=history_model.HistoryLine, lines=view.events),
        notes=notes,
        missed=None
        if view.events
        else _no_commit(asking, after, upto if asked.text("upto") else None),
        timeline=timeline_model.timeline(asking.manager, asking.job, now=asking.now),
    )


def _no_commit(asking: Asking, after: int, upto: int | None) -> Missed:
    newest = asking.manager.summary(asking.job)
    told = history_model.nothing_there(newest, after=after, upto=upto)
    return Missed(told=told, looked_for=asking.asked.told(_OF_COMMITS))


def _timeline(asking: Asking) -> Answer:
    view = timeline_model.timeline(asking.manager, asking.job, now=asking.now)
    lines = Lines(kind=timeline_model.PhaseStay, lines=view.stays)
    return Answer(view=view, page=timeline_model.timeline_page(view), lines=lines)


def _changes(asking: Asking) -> Answer:
    manager, job = asking.manager, asking.job
    after = asking.asked.moment("b", manager, job) or manager.summary(job).seq
    before = asking.asked.moment("a", manager, job) or max(after - 1, 1)
    if before > after:
        raise QueryUnfitError(f"commit {before} is after commit {after}: a is the earlier one")
    view = changes_model.changes(asking.manager, asking.job, before, after, keys=_KEYS)
    view = view if asking.payloads else changes_hidden(view)
    return Answer(
        view=view,
        page=changes_model.changes_page(view),
        lines=Lines(kind=changes_model.ChangedItems, lines=view.items),
        commits=(before, after),
    )


STORE_PAGES: Final[Mapping[str, Callable[[Asking], Answer]]] = {"jobs": _jobs, "facets": _facets}
"""The pages of a store, by name."""

JOB_PAGES: Final[Mapping[str, Callable[[Asking], Answer]]] = {
    "show": _show,
    "items": _items,
    "grid": _grid,
    "failures": _failures,
    "plan": _plan,
    "history": _history,
    "timeline": _timeline,
    "changes": _changes,
}
"""The pages of one job, by name."""

DATA_ALONE: Final = frozenset({"facets", "grid", "timeline"})
"""Data that stands on the page of another name."""
