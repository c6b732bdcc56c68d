"""An old job in words of no tool: what a reader of files gives, and a log is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from milepost.items.inputs import Item
from milepost.legacy.telling.notes import Notes
from milepost.lifecycles.mapreduce import Cause, ItemEventName
from milepost.log.drafts import ReportLine
from milepost.text.wording import short_repr

__all__ = ["Act", "Move", "ToldItem", "ToldJob"]


@short_repr
class Move(NamedTuple):
    """One event of an item, by its name; `at` is None where no time of its own is known.

    `cause` and `message` are those of a `fail`: `error`, `timeout` or `executor_lost`.
    """

    event: str
    at: datetime | None = None
    cause: str = Cause.ERROR.value
    message: str = ""


@short_repr
class Act(NamedTuple):
    """One event of the job itself, by its name, with its payload; `at` is None if not known."""

    event: str
    at: datetime | None = None
    payload: Mapping[str, Any] = MappingProxyType({})  # Any: as the lifecycle has it


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToldItem:
    """An item: its key and value here, its old id, and its events in order, each legal in turn.

    `result` is what it gave, as JSON, where the last event is `succeed`.
    """

    item: Item
    old_id: str
    moves: tuple[Move, ...] = ()
    result: Any = None  # Any: JSON

    @property
    def settled(self) -> bool:
        """True if no attempt follows."""
        return bool(self.moves) and self.moves[-1].event in _SETTLING

    @property
    def dead(self) -> bool:
        """True if it was given up."""
        return bool(self.moves) and self.moves[-1].event == ItemEventName.GIVE_UP

    @property
    def attempts(self) -> int:
        """How many attempts it has had."""
        return sum(move.event == ItemEventName.START for move in self.moves)


_SETTLING = (ItemEventName.SUCCEED, ItemEventName.GIVE_UP, ItemEventName.SKIP)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToldJob:
    """An old job as far as its files tell it, under its old id.

    Args:
        tool: The tool that left it.
        repo: The project that it is of, `""` where there are none.
        old_id: Its id there.
        source: The old file that counted most; `""` where nothing can be read of the job.
        fingerprint: A digest of all that was read of it. As long as that is the same, so is this.
        report: What the reader had to say, in its order; `notes` is what turning it into a log
            has to.
        problem: Why no job can be made of it; `""` if one can. Then the rest does not count.
        items: In the order that they are to have here.
        mapping: False for a job whose items were not begun, and which is in setup.
        acts: What the job did after its items, each legal in turn.
        variables: Those that it begins with, as JSON.
        max_dead: How many items may be dead when the job goes on to reduce.
        has_reduce: Whether results are brought together in the end.
        started_at: When it began, and `updated_at`, when it was last heard of; None if not known.
        no_result: What stands for a result that is not known, or cannot be stored.

    """

    tool: str
    repo: str = ""
    old_id: str
    source: str
    fingerprint: str = ""
    report: tuple[ReportLine, ...] = ()
    notes: Notes
    problem: str = ""
    items: tuple[ToldItem, ...] = ()
    mapping: bool = True
    acts: tuple[Act, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    max_dead: int = 0
    has_reduce: bool = True
    started_at: datetime | None = None
    updated_at: datetime | None = None
    no_result: Any = None  # Any: JSON
