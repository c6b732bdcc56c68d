"""What is written short in a definition: one name for several states, one alone for a list."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from milepost.definition.problems import NotUnderstood, all_known, within

__all__ = [
    "OPAQUE",
    "READABLE",
    "groups_of",
    "in_row",
    "is_otherwise",
    "listed",
    "spread",
    "target_of",
    "text_of",
]

OPAQUE: Final = ("str", "json", "bytes", "timestamp")
"""The types that are carried and never read."""
READABLE: Final = ("bool", "int")
"""The types that expressions read, beside the enums."""


def listed(names: Any) -> list[str]:
    """Names that may stand as one alone, or in a list."""
    return [names] if isinstance(names, str) else list(names)


def text_of(value: Any) -> str:
    """What is written as a truth value or a number, as the text that it was."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def is_otherwise(when: Any) -> bool:
    """True for the guard that holds where no other of its pair does."""
    return isinstance(when, str) and when.strip() == "otherwise"


def target_of(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """The state that a row leads to, or the group whose history decides, and its default."""
    to = {"state": row["to"]} if isinstance(row["to"], str) else row["to"]
    return to.get("state") or "", to.get("history") or "", to.get("default") or ""


def groups_of(told: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """What each name that may stand for states stands for, in the order of the states.

    Groups first, then states, each for itself. Raises NotUnderstood.
    """
    states, groups = tuple(told["states"]), told.get("groups", {})
    found = {name: frozenset({name}) for name in states}
    names = {**dict.fromkeys(states), **groups}
    for name, parts in groups.items():
        with within(f"group '{name}'", "groups", name):
            all_known("state or group", parts, names)
    held = {name: listed(parts) for name, parts in groups.items()}
    try:
        for name in TopologicalSorter(held).static_order():
            if name in held:
                found[name] = frozenset().union(*(found[part] for part in held[name]))
    except CycleError as error:
        of, name, *_ = error.args[1]
        path = ("groups", name, held[name].index(of))
        raise NotUnderstood(f"group '{name}': it holds itself", path) from None
    order = {state: at for at, state in enumerate(states)}
    ordered = {name: tuple(sorted(found[name], key=order.__getitem__)) for name in groups}
    return {**ordered, **{name: (name,) for name in states}}


def spread(names: Any, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The states that names of states and groups stand for, in the order of the states."""
    named = listed(names)
    if len(named) == 1:  # as most rows have it
        return groups[named[0]]
    found = {state for name in named for state in groups[name]}
    return tuple(name for name in groups if name in found)


def in_row(at: int, row: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Say of what is raised in it that it is of that row, with its place among all from 0 on."""
    told = f"row {at + 1} ('{row['on']}' from {', '.join(listed(row['from']))})"
    return within(told, "transitions", at)
