"""Which integers are worth trying: constants that an entry meets, and their neighbours.

Two entries, or an entry and a field of a payload, are related where a comparison or an assignment
brings them together. All that are related share their constants.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions.tree import INT, Comparison, Number, Read, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.expressions import Expression
    from milepost_codegen.prove.system import Entry, Input, System, Value, Values

__all__ = ["Samples"]

_MOST_NUMBERS: Final = 24
_MOST_NEAR: Final = 8
_MOST_PAYLOADS: Final = 96


@dataclass(slots=True)
class _Classes:
    """What is related to what, and the constants of each class."""

    above: dict[str, str] = field(default_factory=dict)
    constants: dict[str, set[int]] = field(default_factory=dict)

    def of(self, name: str) -> str:
        while name in self.above:
            name = self.above[name]
        return name

    def join(self, names: Sequence[str], constants: Iterable[int]) -> None:
        if not names:
            return
        first = self.of(names[0])
        for name in names[1:]:
            other = self.of(name)
            if other != first:
                self.above[other] = first
                self.constants.setdefault(first, set()).update(self.constants.pop(other, ()))
        self.constants.setdefault(first, set()).update(constants)


class Samples:
    """The values to try for what a system leaves free, in a fixed order, small ones first."""

    def __init__(self, system: System, others: Iterable[Expression] = ()) -> None:
        self._classes = _Classes()
        self._entries = [one.name for one in system.entries if one.type == INT]
        for tree in (system.start, *others):
            self._relate(tree, "")
        for named in system.invariants.values():
            for tree in named.values():
                self._relate(tree, "")
        for move in system.moves:
            pair = f"{move.subject}:{move.event}"
            self._relate(move.guard, pair)
            for one in move.sets:
                self._relate(one.value, pair)
                if one.name in self._entries:
                    reads, constants = _integers(one.value, pair)
                    self._classes.join([one.name, *reads], constants)
        self._pools: dict[str, tuple[int, ...]] = {}

    def of_entry(self, entry: Entry) -> tuple[Value, ...]:
        """The values to try for a free entry."""
        if entry.type == INT:
            return self._pool(entry.name)
        return entry.type.members or (False, True)

    def of_inputs(
        self, subject: str, event: str, inputs: Sequence[Input], values: Values
    ) -> Iterator[Mapping[str, Value]]:
        """The payloads to try where the context is `values`."""
        if not inputs:
            return iter(({},))
        lists = [self._of_input(f"{subject}:{event}", one, values) for one in inputs]
        names = [one.name for one in inputs]
        tried = itertools.islice(itertools.product(*lists), _MOST_PAYLOADS)
        return (dict(zip(names, one, strict=True)) for one in tried)

    def _of_input(self, pair: str, one: Input, values: Values) -> Sequence[Value]:
        if one.type != INT:
            return one.type.members or (False, True)
        name = f"{pair}.{one.name}"
        root = self._classes.of(name)
        near = dict.fromkeys(self._pool(name))
        for entry in itertools.islice(
            (other for other in self._entries if self._classes.of(other) == root), _MOST_NEAR
        ):
            here = int(values[entry])
            near.update(dict.fromkeys((here, here + 1, here - 1)))
        return tuple(near)

    def _pool(self, name: str) -> tuple[int, ...]:
        root = self._classes.of(name)
        if root not in self._pools:
            found = {0, 1, -1, 2}
            for constant in self._classes.constants.get(root, ()):
                found.update((constant - 1, constant, constant + 1))
            ordered = sorted(found, key=lambda one: (abs(one), one < 0))
            self._pools[root] = tuple(ordered[:_MOST_NUMBERS])
        return self._pools[root]

    def _relate(self, tree: Expression, pair: str) -> None:
        for node in walk(tree):
            if isinstance(node, Comparison):
                self._classes.join(*_integers(node, pair))


def _integers(tree: Expression, pair: str) -> tuple[list[str], list[int]]:
    """The integer entries and fields that a tree reads, and its constants."""
    names: list[str] = []
    constants: list[int] = []
    for node in walk(tree):
        if isinstance(node, Read) and node.type == INT:
            names.append(f"{pair}.{node.name}" if node.payload else node.name)
        elif isinstance(node, Number):
            constants.append(node.value)
    return names, constants
