"""The names that generated code uses for what a lifecycle declares."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.findings import Place
    from milepost_codegen.model import Lifecycle, Machine

__all__ = [
    "IMPORTED",
    "constant_name",
    "context_function",
    "enum_class",
    "event_enum",
    "guard_function",
    "payload_class",
    "public_names",
    "sorted_names",
    "state_enum",
    "step_function",
]

IMPORTED: Final = frozenset(
    {
        "Collection", "Event", "Field", "Final", "LIFECYCLE", "Lifecycle", "Machine", "Mapping",
        "MemberEvent", "Select", "State", "Step", "StrEnum", "Transition", "Values", "Variable",
        "bool", "bytes", "dataclass", "dict", "field", "frozen", "int", "list", "object",
        "property", "str",
    }
)  # fmt: skip


def enum_class(name: str) -> str:
    """The class of a declared enum."""
    return name if name[0].isupper() else _pascal(name)


def state_enum(machine: str) -> str:
    """The class that names a machine's states."""
    return f"{_pascal(machine)}StateName"


def event_enum(machine: str) -> str:
    """The class that names a machine's events."""
    return f"{_pascal(machine)}EventName"


def payload_class(machine: str, event: str) -> str:
    """The dataclass of an event's payload."""
    return _pascal(machine) + _pascal(event)


def guard_function(machine: str, guard: str) -> str:
    """The function that says whether a named guard allows."""
    return f"{machine}_{guard}"


def step_function(machine: str) -> str:
    """The typed step of a machine."""
    return f"{machine}_step"


def context_function(machine: str) -> str:
    """The typed way to a machine's initial context."""
    return f"{machine}_context"


def constant_name(name: str) -> str:
    """The constant that holds a machine, and the name of a member of an enum."""
    return name.upper()


def public_names(lifecycle: Lifecycle) -> Iterator[tuple[str, str, Place]]:
    """Every public name of the generated module, with what it stands for and where that is."""
    for enum in lifecycle.enums:
        yield enum_class(enum.type.name), f"the enum '{enum.type.name}'", enum.place
    for machine in lifecycle.machines:
        yield from _machine_names(machine)


def _machine_names(machine: Machine) -> Iterator[tuple[str, str, Place]]:
    name, place = machine.name, machine.place
    yield constant_name(name), f"the machine '{name}'", place
    yield state_enum(name), f"the states of '{name}'", place
    yield event_enum(name), f"the events of '{name}'", place
    yield step_function(name), f"the step of '{name}'", place
    yield context_function(name), f"the context of '{name}'", place
    for event in machine.events:
        if event.fields:
            what = f"the payload of '{event.name}' of '{name}'"
            yield payload_class(name, event.name), what, event.place
    for guard in machine.guards:
        what = f"the guard '{guard.name}' of '{name}'"
        yield guard_function(name, guard.name), what, guard.place


def sorted_names(names: list[str]) -> list[str]:
    """Names in the order of imports: constants, classes, the rest; numbers by their value."""
    return sorted(names, key=lambda name: (_rank(name), _natural(name)))


def _rank(name: str) -> int:
    if name.isupper() and len(name) > 1:
        return 0
    return 1 if name[0].isupper() else 2


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in re.split(r"(\d+)", name)
        if part
    ]


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
