"""Which names an expression may use, and what they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.expressions.tree import GuardUse, Type

__all__ = ["Scope"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that one expression may use.

    `entries` are context entries by name, dotted ones (`items.pending`, `history.active`)
    included. `fields` are the payload's, None where there is no payload. `broken` names are known
    but could not be read; using them says nothing new. `hidden` maps names that exist, but not for
    this expression, to the reason.
    """

    entries: Mapping[str, Type] = field(default_factory=dict)
    guards: Mapping[str, GuardUse] = field(default_factory=dict)
    enums: tuple[Type, ...] = ()
    fields: Mapping[str, Type] | None = None
    broken: frozenset[str] = frozenset()
    hidden: Mapping[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have a history, whether this expression may read it or not."""
        known = (*self.entries, *self.hidden, *self.broken)
        return tuple(name[8:] for name in known if name.startswith("history."))
