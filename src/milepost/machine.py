"""The types of compiled lifecycles, the step they take and the refusals they raise: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, is_dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol, TypeAlias

from milepost.integers import BEYOND, LARGEST_INT, LEAST_INT, beyond
from milepost.refusals import (
    ContextInvalid,
    GuardRefusal,
    InvariantBroken,
    MilepostError,
    PayloadInvalid,
    TransitionRefused,
    Values,
)
from milepost.roles import NO_ROLES, Roles
from milepost.text.wording import one_line, short_repr, shown

__all__ = [
    "LARGEST_INT",
    "LEAST_INT",
    "Collection",
    "ContextInvalid",
    "Event",
    "Field",
    "GuardRefusal",
    "Invariant",
    "InvariantBroken",
    "Lifecycle",
    "Machine",
    "MachineUpgrade",
    "MemberEvent",
    "MilepostError",
    "Payload",
    "PayloadInvalid",
    "Select",
    "Signal",
    "State",
    "Step",
    "Transition",
    "TransitionRefused",
    "TypedContext",
    "TypedState",
    "Upgrade",
    "Values",
    "Variable",
    "frozen",
]

_MISSING: Final = object()
_ALL: Final = ("*",)  # no invariant can have that name
_PLAIN: Final = frozenset((str, int, bool))
_CONSTANT_TYPES: Final[Mapping[str, type]] = {"int": int, "bool": bool, "str": str, "bytes": bytes}


def frozen(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A read-only view of a copy of `values`."""
    return MappingProxyType(dict(values))


@short_repr
class MemberEvent(NamedTuple):
    """An event that every member of `collection` in `state` takes as part of its owner's step."""

    collection: str
    state: str
    event: str


@short_repr
class Step(NamedTuple):
    """The effect of one event: the state and context after it, and the transition.

    `members` holds the events that the owner's members take in the same step, in the order
    of the definition.
    """

    state: str
    context: Values
    transition: str
    members: tuple[MemberEvent, ...]


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Field:
    """One field of an event's payload.

    `type` is `bool`, `int`, `str`, `json`, `bytes`, `timestamp` or the name of an enum, whose
    `members` are then given. Guards may read a field only if it is a bool, an int or an enum.
    """

    name: str
    type: str
    members: tuple[str, ...] = ()
    default: object = _MISSING
    doc: str = ""
    readable: bool = field(init=False, repr=False, compare=False)
    """True if guards may read the field; the others are carried and never looked at."""

    def __post_init__(self) -> None:
        readable = bool(self.members) or self.type in ("bool", "int")
        object.__setattr__(self, "readable", readable)

    @property
    def required(self) -> bool:
        """True if a payload must give the field."""
        return self.default is _MISSING


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Event:
    """One event of a machine, with the fields of its payload in definition order."""

    name: str
    doc: str = ""
    fields: tuple[Field, ...] = ()


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class State:
    """One state of a machine."""

    name: str
    doc: str = ""
    final: bool = False


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Variable:
    """One context variable of a machine: a `param` is fixed at creation, others only `set` changes.

    `where` is the source text of the condition on a param, `holds` the same as a function of
    the whole context.
    """

    name: str
    type: str
    members: tuple[str, ...] = ()
    param: bool = False
    initial: object = _MISSING
    where: str = ""
    holds: Callable[[Values], bool] | None = None
    doc: str = ""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Transition:
    """One row of the table: in `source`, on `event`, if `guard` allows, to `target`.

    `guard` is source text, `""` where none; `when` is what a drawing says in its place, where that
    is shorter: without the condition that a history adds, and `otherwise` for a long negation.
    `guards` names the named guards in `guard` and `reads` the context entries and `event.` fields
    that it reads. `assign` gives the context after the
    row, from the context and payload before it; None where nothing changes; `sets` says the same
    as source text, entry by entry. `history` is the
    group whose remembered member decided the target. `ignored` rows change nothing.
    `uses_payload` says that the guard or what is assigned depends on the payload.
    """

    id: str
    source: str
    event: str
    target: str
    guard: str = ""
    when: str = ""
    guards: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    members: tuple[MemberEvent, ...] = ()
    history: str = ""
    ignored: bool = False
    uses_payload: bool = False
    sets: tuple[tuple[str, str], ...] = ()
    assign: Callable[[Values, Values], Values] | None = None


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Invariant:
    """A condition that must hold in `states`, or in every state where that is None.

    `holds` says whether it does, of a state and a context; elsewhere it always does. `text` is its
    source, `""` in tables of an older compiler, and `reads` names the context entries in it.
    """

    name: str
    holds: Callable[[str, Values], bool]
    text: str = ""
    states: tuple[str, ...] | None = None
    reads: tuple[str, ...] = ()

    def values(self, context: Values) -> Values:
        """The entries of `context` that it reads, those that are there."""
        return {name: context[name] for name in self.reads if name in context}


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Collection:
    """The members that a machine owns: which machine they run by, and what the owner accepts.

    `accepts` maps a state of the owner to the members' events that are legal in it. `grows` are
    the owner's states in which members may be added, in definition order. Tables that were
    generated before they said so have None: it follows from what the owner accepts.
    """

    name: str
    machine: str
    accepts: Mapping[str, tuple[str, ...]]
    grows: tuple[str, ...] | None = None


