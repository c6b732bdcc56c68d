"""What a generated module says of its machines, held against what stands in the definition.

Traces and rules show what steps do. They cannot show what no step depends on: roles, defaults that
are carried and never read, members of enums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from milepost import machine as tables
from milepost.definition import Collection, Definition, Field, Machine, Variable
from milepost.definition.notation import groups_of, listed, spread
from milepost.definition.parts import MISSING
from milepost.definition.roles import OF_STATES
from milepost.machine import Lifecycle
from milepost.roles import Roles
from milepost.testing.lifecycle.deciding import Part, decisions, ways

__all__ = ["unlike"]

_NOT_GIVEN: Final = tables.Variable(name="", type="int").initial
_BOUNDS: Final = {
    "attempts": {"counts": "attempts", "most": "max_attempts"},
    "crashes": {"marks": "suspect", "counts": "crashes", "most": "max_crashes"},
}


def unlike(
    lifecycle: Lifecycle,
    definition: Definition,
    earlier: Sequence[tuple[Lifecycle, Definition]] = (),
) -> list[str]:
    """What the module says and the definition does not, a sentence each.

    Roles are compared as far as the file has them: what is inferred of them is the compiler's. So
    are the ways from the `earlier` versions, but for those that the module refuses.
    """
    found = []
    enums = {name: listed(of) for name, of in definition.written.get("enums", {}).items()}
    parts = [
        Part("the machines", set(definition.machines), set(lifecycle.machines)),
        Part("the enums", enums, {name: list(of) for name, of in lifecycle.enums.items()}),
    ]
    for name in sorted(definition.machines.keys() & lifecycle.machines.keys()):
        plain, table = definition.machines[name], lifecycle.machines[name]
        written = definition.written["machines"][name]
        groups = {each: groups_of(written)[each] for each in written.get("groups", {})}
        said = [Part("the groups", groups, dict(table.groups))]
        said += [*_parts(plain, table), *_roles(written, table), *decisions(plain, table)]
        parts += [part._replace(what=f"{part.what} of {name}") for part in said]
    for before, old in earlier:
        upgrade = lifecycle.upgrades.get(before.digest)
        own = {} if upgrade is None else upgrade.machines
        for name, way in definition.ways_from(old).items():
            if name in own:
                led = ways(way, own[name], before.machines[name], lifecycle.machines[name])
                parts += [part._replace(what=f"{part.what} of {name}") for part in led]
    for what, file, module in parts:
        if _exact(file) != _exact(module):
            found.append(f"{what}: {file!r} in the definition, and {module!r} in the module")
    return found


def _exact(value: Any) -> Any:
    """The value, so that true is not 1, nor the text of a member the member."""
    match value:
        case bool():
            return ("bool", value)
        case str():
            return str(value)
        case list() | tuple():
            return [_exact(each) for each in value]
        case Mapping():
            return {key: _exact(each) for key, each in value.items()}
        case _:
            return value


def _parts(plain: Machine, table: tables.Machine) -> Iterator[Part]:
    yield Part("the initial state", plain.initial, table.initial)
    yield Part("the states", plain.states, table.states)
    yield Part("the final states", set(plain.final), set(table.final))
    yield Part("the events", tuple(plain.events), table.events)
    for event, fields in plain.events.items():
        spec = table.event_specs.get(event)
        has = {one.name: one for one in spec.fields} if spec else {}
        yield Part(f"the fields of {event!r}", list(fields), list(has))
        for name, one in fields.items():
            if name in has:
                yield Part(f"field {event}.{name}", _field(one), _field(has[name]))
    variables = {one.name: one for one in table.variables}
    yield Part("the variables", list(plain.variables), list(variables))
    for name, variable in plain.variables.items():
        if name in variables:
            mine, its = _variable(variable), _variable(variables[name])
            yield Part(f"variable {name}", mine, its)
    for name in {**plain.collections, **table.collections}:
        own, other = plain.collections.get(name), table.collections.get(name)
        yield Part(f"collection {name}", own and _accepts(own), other and _accepts(other))
        if own and other and other.grows is not None:
            yield Part(f"where {name} grows", own.grows, other.grows)


def _field(one: Field | tables.Field) -> tuple[Any, ...]:
    return (one.type, one.members, *(() if one.required else (one.default,)))


def _variable(one: Variable | tables.Variable) -> tuple[Any, ...]:
    given = one.initial is MISSING or one.initial is _NOT_GIVEN
    return (one.type, one.members, one.param, *(() if given else (one.initial,)))


def _accepts(one: Collection | tables.Collection) -> Any:
    return (one.machine, {state: set(events) for state, events in one.accepts.items() if events})


def _roles(written: Mapping[str, Any], table: tables.Machine) -> Iterator[Part]:
    """The roles that the file has, each as it is written and as the module has it."""
    groups, roles = groups_of(written), table.roles
    for role, said in (written.get("roles") or {}).items():
        if role in OF_STATES:
            yield Part(f"role {role}", set(spread(said or (), groups)), set(getattr(roles, role)))
        elif role in ("phases", "resume", "outcomes"):
            yield _by_state(role, said, roles)
        elif role in _BOUNDS:
            parts = said if isinstance(said, Mapping) else {"counts": said}
            for part, name in parts.items():
                yield Part(f"role {role}.{part}", name or "", getattr(roles, _BOUNDS[role][part]))
        elif role == "variables":
            yield Part(f"role {role}", len(listed(said)), len(roles.variables))
            for each, one in zip(listed(said), roles.variables, strict=False):
                yield from _named(role, each, one)
        elif isinstance(said, Mapping):
            parts = {**said, **said.get("causes", {})}
            for part in parts.keys() - {"causes"}:
                has = getattr(getattr(roles, role), part, "")
                yield Part(f"role {role}.{part}", parts[part] or "", has)
        elif said is not None:
            yield from _named(role, said, getattr(roles, role))


def _by_state(role: str, said: Mapping[str, str], roles: Roles) -> Part:
    """A role that states have with a name for each; outcomes that are not written are inferred."""
    if role == "phases":
        return Part("role phases", list(said.items()), [phase[:2] for phase in roles.phases])
    has = {state: str(name) for state, name in getattr(roles, role).items()}
    return Part(f"role {role}", {**has, **said} if role == "outcomes" else said, has)


def _named(role: str, said: str, has: Any) -> Iterator[Part]:
    """An event, with its field if one is written."""
    event, dot, field = said.partition(".")
    yield Part(f"role {role}", event, has if isinstance(has, str) else getattr(has, "event", ""))
    if dot:
        yield Part(f"the field of role {role}", field, getattr(has, "field", ""))
