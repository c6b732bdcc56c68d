"""The members of a job as one: those of several collections side by side, or of none.

All have ordinals of one space, so that whatever is kept by ordinal (keys, results, places) is kept
in one way, whichever collection a member is of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NoReturn, TypeAlias

from pyroaring import BitMap

from milepost.items.ledger import Ledger, Move, bitmap
from milepost.log.facts import SnapshotCell
from milepost.machine import Lifecycle, Machine, Values
from milepost.text.wording import short_repr

__all__ = [
    "Items",
    "Ledgers",
    "after",
    "create_items",
    "grown",
    "ledger_named",
    "parts_in",
    "restore_items",
    "united",
]


@short_repr
@dataclass(frozen=True, slots=True, repr=False)
class Ledgers:
    """The ledgers of several collections, or of none, by name in definition order.

    It answers for all members together, as a Ledger does for those of one collection; what is
    of one machine (its parameters, its variables) is to be asked of one of `by_name`.
    """

    by_name: Mapping[str, Ledger]

    @property
    def count(self) -> int:
        """How many members there are."""
        return sum(ledger.count for ledger in self.by_name.values())

    @property
    def universe(self) -> BitMap:
        """The ordinals of all members."""
        return united(ledger.universe for ledger in self.by_name.values())

    @property
    def machine(self) -> NoReturn:
        """There is no one machine. Raises AttributeError, which says where to ask."""
        raise self._of_one("machine")

    @property
    def params(self) -> NoReturn:
        """There are no shared parameters. Raises AttributeError, which says where to ask."""
        raise self._of_one("params")

    @property
    def cells(self) -> NoReturn:
        """There are no common cells. Raises AttributeError, which says where to ask."""
        raise self._of_one("cells")

    def counts(self) -> tuple[int, ...]:
        """How many members are in each state, collection after collection, in definition order."""
        return tuple(chain.from_iterable(ledger.counts() for ledger in self.by_name.values()))

    def members(self, *states: str) -> BitMap:
        """The ordinals of the members in any of `states`, whichever collection they are of."""
        return united(ledger.members(*states) for ledger in self.by_name.values())

    def parts(self, *states: str) -> list[BitMap]:
        """As of a Ledger."""
        return [part for ledger in self.by_name.values() for part in ledger.parts(*states)]

    def member(self, ordinal: int) -> tuple[str, Values]:
        """The state and context of one member. O(cells); raises KeyError if there is none."""
        return self.ledger_of(ordinal).member(ordinal)

    def marked(self, name: str) -> BitMap:
        """The members whose variable `name` is true. O(cells)."""
        return united(ledger.marked(name) for ledger in self.by_name.values())

    def enabled(self, event: str) -> BitMap:
        """The members that would take `event`, guards included. O(cells)."""
        return united(ledger.enabled(event) for ledger in self.by_name.values())

    def ledger_of(self, ordinal: int) -> Ledger:
        """The ledger of the collection that the member is of. Raises KeyError."""
        return self.by_name[self.collection_of(ordinal)]

    def collection_of(self, ordinal: int) -> str:
        """The name of the collection that the member is of. Raises KeyError."""
        for name, ledger in self.by_name.items():
            if ordinal in ledger.universe:
                return name
        raise KeyError(ordinal)

    def dump(self) -> list[SnapshotCell]:
        """The cells as they are stored, each state behind the name of its collection."""
        return [
            SnapshotCell(state=f"{name}.{cell.state}", values=cell.values, members=cell.members)
            for name, ledger in self.by_name.items()
            for cell in ledger.dump()
        ]

    def _of_one(self, what: str) -> AttributeError:
        listed = ", ".join(self.by_name)
        there = f"the collections {listed}: ask for the {what} of state.ledgers[…]"
        return AttributeError(f"a job with {there if listed else 'no collection has no ' + what}")


Items: TypeAlias = Ledger | Ledgers
"""The members of a job: of the one collection that it has, or of several or none."""


def united(sets: Iterable[BitMap]) -> BitMap:
    """The members of any of `sets`."""
    found = [each for each in sets if each]
    if len(found) == 1:
        return found[0]
    return BitMap.union(*found) if found else bitmap()


def create_items(lifecycle: Lifecycle, params: Values, count: int) -> Items:
    """The members of a new job of `lifecycle`: `count` of its one collection.

    `params` are those that the members share; of several collections, those of each by its name.
    Raises ValueError for a count where there is not one collection, ContextInvalid.
    """
    if len(lifecycle.collections) == 1:
        (collection,) = lifecycle.collections.values()
        machine = lifecycle.machines[collection.machine]
        return Ledger.create(machine, params, bitmap(range(count)))
    if count:
        problem = f"{count} items are of no collection: there are {len(lifecycle.collections)}"
        raise ValueError(problem)
    return Ledgers(
        {
            name: Ledger.create(
                lifecycle.machines[collection.machine], params.get(name, {}), bitmap()
            )
            for name, collection in lifecycle.collections.items()
        }
    )


def restore_items(
    lifecycle: Lifecycle, params: Values, count: int, cells: Iterable[SnapshotCell]
) -> Items:
    """The members whose `dump` gave `cells`. Raises ValueError if they are no partition."""
    fresh = create_items(lifecycle, params, 0)
    restored: Items
    if isinstance(fresh, Ledger):
        restored = Ledger.restore(fresh.machine, fresh.params, cells)
    else:
        by_name: dict[str, list[SnapshotCell]] = {name: [] for name in fresh.by_name}
        for cell in cells:
            name, _, state = cell.state.partition(".")
            if name not in by_name:
                raise ValueError(f"the lifecycle has no collection {name!r}")
            by_name[name].append(SnapshotCell(state, cell.values, cell.members))
        restored = Ledgers(
            {
                name: Ledger.restore(ledger.machine, ledger.params, by_name[name])
                for name, ledger in fresh.by_name.items()
            }
        )
    if restored.count != count or restored.universe != bitmap(range(count)):
        raise ValueError("its items are not a partition")
    return restored


def ledger_named(items: Items, collection: str) -> Ledger:
    """The ledger of one collection. Raises KeyError if there are several, and none of that name."""
    return items if isinstance(items, Ledger) else items.by_name[collection]


def parts_in(items: Items, states: Callable[[Machine], tuple[str, ...]]) -> list[BitMap]:
    """The members in the `states` that each machine names, in parts without any in common."""
    if isinstance(items, Ledger):
        return items.parts(*states(items.machine))
    ledgers = items.by_name.values()
    return [part for ledger in ledgers for part in ledger.parts(*states(ledger.machine))]


def grown(items: Items, collection: str, members: BitMap) -> Items:
    """With more `members` in one collection, in the initial state of its machine."""
    if isinstance(items, Ledger):
        return items.grown(members)
    return Ledgers({**items.by_name, collection: items.by_name[collection].grown(members)})


def after(items: Items, collection: str, moves: Iterable[Move]) -> Items:
    """The members after `moves` of those of one collection."""
    if isinstance(items, Ledger):
        return items.after(moves)
    return Ledgers({**items.by_name, collection: items.by_name[collection].after(moves)})