@dataclass(slots=True, init=False, repr=False, match_args=False)
class TypedContext:
    """A context with typed attributes, which generated classes add: a read-only view.

    Views are equal if their classes and whole contexts are. `values` is kept, not copied, and must
    not change any more. Private slots behind properties cost as little to fill as plain
    attributes, and cannot be assigned from outside.
    """

    _values: Values

    def __init__(self, values: Values) -> None:
        self._values = values

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._values)!r})"

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))


@dataclass(slots=True, init=False, repr=False, match_args=False)
class TypedState:
    """A state with its context, whose legal events generated classes add as methods: immutable.

    States are equal if their classes and contexts are; `transition` is the id of the row that led
    here, `""` in a state that no step led to. `values` is kept, not copied, and must not change.
    """

    _values: Values
    _row: Transition | None = field(compare=False)

    def __init__(self, values: Values, row: Transition | None = None) -> None:
        self._values = values
        self._row = row

    def values(self) -> Values:
        """The context as the generic surface has it, read-only."""
        return MappingProxyType(self._values)

    @property
    def transition(self) -> str:
        """The id of the transition that led here, or `""`."""
        return "" if self._row is None else self._row.id

    def __repr__(self) -> str:
        return f"{type(self).__name__}({dict(self._values)!r})"

    def __hash__(self) -> int:
        return hash((type(self), frozenset(self._values.items())))


class Payload(Protocol):
    """A generated payload dataclass: its fields are those of the event's payload."""

    __dataclass_fields__: ClassVar[dict[str, Any]]  # Any: as the standard library declares it

    @property
    def event(self) -> str:
        """The event's name."""
        ...


@dataclass(frozen=True, slots=True)
class Signal:
    """The base of the generated classes of events without payload."""


