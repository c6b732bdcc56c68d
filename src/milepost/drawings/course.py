"""The way of a job, or of its items, through a machine, as its drawing shows it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from milepost.drawings.model import Label

__all__ = ["MARK", "NOWHERE", "Course"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The states and transitions that were gone through.

    `times` counts transitions by id. `current` has the line below the name of each state in which
    somebody is now; `caption` the lines below the drawing. What was not gone through is pale,
    where anything was.
    """

    times: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    visited: Collection[str] = ()
    current: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    caption: tuple[str, ...] = ()

    def taken(self, labels: Sequence[Label]) -> int:
        """The number of times that transitions of the labels were taken."""
        return sum(self.times.get(row, 0) for label in labels for row in label.rows)

    def text(self, label: Label) -> str:
        """A label with a mark at an event that has a role, and how often it was taken."""
        event, _, guard = label.text.partition(" ")
        marked = f"{event} {MARK}" if label.roles else event
        times = self.taken((label,))
        count = f"\N{MULTIPLICATION SIGN}{times}" if times else ""
        return " ".join(part for part in (marked, guard, count) if part)


MARK: Final = "\N{BULLET}"
"""The sign behind the name of an event that has a role."""

NOWHERE: Final = Course()
"""Nothing gone through: the drawing of a machine alone."""
