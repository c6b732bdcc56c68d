"""Each page's answer: the view that the command line has too, and its blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milepost.arguments import MAX_COUNT
from milepost.inspect import changes as changes_model
from milepost.inspect import failures as failures_model
from milepost.inspect import grid as grid_model
from milepost.inspect import history as history_model
from milepost.inspect import items as items_model
from milepost.inspect import jobs as jobs_model
from milepost.inspect import plan as plan_model
from milepost.inspect import show as show_model
from milepost.inspect.page import Page
from milepost.inspect.view import View
from milepost.state.manager import StateManager
from milepost.state.recovering.scope import Scope
from milepost.web.asking import MOST_ROWS, Asked, QueryUnfitError
from milepost.web.hiding import changes_hidden, history_hidden, plan_hidden, show_hidden

__all__ = ["JOB_PAGES", "Answer", "Asking", "jobs_answer"]

_ROWS: Final = 100
_NEWEST: Final = 20
_KEYS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a page shows: its `view`, the blocks of it, and what stands beside them.

    `notes` say what is cut. `around` is the newest history on the page of a job, `grid` the cells
    on that of its items, `commits` are the two ends of a comparison.
    """

    view: View
    page: Page
    notes: tuple[str, ...] = ()
    around: Page = ()
    grid: grid_model.GridView | None = None
    commits: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Whom and what to ask: the store, the query, the time; and whether payloads are shown."""

    manager: StateManager
    asked: Asked
    now: datetime
    payloads: bool = False
    job: str = ""


def jobs_answer(asking: Asking) -> Answer:
    """The jobs of the store, filtered by the query; or those that their holders left."""
    asked = asking.asked
    if asked.flag("stuck"):
        view = jobs_model.stuck(asking.manager, now=asking.now)
        told = (*view.unknown, *view.unreadable)
        return Answer(view=view, page=jobs_model.stuck_page(view), notes=told)
    limit = asked.limit(_ROWS)
    found = jobs_model.jobs(
        asking.manager,
        phases=[phase] if (phase := asked.text("phase")) else (),
        lifecycle=asked.text("of"),
        prefix=asked.text("prefix") or "",
        limit=limit,
    )
    notes = found.unreadable
    if found.more:
        of = "" if found.total is None else f" of {found.total}"
        notes += (f"the newest {len(found.jobs)}{of} jobs: filter them, or raise the limit",)
    return Answer(view=found, page=jobs_model.jobs_page(found), notes=notes)


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
    view = items_model.items(
        asking.manager,
        asking.job,
        states=asked.texts("state"),
        failed=asked.flag("failed"),
        key=asked.text("key"),
        span=(first, last),
        limit=asked.limit(_ROWS),
    )
    notes: tuple[str, ...] = ()
    if len(view.items) < view.matched:
        notes = (f"the first {len(view.items)} of {view.matched} items",)
    elif not view.matched:
        notes = (f"none of the {view.total} items",)
    cells = grid_model.grid(asking.manager, asking.job)
    return Answer(view=view, page=items_model.items_page(view), notes=notes, grid=cells)


def _grid(asking: Asking) -> Answer:
    view = grid_model.grid(asking.manager, asking.job)
    return Answer(view=view, page=(), grid=view)


def _failures(asking: Asking) -> Answer:
    each = asking.asked.flag("each")
    limit = asking.asked.limit(_ROWS)
    view = failures_model.failures(asking.manager, asking.job, each=each, limit=limit)
    notes: tuple[str, ...] = ()
    if not view.count:
        notes = ("no failures",)
    elif view.each and len(view.each) < view.count:
        notes = (f"the newest {len(view.each)} of {view.count} failures",)
    return Answer(view=view, page=failures_model.failures_page(view), notes=notes)


def _plan(asking: Asking) -> Answer:
    keys = asking.asked.number("keys", _KEYS, most=MOST_ROWS)
    scope = Scope.failed() if asking.asked.flag("failed") else Scope.all()
    view = plan_model.plan(asking.manager, asking.job, scope=scope, keys=keys)
    view = view if asking.payloads else plan_hidden(view)
    notes = ("to take it up again changes nothing",) if view.changes_nothing else ()
    return Answer(view=view, page=plan_model.plan_page(view), notes=notes)


def _history(asking: Asking) -> Answer:
    asked = asking.asked
    after, upto = asked.number("after", 0), asked.number("upto", MAX_COUNT, least=1)
    view = history_model.history(
        asking.manager, asking.job, after=after, upto=upto, limit=asked.limit(_ROWS)
    )
    view = view if asking.payloads else history_hidden(view)
    notes: tuple[str, ...] = ()
    if view.cut:
        notes = (f"the newest {len(view.events)} events of them",)
    elif not view.events:
        notes = (f"no commit there: the job is at seq {view.seq}",)
    return Answer(view=view, page=history_model.history_page(view), notes=notes)


def _changes(asking: Asking) -> Answer:
    newest = asking.manager.summary(asking.job).seq
    after = asking.asked.number("b", newest, least=1)
    before = asking.asked.number("a", max(after - 1, 1), least=1)
    if before > after:
        raise QueryUnfitError(f"commit {before} is after commit {after}: a is the earlier one")
    view = changes_model.changes(asking.manager, asking.job, before, after, keys=_KEYS)
    view = view if asking.payloads else changes_hidden(view)
    return Answer(view=view, page=changes_model.changes_page(view), commits=(before, after))


JOB_PAGES: Final[Mapping[str, Callable[[Asking], Answer]]] = {
    "show": _show,
    "items": _items,
    "grid": _grid,
    "failures": _failures,
    "plan": _plan,
    "history": _history,
    "changes": _changes,
}
"""The pages of one job, by name."""
