"""Expressions of a definition, as values to work out, and the names that they may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

__all__ = ["BOOL", "INT", "Formula", "Scope", "Values", "Worked"]

Values: TypeAlias = Mapping[str, Any]
"""Values by name: int, bool, or the name of a member or state. Fields are `event.NAME`."""

Worked: TypeAlias = Callable[[Values], Any]
"""What works a value out, of those that it reads."""

INT: Final = "int"
BOOL: Final = "bool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """An expression: its text, what it reads, and its value for given names.

    A name that has no value there stands for itself, as members of enums and states do. `reads` are
    the names that it reads, `guards` those that it names itself, `numbers` the integers that are
    written in it or in its guards. `conditions` are the comparisons, and the truth values that are
    compared with nothing, of which it is put together with its guards, once each. `truth` is its
    value where that is plain from how it is written. `size` and `depth` are of its tree, with those
    of all guards that it uses.
    """

    text: str
    value: Worked
    reads: tuple[str, ...]
    guards: frozenset[str]
    numbers: frozenset[int]
    conditions: tuple[str, ...]
    truth: bool | None
    size: int
    depth: int

    def read(self, names: Values) -> dict[str, Any]:
        """The values that it reads, of those that are there."""
        return {name: names[name] for name in self.reads if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The names that an expression may use.

    `types` has those that can be read, dotted ones too, each `int`, `bool`, or one of `members`:
    the enums, and the histories, whose members are states. `guards` stand for their bodies.
    """

    types: Mapping[str, str]
    members: Mapping[str, tuple[str, ...]]
    guards: Mapping[str, Formula] = field(default_factory=dict)