Select: TypeAlias = Callable[[Values, Values], Transition | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Machine:
    """One machine of a compiled lifecycle.

    `states`, `events` and `final` are names in definition order. `rows` maps a state and an
    event to the generated function that picks the transition, or None where its guards refuse.
    `roles` say what its parts mean; no step depends on them, and no digest. `invariants` must
    hold, and `invariant_specs` tells of each; a step looks at those that are `enforced`. The
    others are proved to hold of every run, so that no step can break them.
    Instances are shared and hold nothing about any job: a state and a context are all that a
    running machine is.
    """

    name: str
    doc: str
    initial: str
    final: tuple[str, ...]
    states: tuple[str, ...]
    events: tuple[str, ...]
    state_specs: Mapping[str, State]
    event_specs: Mapping[str, Event]
    variables: tuple[Variable, ...]
    guards: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]
    collections: Mapping[str, Collection]
    transitions: tuple[Transition, ...]
    rows: Mapping[str, Mapping[str, Select]]
    entries: Mapping[str, object]  # initial values that are no variables: members' counts, history
    invariants: Mapping[str, Callable[[str, Values], bool]]
    roles: Roles = NO_ROLES
    invariant_specs: Mapping[str, Invariant] = field(default_factory=dict)
    enforced: tuple[str, ...] = _ALL
    owned: tuple[str, ...] = field(init=False)  # what steps may set: no parameters, no counts
    declared: Mapping[str, tuple[Invariant, ...]] = field(init=False, repr=False)
    """By state, the invariants that say something of it."""
    watched: Mapping[str, tuple[Invariant, ...]] = field(init=False, repr=False)
    """By state, the invariants that a step into it looks at; empty where none is enforced."""
    _by_pair: Mapping[tuple[str, str], tuple[Transition, ...]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        pairs: dict[tuple[str, str], tuple[Transition, ...]] = {}
        for row in self.transitions:
            pairs[row.source, row.event] = (*pairs.get((row.source, row.event), ()), row)
        remembered = (name for name in self.entries if name.startswith("history."))
        owned = (*(v.name for v in self.variables if not v.param), *remembered)
        object.__setattr__(self, "owned", owned)
        object.__setattr__(self, "_by_pair", pairs)
        enforced = tuple(self.invariants) if self.enforced is _ALL else self.enforced
        told = {name: self._told(name, holds) for name, holds in self.invariants.items()}
        declared = {state: _in_state(told.values(), state) for state in self.states}
        watched = {
            state: tuple(one for one in of if one.name in enforced)
            for state, of in declared.items()
        }
        object.__setattr__(self, "enforced", enforced)
        object.__setattr__(self, "invariant_specs", told)
        object.__setattr__(self, "declared", declared)
        object.__setattr__(self, "watched", {state: of for state, of in watched.items() if of})

    def __repr__(self) -> str:
        told = f"{len(self.states)} states, {len(self.events)} events"
        return one_line(f"<Machine {self.name}: {told}, {len(self.transitions)} transitions>")

    def context(self, /, **params: object) -> Values:
        """The initial context: the parameters given, defaults for the rest, initial values.

        Raises ContextInvalid where a parameter is unknown, missing, of a wrong type or refused
        by its `where`, InvariantBroken where a machine that begins so breaks an invariant. What an
        invariant says of members' numbers is left to whoever counts them.
        """
        values = self.fresh(**params)
        for one in self.declared.get(self.initial, ()):
            if not self._counts(one, self.collections) and not one.holds(self.initial, values):
                raise self.broken(one, self.initial, values)
        return values

    def fresh(self, /, **params: object) -> Values:
        """The initial context as `context` gives it, but that no invariant is looked at.

        So began whatever is stored, also from before invariants were enforced. Raises
        ContextInvalid.
        """
        values: dict[str, object] = {}
        known = {variable.name: variable for variable in self.variables if variable.param}
        for name in params:
            if name not in known:
                listed = ", ".join(known) or "none"
                raise ContextInvalid(
                    machine=self.name,
                    name=name,
                    problem=f"no such parameter (there are: {listed})",
                )
        for variable in self.variables:
            value = params.get(variable.name, variable.initial)
            if value is _MISSING:
                raise self._param(variable, "is missing and has no default")
            problem = _type_problem(variable.type, variable.members, value)
            if problem:
                raise self._param(variable, problem)
            values[variable.name] = _plain(value)
        values.update(self.entries)
        for variable in self.variables:
            if variable.holds is not None and not variable.holds(values):
                given = shown(values[variable.name])
                raise self._param(variable, f"{given} does not satisfy {variable.where}")
        return values

    def payload(self, event: str, given: Values | Payload | None = None) -> Values:
        """`given` as a checked payload of `event`, defaults filled in, in definition order.

        `given` may be a mapping or a generated payload dataclass. Raises PayloadInvalid. That a
        `json` field really holds JSON is for the codec to check.
        """
        spec = self.event_specs.get(event)
        if spec is None:
            return {}  # `select` refuses the event itself
        if given is None:
            if not spec.fields:
                return {}
            given = {}
        elif type(given) is not dict:
            given = self._copied(event, given)
        checked: dict[str, object] = {}
        known = 0
        for part in spec.fields:
            name = part.name
            if name in given:
                value = given[name]
                known += 1
            elif part.default is _MISSING:
                raise self._field(event, f"field '{name}' is missing")
            else:
                value = part.default
                if value is not None and type(value) not in _PLAIN:
                    value = deepcopy(value)
            if part.type != "json":
                problem = _type_problem(part.type, part.members, value)
                if problem:
                    raise self._field(event, f"field '{name}' {problem}")
            checked[name] = value if part.type == "json" else _plain(value)
        if len(given) > known:
            unknown = next(name for name in given if name not in checked)
            named = f"'{unknown}'" if type(unknown) is str else shown(unknown)
            listed = ", ".join(checked) or "none"
            raise self._field(event, f"no such field {named} (there are: {listed})")
        return checked

    def _copied(self, event: str, given: Values | Payload) -> dict[str, Any]:
        """The fields of a payload that is no plain dict. Raises PayloadInvalid if it is none."""
        try:
            if isinstance(given, Mapping):
                return dict(given)
            named = getattr(given, "event", None)
            if not is_dataclass(given) or isinstance(given, type) or not isinstance(named, str):
                problem = f"{shown(given)} is neither a mapping nor a payload of this lifecycle"
                raise self._field(event, problem)
            if named != event:
                raise self._field(event, f"{type(given).__name__} is a payload of '{named}'")
            return {part.name: getattr(given, part.name) for part in fields(given)}
        except PayloadInvalid:
            raise
        except Exception as error:
            raise self._field(event, f"cannot be read: {shown(error)}") from error

    def allowed(self, state: str) -> tuple[str, ...]:
        """The events that have a row in `state`, in definition order; their guards may refuse."""
        rows = self.rows.get(state, {})
        return tuple(event for event in self.events if event in rows)

    def enabled(self, state: str, context: Values) -> tuple[str, ...]:
        """The events that `state` would take now, guards included, in definition order.

        An event whose guards read its payload counts as enabled.
        """
        return tuple(
            event
            for event in self.allowed(state)
            if self.uses_payload(state, event) or self.rows[state][event](context, {}) is not None
        )

    def of_pair(self, state: str, event: str) -> tuple[Transition, ...]:
        """The transitions of `state` and `event`, in definition order; none if it is illegal."""
        return self._by_pair.get((state, event), ())

    def uses_payload(self, state: str, event: str) -> bool:
        """True if what `event` does in `state` depends on its payload."""
        return any(row.uses_payload for row in self.of_pair(state, event))

    def select(self, state: str, event: str, context: Values, payload: Values) -> Transition:
        """The one transition that `event` takes in `state`. Raises TransitionRefused; O(1)."""
        try:
            decide = self.rows[state][event]
        except KeyError:
            raise self.refusal(state, event, context, payload) from None
        row = decide(context, payload)
        if row is None:
            raise self.refusal(state, event, context, payload)
        return row

    def step(self, state: str, event: str, context: Values, payload: Values) -> Step:
        """The step that `event` takes in `state`; O(1).

        Raises TransitionRefused; and InvariantBroken, which is one, if an invariant that is
        enforced does not hold of what was given, or would not after the step. What one says of
        the numbers of members that take an event in this very step is left to whoever counts them.
        """
        if self.watched:
            return self._watched_step(state, event, context, payload)
        try:
            decide = self.rows[state][event]
        except KeyError:
            raise self.refusal(state, event, context, payload) from None
        row = decide(context, payload)
        if row is None:
            raise self.refusal(state, event, context, payload)
        assign = row.assign
        after = context if assign is None else assign(context, payload)
        return tuple.__new__(Step, (row.target, after, row.id, row.members))  # a third cheaper

    def follow(self, state: str, event: str, context: Values, payload: Values) -> Step:
        """The step that the table alone gives, whatever invariants say: as a log is replayed.

        Raises TransitionRefused; O(1).
        """
        try:
            decide = self.rows[state][event]
        except KeyError:
            raise self.refusal(state, event, context, payload) from None
        row = decide(context, payload)
        if row is None:
            raise self.refusal(state, event, context, payload)
        assign = row.assign
        after = context if assign is None else assign(context, payload)
        return tuple.__new__(Step, (row.target, after, row.id, row.members))  # a third cheaper

    def check(self, state: str, context: Values) -> Values:
        """`context`, of which every invariant holds in `state`: proved ones are looked at, too.

        So is what parameters have to satisfy, since proofs rest on that. Raises InvariantBroken,
        and ContextInvalid.
        """
        for variable in self.variables:
            if variable.holds is not None and not variable.holds(context):
                given = shown(context[variable.name])
                raise self._param(variable, f"{given} does not satisfy {variable.where}")
        for one in self.declared.get(state, ()):
            if not one.holds(state, context):
                raise self.broken(one, state, context)
        return context

    def kept(self, row: Transition, context: Values) -> Values:
        """`context`, in which no invariant that is enforced is broken once `row` was taken.

        Raises InvariantBroken. As of `step`, those are left out that the members decide.
        """
        sent = [one.collection for one in row.members]
        for one in self.watched.get(row.target, ()):
            if not one.holds(row.target, context) and not self._counts(one, sent):
                raise self.broken(one, row.target, context, row)
        return context

    def broken(
        self, one: Invariant, state: str, context: Values, row: Transition | None = None
    ) -> InvariantBroken:
        """The error that says that `one` does not hold in `state`, to which `row` would lead."""
        return InvariantBroken(
            machine=self.name,
            state=state if row is None else row.source,
            event="" if row is None else row.event,
            allowed=self.allowed(state if row is None else row.source),
            invariant=one.name,
            holds=one.text,
            values=one.values(context),
            transition="" if row is None else row.id,
            target=state,
        )

    def _watched_step(self, state: str, event: str, context: Values, payload: Values) -> Step:
        row = self.select(state, event, context, payload)
        for one in self.watched.get(state, ()):
            if not one.holds(state, context):
                raise self.broken(one, state, context)
        after = context if row.assign is None else row.assign(context, payload)
        return Step(row.target, self.kept(row, after), row.id, row.members)

    def _counts(self, one: Invariant, collections: Iterable[str]) -> bool:
        """True if the invariant reads the numbers of members of any of `collections`, or may."""
        if not one.text:  # of tables that do not tell what it reads
            return any(True for _ in collections)
        return any(name.startswith(f"{each}.") for each in collections for name in one.reads)

    def refusal(
        self, state: str, event: str, context: Values, payload: Values, reason: str = ""
    ) -> TransitionRefused:
        """The error that says why `event` is refused in `state`."""
        guards = tuple(
            GuardRefusal(row.id, row.guard, _read(row, context, payload))
            for row in self.of_pair(state, event)
        )
        if not reason and state not in self.state_specs:
            reason = "there is no such state"
        elif not reason and event not in self.event_specs:
            reason = "there is no such event"
        return TransitionRefused(
            machine=self.name,
            state=state,
            event=event,
            allowed=self.allowed(state),
            guards=guards,
            reason=reason,
        )

    def _told(self, name: str, holds: Callable[[str, Values], bool]) -> Invariant:
        """The invariant as its table has it, or as far as a table of an older compiler tells."""
        spec = self.invariant_specs.get(name)
        return Invariant(name=name, holds=holds) if spec is None or spec.holds != holds else spec

    def _param(self, variable: Variable, problem: str) -> ContextInvalid:
        return ContextInvalid(machine=self.name, name=variable.name, problem=problem)

    def _field(self, event: str, problem: str) -> PayloadInvalid:
        return PayloadInvalid(machine=self.name, event=event, problem=problem)


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class MachineUpgrade:
    """The way of a machine's state and context from an earlier version to this one.

    `states` and `entries` lead from old names to those of now; what is not in them has none.
    `given` works out the values that the migration gives, from the old context. `roles` are those
    of the earlier version, by its names: facts that it wrote are read by them.
    """

    states: Mapping[str, str]
    entries: Mapping[str, str]
    given: Callable[[Values], Values] | None = None
    roles: Roles = NO_ROLES


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Upgrade:
    """The way of a job from an earlier version to this one, machine by machine.

    `verdict` is that of `milepost diff`: compatible, migrated or breaking. Where it is breaking
    there are no `machines`, and `report` says why.
    """

    version: int
    verdict: Literal["compatible", "migrated", "breaking"]
    machines: Mapping[str, MachineUpgrade] = field(default_factory=dict)
    report: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lifecycle:
    """A compiled lifecycle; `digest` is of its definition's meaning, in hexadecimal.

    `upgrades` are from earlier versions, by their digests. `root` is the one machine that no
    collection is of, `""` if there is none or more than one, and `collections` are its own.
    `certificate` names the file by which its machines leave proved invariants out, `""` for none;
    `watched` says that steps of some machine look at invariants.
    """

    name: str
    version: int
    digest: str
    doc: str
    enums: Mapping[str, tuple[str, ...]]
    machines: Mapping[str, Machine]
    upgrades: Mapping[str, Upgrade] = field(default_factory=dict)
    certificate: str = ""
    watched: bool = field(init=False)
    root: str = field(init=False)
    collections: Mapping[str, Collection] = field(init=False)

    def __post_init__(self) -> None:
        owned = {
            collection.machine
            for machine in self.machines.values()
            for collection in machine.collections.values()
        }
        roots = [name for name in self.machines if name not in owned]
        root = roots[0] if len(roots) == 1 else ""
        watched = any(machine.watched for machine in self.machines.values())
        object.__setattr__(self, "watched", watched)
        object.__setattr__(self, "root", root)
        object.__setattr__(
            self, "collections", self.machines[root].collections if root else frozen({})
        )

    def __repr__(self) -> str:
        return one_line(f"<Lifecycle {self.name} {self.version}>")


def _in_state(invariants: Iterable[Invariant], state: str) -> tuple[Invariant, ...]:
    """Those that say something of `state`."""
    return tuple(one for one in invariants if one.states is None or state in one.states)


def _read(row: Transition, context: Values, payload: Values) -> Values:
    return {
        name: payload.get(name[6:]) if name.startswith("event.") else context.get(name)
        for name in row.reads
    }


def _type_problem(type_name: str, members: tuple[str, ...], value: object) -> str:
    """What is wrong with `value` as a `type_name`, or `""`."""
    if members:
        if isinstance(value, str) and value in members:
            return ""
        return f"is {shown(value)}, not one of {', '.join(members)}"
    if type_name == "timestamp":
        wanted: type = int  # microseconds since 1970, UTC
    elif type_name in _CONSTANT_TYPES:
        wanted = _CONSTANT_TYPES[type_name]
    else:
        return ""  # json: the codec checks it as it encodes
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return f"is {shown(value)}, not of type {type_name}"
    if beyond(value):
        return f"is {shown(value)}, {BEYOND}"
    if isinstance(value, str) and not value.isascii() and not _encodes(value):
        return f"is {shown(value)}, text with a lone surrogate, which has no encoding"
    return ""


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _plain(value: Any) -> Any:  # Any: of the type that was declared
    """The text or the number that a member of an enum, or of another subclass, is a kind of."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int.__index__(value) if isinstance(value, int) else value
