"""Views without what the users' own code gave: its values, whose names stay."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec.structs import replace

from milepost.inspect.changes import ChangesView, ValueChange
from milepost.inspect.history import HistoryView
from milepost.inspect.plan import PlanView
from milepost.inspect.show import ShowView

__all__ = ["HIDDEN", "changes_hidden", "history_hidden", "plan_hidden", "show_hidden"]

HIDDEN: Final = "[hidden]"
"""What stands for a value."""


def show_hidden(view: ShowView) -> ShowView:
    """One job without what came with its phase, and without its variables."""
    entered = replace(view.entered, payload=_values(view.entered.payload))
    return replace(view, entered=entered, variables=_values(view.variables))


def history_hidden(view: HistoryView) -> HistoryView:
    """Events without what came with them."""
    events = (replace(each, payload=_values(each.payload)) for each in view.events)
    return replace(view, events=tuple(events))


def plan_hidden(view: PlanView) -> PlanView:
    """A plan without the variables that it keeps."""
    return replace(view, variables=_values(view.variables))


def changes_hidden(view: ChangesView) -> ChangesView:
    """What changed, without the variables' values."""
    return replace(view, variables=tuple(map(_change, view.variables)))


def _values(given: Mapping[str, Any]) -> Mapping[str, Any]:  # Any: JSON
    return dict.fromkeys(given, HIDDEN)


def _change(one: ValueChange) -> ValueChange:
    before = None if one.before is None else HIDDEN
    return replace(one, before=before, after=None if one.after is None else HIDDEN)
