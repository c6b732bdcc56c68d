"""The model that a machine of `transitions` moves: a context, and what the last step did."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from milepost.machine import MemberEvent, Values

__all__ = ["Carrier"]


class Carrier:
    """A model for `to_transitions`; subclass it to add callbacks such as `on_enter_STATE`.

    `context` is replaced by every step that assigns, never changed in place. Whoever owns members
    keeps their counts: `model.context = {**model.context, "items.pending": 3}`. `transition` is
    the id of the row that was taken last, `""` before the first, and `members` the events that
    members take in that same step; nobody but the caller sends them. `transitions` adds `state`,
    a method for each event, `may_EVENT`, `is_STATE` and `trigger`.
    """

    def __init__(self, context: Values) -> None:
        self.context: Values = context
        self.transition: str = ""
        self.members: tuple[MemberEvent, ...] = ()
