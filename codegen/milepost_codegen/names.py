"""The names that generated code uses for what a lifecycle declares."""

from __future__ import annotations

import keyword
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.findings import Place
    from milepost_codegen.model import Lifecycle, Machine

__all__ = [
    "IMPORTED",
    "OF_CONTEXTS",
    "OF_STATES",
    "any_event",
    "any_state",
    "attribute",
    "constant_name",
    "context_class",
    "context_function",
    "counts_class",
    "enum_class",
    "event_enum",
    "guard_function",
    "handle_function",
    "handlers_class",
    "history_attribute",
    "legal_events",
    "member_event_class",
    "new_function",
    "of_function",
    "open_state",
    "open_states",
    "own_class",
    "payload_class",
    "public_names",
    "sorted_names",
    "state_class",
    "state_enum",
    "step_function",
    "take_function",
]

IMPORTED: Final = frozenset(
    {
        "Callable", "Collection", "Event", "Field", "Final", "LIFECYCLE", "Lifecycle", "Literal",
        "Machine", "Mapping", "MemberEvent", "NamedTuple", "Select", "Signal", "State", "Step",
        "StrEnum", "Transition", "TypeAlias", "TypedContext", "TypedState", "Values", "Variable",
        "bool", "bytes", "dataclass", "dict", "field", "frozen", "int", "list", "object",
        "property", "str",
    }
)  # fmt: skip
# What typed states have of their own, and what typed contexts are written with.
OF_STATES: Final = frozenset({"context", "members", "name", "transition", "values"})
OF_CONTEXTS: Final = frozenset({"bool", "int", "property"})


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
    """The class of an event, with the fields of its payload."""
    return _pascal(machine) + _pascal(event)


def state_class(machine: str, state: str) -> str:
    """The class of a machine that is in a state: a pending item is no event, so the state leads."""
    return _pascal(state) + _pascal(machine)


def own_class(machine: str, role: str) -> str:
    """A class that the module keeps to itself."""
    return f"_{_pascal(machine)}{_pascal(role)}"


def context_class(machine: str) -> str:
    """The typed view of a machine's context."""
    return f"{_pascal(machine)}Context"


def counts_class(machine: str, collection: str) -> str:
    """The typed view of how many members are in each state."""
    return _pascal(machine) + _pascal(collection)


def member_event_class(machine: str, collection: str) -> str:
    """The event that a step sends to the members of a collection."""
    return f"{counts_class(machine, collection)}Event"


def any_state(machine: str) -> str:
    """The union of all states' classes."""
    return f"Any{_pascal(machine)}"


def any_event(machine: str) -> str:
    """The union of all events' classes."""
    return f"{any_state(machine)}Event"


def open_state(machine: str) -> str:
    """The union of the states that need a handler."""
    return f"{_pascal(machine)}OpenState"


def legal_events(machine: str, state: str) -> str:
    """The union of the events that are legal in a state."""
    return f"{state_class(machine, state)}Event"


def handlers_class(machine: str) -> str:
    """The table of one handler per open state."""
    return f"{_pascal(machine)}Handlers"


def new_function(machine: str) -> str:
    """The function that gives a new machine in its initial state."""
    return f"{machine}_new"


def of_function(machine: str) -> str:
    """The function that turns a state's name and a context into a typed state."""
    return f"{machine}_of"


def take_function(machine: str) -> str:
    """The function that gives an event, whichever it is, to a state, whichever it is."""
    return f"{machine}_take"


def handle_function(machine: str) -> str:
    """The function that takes one step as a handler answers."""
    return f"{machine}_handle"


def attribute(name: str, kept: frozenset[str]) -> str:
    """`name` as an attribute, with `_` after it if it is one of `kept` or a keyword."""
    return f"{name}_" if keyword.iskeyword(name) or name in kept else name


def history_attribute(group: str) -> str:
    """The attribute of a context that says which state of a group was left last."""
    return f"history_{group}"


def open_states(machine: Machine) -> tuple[str, ...]:
    """The states that are not final and have a legal event: each needs a handler."""
    answering = {source for source, _ in machine.pairs}
    return tuple(
        state.name for state in machine.states if not state.final and state.name in answering
    )


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
    yield context_class(name), f"the typed context of '{name}'", place
    yield any_state(name), f"the union of the states of '{name}'", place
    yield new_function(name), f"the way to a new '{name}'", place
    yield of_function(name), f"the way to a typed '{name}'", place
    if machine.events:
        yield any_event(name), f"the union of the events of '{name}'", place
        yield take_function(name), f"the way to give any event to '{name}'", place
    if open_states(machine):
        yield open_state(name), f"the union of the open states of '{name}'", place
        yield handlers_class(name), f"the handlers of '{name}'", place
        yield handle_function(name), f"the handled step of '{name}'", place
    for event in machine.events:
        what = "payload of" if event.fields else "event"
        yield payload_class(name, event.name), f"the {what} '{event.name}' of '{name}'", event.place
    for guard in machine.guards:
        what = f"the guard '{guard.name}' of '{name}'"
        yield guard_function(name, guard.name), what, guard.place
    waiting = frozenset(open_states(machine))
    for state in machine.states:
        what = f"the state '{state.name}' of '{name}'"
        yield state_class(name, state.name), what, state.place
        if state.name in waiting:
            what = f"the events that are legal in '{state.name}' of '{name}'"
            yield legal_events(name, state.name), what, state.place
    for collection in machine.collections:
        what = f"'{collection.name}' of '{name}'"
        yield counts_class(name, collection.name), f"the collection {what}", collection.place
        what = f"an event sent to {what}"
        yield member_event_class(name, collection.name), what, collection.place


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
