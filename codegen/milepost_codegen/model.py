"""The resolved lifecycle: frozen, every name bound, every row expanded to single transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.expressions.tree import GuardUse, Type, reads, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost.roles import Roles
    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Place

__all__ = [
    "Answers",
    "Assignment",
    "Collection",
    "Enum",
    "Event",
    "Field",
    "Group",
    "Guard",
    "History",
    "Invariant",
    "Json",
    "Lifecycle",
    "Machine",
    "MachineRoles",
    "MemberEvent",
    "Migration",
    "Progress",
    "State",
    "Transition",
    "Variable",
    "guards_in",
    "machine_named",
    "reads_in",
]

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | bool | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enum:
    """A declared enum."""

    type: Type
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A state; `perpetual` ones need no way to a final state.

    `was` is its name in an earlier version, or `""`, as for events, variables and fields.
    """

    name: str
    was: str
    doc: str
    final: bool
    perpetual: bool
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A context variable; `initial` is a param's default. None means that there is none."""

    name: str
    was: str
    type: Type
    doc: str
    param: bool
    initial: int | bool | str | None
    where: Expression | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a payload; `default` counts only where the field is not `required`."""

    name: str
    was: str
    type: Type
    doc: str
    required: bool
    default: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event with the fields of its payload."""

    name: str
    was: str
    doc: str
    fields: tuple[Field, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """A named guard."""

    name: str
    body: Expression
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A named set of states, in the order of the machine's states."""

    name: str
    states: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the machine remembers of a group: the state that was left last."""

    group: str
    states: tuple[str, ...]
    initial: str

    @property
    def entry(self) -> str:
        """The name of its context entry."""
        return f"history.{self.group}"

    @property
    def type(self) -> Type:
        """The type of that entry: an enum of the group's states, which no other enum is."""
        return Type(name=self.entry, members=self.states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Members that a machine owns; `accepts` maps owner states to members' events.

    `grows` are the states of the owner in which members may be added, whether the definition says
    so or it was inferred.
    """

    name: str
    machine: str
    states: tuple[str, ...]
    accepts: tuple[tuple[str, tuple[str, ...]], ...]
    grows: tuple[str, ...]
    place: Place

    @property
    def entries(self) -> tuple[str, ...]:
        """The names of its context entries: a count for each state and the total."""
        return (*(f"{self.name}.{state}" for state in self.states), f"{self.name}.total")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEvent:
    """An event that every member of `collection` in `state` takes with its owner's."""

    collection: str
    state: str
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A context entry and the value that it gets."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One transition: one source, one event, one target.

    `written` is the guard without what expansion added: None for none, and for `otherwise` the
    negation of the pair's other guards. `guard` is `written` and, if the target is remembered,
    the condition on the history. `history` is the group whose remembered state the target is,
    or `""`; `history_default` says that the row names a default for it. `row` is the row's index
    in the definition, shared by all transitions that it was expanded to, or None for what
    `ignored` lists.
    """

    id: str
    source: str
    event: str
    target: str
    written: Expression | None
    guard: Expression | None
    otherwise: bool
    assignments: tuple[Assignment, ...]
    members: tuple[MemberEvent, ...]
    history: str
    history_default: bool
    ignored: bool
    partial: bool
    doc: str
    row: int | None
    place: Place
    guard_place: Place

    @property
    def uses_payload(self) -> bool:
        """True if the guard or an assigned value reads the payload."""
        trees = [assignment.value for assignment in self.assignments]
        if self.guard is not None:
            trees.append(self.guard)
        return any(one.payload for tree in trees for one in reads(tree))


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """What must hold in `states`; everywhere if that is None."""

    name: str
    states: tuple[str, ...] | None
    holds: Expression
    doc: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The measures that every cycle without an `excepted` event decreases, lexicographically."""

    decreases: tuple[Expression, ...]
    excepted: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRoles:
    """The roles of a machine as tables have them, and where they are written.

    `inferred` names the parts that nobody wrote, such as `waiting`, `failure.cause` or
    `outcomes.STATE`. `places` and `keys` hold the places of values and keys, by their path within
    `roles`, with dots between its parts; `place` is that of the whole.
    """

    roles: Roles
    inferred: frozenset[str]
    place: Place
    places: Mapping[str, Place]
    keys: Mapping[str, Place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine; every tuple is in definition order, `ignored` transitions last.

    `roles` is None where the definition has none for it.
    """

    name: str
    doc: str
    initial: str
    states: tuple[State, ...]
    events: tuple[Event, ...]
    variables: tuple[Variable, ...]
    guards: tuple[Guard, ...]
    groups: tuple[Group, ...]
    histories: tuple[History, ...]
    collections: tuple[Collection, ...]
    transitions: tuple[Transition, ...]
    invariants: tuple[Invariant, ...]
    progress: Progress | None
    place: Place
    roles: MachineRoles | None = None

    @property
    def final(self) -> tuple[str, ...]:
        """The names of the final states."""
        return tuple(state.name for state in self.states if state.final)

    @property
    def pairs(self) -> dict[tuple[str, str], tuple[Transition, ...]]:
        """The transitions of each (state, event), by state, then event, in definition order."""
        found: dict[tuple[str, str], tuple[Transition, ...]] = {}
        for transition in self.transitions:
            pair = transition.source, transition.event
            found[pair] = (*found.get(pair, ()), transition)
        order = {state.name: index for index, state in enumerate(self.states)}
        events = {event.name: index for index, event in enumerate(self.events)}
        return dict(sorted(found.items(), key=lambda one: (order[one[0][0]], events[one[0][1]])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """How what is stored of one machine goes on: old names to those of this version.

    `values` are computed from the old context, by its own names; `old` are the types of those
    variables that this version does not tell. `retired` are ids of old transitions.
    """

    machine: str
    states: tuple[tuple[str, str], ...]
    events: tuple[tuple[str, str], ...]
    values: tuple[Assignment, ...]
    old: tuple[tuple[str, Type], ...]
    retired: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What jobs of version `version` need to go on under this one."""

    version: int
    answers: tuple[Answers, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """A whole lifecycle."""

    name: str
    version: int
    doc: str
    enums: tuple[Enum, ...]
    machines: tuple[Machine, ...]
    migrations: tuple[Migration, ...]


def machine_named(lifecycle: Lifecycle, name: str) -> Machine:
    """The machine of that name."""
    return next(one for one in lifecycle.machines if one.name == name)


def reads_in(tree: Expression | None) -> tuple[str, ...]:
    """What `tree` reads, through guards too, by first appearance; fields as `event.NAME`."""
    if tree is None:
        return ()
    return _distinct(one.key for one in reads(tree))


def guards_in(tree: Expression | None) -> tuple[str, ...]:
    """The named guards that `tree` uses, through guards too, by first appearance."""
    if tree is None:
        return ()
    return _distinct(node.name for node in walk(tree) if isinstance(node, GuardUse))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
