"""The items that a caller gives: which list is of which collection, and what their keys are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from milepost import arguments
from milepost.items.blocks import Entry, entries_of
from milepost.job.state import JobState
from milepost.log.payloads import PayloadCodec
from milepost.machine import Lifecycle

__all__ = ["ItemList", "entries_for", "key_for", "lists_of", "one_list", "ordinal_of"]

ItemList: TypeAlias = Iterable[object] | Mapping[str, object]
"""Items as `entries_of` takes them."""

_SEPARATOR: Final = "/"  # no name of a collection has one


def lists_of(
    lifecycle: Lifecycle, items: ItemList | None, collections: Mapping[str, ItemList] | None
) -> dict[str, ItemList]:
    """The lists by collection, in definition order; one that was not given is left out.

    `items` are those of the one collection that the lifecycle has, `collections` are lists by the
    names of collections. Raises ArgumentInvalid for lists that it has no collection for.
    """
    known = tuple(lifecycle.collections)
    if items is not None:
        if collections is not None:
            arguments.refuse("items", items, "None where collections are given")
        name = _only(lifecycle, items)
        return {name: arguments.items("items", items)}
    if collections is None:
        return {}
    given = arguments.mapping("collections", collections)
    for name in given:
        if name not in known:
            listed = ", ".join(known) or "none"
            arguments.refuse("collections", name, f"a collection of {lifecycle.name} ({listed})")
    return {name: arguments.items("collections", given[name]) for name in known if name in given}


def one_list(lifecycle: Lifecycle, items: ItemList, collection: str | None) -> str:
    """The collection that `items` are to be added to. Raises ArgumentInvalid if none is meant."""
    known = tuple(lifecycle.collections)
    if collection is None and len(known) < 2:
        return _only(lifecycle, items)
    return str(arguments.choice("collection", collection, known))


def entries_for(
    lifecycle: Lifecycle, collection: str, items: ItemList, payloads: PayloadCodec | None
) -> Iterator[Entry]:
    """Keys and values of `items`, checked as they are read, as the job is to have them.

    Where a lifecycle has several collections, a key has the name of its collection before it, as
    in `lines/7`: the items of a job have different keys, whichever collection they are of.
    """
    entries = entries_of(items, payloads)
    if len(lifecycle.collections) == 1:
        return entries
    return ((key_for(lifecycle, collection, key), value) for key, value in entries)


def key_for(lifecycle: Lifecycle, collection: str, key: str) -> str:
    """The key in a job of an item that has `key` in its collection, if it came now."""
    return key if len(lifecycle.collections) == 1 else f"{collection}{_SEPARATOR}{key}"


def ordinal_of(state: JobState, collection: str, key: str) -> int:
    """The ordinal of the item that a job has for a key of `entries_for`. Raises KeyError.

    An item that came while the lifecycle had this collection alone has kept its key, which has no
    collection before it.
    """
    try:
        return state.inputs.ordinal(key)
    except KeyError:
        start = f"{collection}{_SEPARATOR}"
        if len(state.ledgers) == 1 or not key.startswith(start):
            raise
        ordinal = state.inputs.ordinal(key.removeprefix(start))
        if ordinal not in state.ledgers[collection].universe:
            raise
        return ordinal


def _only(lifecycle: Lifecycle, items: ItemList) -> str:
    """The one collection of the lifecycle. Raises ArgumentInvalid where there is not one."""
    known = tuple(lifecycle.collections)
    if len(known) != 1:
        wanted = f"None (jobs of the lifecycle {lifecycle.name} have no items)"
        if known:
            wanted = f"None (of {lifecycle.name} give collections={{…}}: {', '.join(known)})"
        arguments.refuse("items", items, wanted)
    return known[0]
