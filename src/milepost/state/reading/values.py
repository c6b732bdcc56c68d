"""Values out of the bodies of commits: payloads, results, and results in an order of items."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

from milepost.log.facts import ItemsFired
from milepost.machine import Values
from milepost.roles import EventField
from milepost.worker.beside import as_stored

__all__ = ["in_order", "payloads_of", "result_value"]

_T = TypeVar("_T")

_RESULTS_HELD: Final = 65_536
_NOTHING: Final[Values] = {}


def payloads_of(fact: ItemsFired, body: Sequence[Any] | None) -> Iterator[tuple[int, Values, Any]]:
    """Each item of a fact, with the part of its payload that guards may read, and the rest.

    `body` is what the commit carries beside the fact, None where it carries nothing.
    """
    count = len(fact.ordinals)
    readable: Sequence[Values] = [_NOTHING] * count
    if fact.payloads:
        readable = fact.payloads
    opaque = body or [None] * count
    for ordinal, plain, more in zip(fact.ordinals, readable, opaque, strict=True):
        yield ordinal, plain, more or _NOTHING


def result_value(
    role: EventField, readable: Values, opaque: Values, stored: EventField | None = None
) -> Any:  # Any: JSON, or Stored
    """The result that an event brought, from both parts of its payload; None without a field.

    It is a Stored where the field of the role `stored` says that it is kept beside the log. Raises
    ValueError if that says nothing that can be followed.
    """
    if not role.field:
        return None
    if stored is not None and opaque.get(stored.field) is not None:
        return as_stored(opaque[stored.field])
    return readable[role.field] if role.field in readable else opaque[role.field]


def in_order(
    places: Iterable[tuple[int, int]],
    results_in: Callable[[int], dict[int, _T]],
) -> Generator[tuple[int, _T]]:
    """Ordinal and result of each item of `places`, with the commit that its result is in.

    An item whose commit is 0 has none, and is left out. `results_in` gives what one commit holds.
    What is not given yet is kept, up to 65,536 results: a commit is read again only if results were
    recorded further out of order than that.
    """
    held: OrderedDict[int, dict[int, _T]] = OrderedDict()
    count = 0
    for ordinal, seq in places:
        if not seq:
            continue
        if seq not in held:
            held[seq] = results_in(seq)
            count += len(held[seq])
            while count > _RESULTS_HELD and len(held) > 1:
                count -= len(held.popitem(last=False)[1])
        yield ordinal, held[seq].pop(ordinal)
        count -= 1
        if not held[seq]:
            del held[seq]
