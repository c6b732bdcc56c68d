"""What one source says of a job's items: the form in which sources are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from milepost.legacy.prodigy.values import (
    ItemStatus,
    OldAttempt,
    OldDeadLetter,
    OldResult,
    SourceKind,
)

__all__ = ["Account", "Claim", "position_of"]

_POSITIONAL: Final = re.compile(r"item_(0|[1-9][0-9]{0,8})")


def position_of(item_id: str) -> int | None:
    """The position that an id like `item_7` names, from 0; None for an id of another form."""
    found = _POSITIONAL.fullmatch(item_id)
    return int(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """That an item stood so at some time; `at` is None where no time of its own is known.

    `derived` is true where the source does not say so but leaves nothing else.
    """

    status: ItemStatus
    source: str
    at: datetime | None = None
    result: OldResult | None = None
    derived: bool = False


@dataclass(slots=True, kw_only=True)
class Account:
    """Filled while one source is read, and only read afterwards.

    `values` are by item id, in the order of the source; `listed` says that they are the whole
    input. `counted` are attempts that the source counts without telling of each.
    """

    kind: SourceKind
    source: str
    at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)  # Any: JSON
    listed: bool = False
    claims: dict[str, list[Claim]] = field(default_factory=dict)
    attempts: dict[str, list[OldAttempt]] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, OldDeadLetter] = field(default_factory=dict)
    total_items: int | None = None

    def claim(self, item_id: str, claim: Claim) -> None:
        """Note a claim."""
        self.claims.setdefault(item_id, []).append(claim)

    def attempt(self, item_id: str, attempt: OldAttempt) -> None:
        """Note an attempt."""
        self.attempts.setdefault(item_id, []).append(attempt)

    def count(self, item_id: str, attempts: int) -> None:
        """Note how many attempts there were, at least."""
        self.counted[item_id] = max(self.counted.get(item_id, 0), attempts)

    def item_ids(self) -> Iterable[str]:
        """Every id that the source names, in its order, each once."""
        return dict.fromkeys((*self.values, *self.claims, *self.attempts, *self.dead_letters))

    def forget(self, item_id: str) -> None:
        """Leave out all that the source says of an item, since it is not the same item."""
        for part in (self.values, self.claims, self.attempts, self.counted, self.dead_letters):
            part.pop(item_id, None)
