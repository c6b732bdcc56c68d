"""A lifecycle as a reference page in Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost.drawings.words import roles_of_states
from milepost.roles import NO_ROLES
from milepost_codegen.expressions import to_text
from milepost_codegen.reference.markdown import cell, code, paragraph
from milepost_codegen.roles_text import flow, roles_of
from milepost_codegen.templates import render

if TYPE_CHECKING:
    from milepost_codegen.model import Event, Json, Lifecycle, Machine, Transition, Variable

__all__ = ["emit_reference"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A heading and a table below it, or a sentence where there is nothing to list."""

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _MachinePage:
    name: str
    paragraphs: tuple[str, ...]
    sections: tuple[_Section, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    name: str
    version: int
    paragraphs: tuple[str, ...]
    enums: tuple[_Section, ...]
    machines: tuple[_MachinePage, ...]


def emit_reference(lifecycle: Lifecycle) -> str:
    """The reference page of `lifecycle`, without its header."""
    enums = tuple((code(one.type.name), _codes(one.type.members)) for one in lifecycle.enums)
    page = _Page(
        name=lifecycle.name,
        version=lifecycle.version,
        paragraphs=(paragraph(lifecycle.doc),) if lifecycle.doc else (),
        enums=_sections(_Section(heading="Enums", columns=("enum", "members"), rows=enums)),
        machines=tuple(_machine(machine) for machine in lifecycle.machines),
    )
    return render("reference.md.jinja", plan=page)


def _machine(machine: Machine) -> _MachinePage:
    states = tuple(
        (code(state.name), _marks(machine, state.name, final=state.final), cell(state.doc))
        for state in machine.states
    )
    guards = tuple((code(guard.name), code(to_text(guard.body))) for guard in machine.guards)
    groups = tuple((code(group.name), _codes(group.states)) for group in machine.groups)
    members = tuple(
        (
            code(one.name),
            code(one.machine),
            code(state.name),
            _codes(dict(one.accepts).get(state.name, ())),
            "yes" if state.name in one.grows else "",
        )
        for one in machine.collections
        for state in machine.states
        if state.name in one.grows or state.name in dict(one.accepts)
    )
    invariants = tuple(
        (
            code(one.name),
            "all" if one.states is None else _codes(one.states),
            code(to_text(one.holds)),
            cell(one.doc),
        )
        for one in machine.invariants
    )
    return _MachinePage(
        name=machine.name,
        paragraphs=(paragraph(machine.doc),) if machine.doc else (),
        sections=_sections(
            _Section(heading="States", columns=("state", "", "meaning"), rows=states),
            _Section(heading="Groups", columns=("group", "states"), rows=groups),
            _Section(
                heading="Context",
                columns=("name", "type", "initially", "condition", "meaning"),
                rows=tuple(_variable(variable) for variable in machine.variables),
            ),
            _Section(
                heading="Members",
                columns=("collection", "machine", "while the owner is in", "accepts", "grows"),
                rows=members,
            ),
            _Section(
                heading="Events",
                columns=("event", "payload", "meaning"),
                rows=tuple(_event(event) for event in machine.events),
            ),
            _Section(heading="Guards", columns=("guard", "holds if"), rows=guards),
            _Section(
                heading="Transitions",
                columns=("id", "from", "on", "if", "to", "does"),
                rows=tuple(_transition(one) for one in machine.transitions),
            ),
            _Section(
                heading="Invariants",
                columns=("invariant", "in", "holds", "meaning"),
                rows=invariants,
            ),
            _Section(
                heading="Roles",
                columns=("role", "names", "written or inferred"),
                rows=tuple(
                    (code(role.name), code(flow(role.value)), role.note or "written")
                    for role in roles_of(machine)
                ),
            ),
        ),
    )


def _sections(*sections: _Section) -> tuple[_Section, ...]:
    return tuple(section for section in sections if section.rows)


def _marks(machine: Machine, name: str, *, final: bool) -> str:
    marks = (("initial", name == machine.initial), ("final", final))
    roles = roles_of_states(machine.roles.roles if machine.roles else NO_ROLES)
    return ", ".join((*(mark for mark, given in marks if given), *roles.get(name, ())))


def _variable(variable: Variable) -> tuple[str, ...]:
    initially = "must be given" if variable.initial is None else _value(variable.initial)
    if variable.param:
        initially = f"parameter; {initially}"
    where = "" if variable.where is None else code(to_text(variable.where))
    return (code(variable.name), variable.type.name, initially, where, cell(variable.doc))


def _event(event: Event) -> tuple[str, ...]:
    fields = [
        f"{code(field.name)}: {field.type.name}"
        + ("" if field.required else f" = {_value(field.default)}")
        for field in event.fields
    ]
    return (code(event.name), "<br>".join(fields), cell(event.doc))


def _transition(one: Transition) -> tuple[str, ...]:
    guard = "" if one.guard is None else code(to_text(one.guard))
    done = [code(f"{part.name} = {to_text(part.value)}") for part in one.assignments]
    done += [
        f"members of {code(part.collection)} in {code(part.state)}: {code(part.event)}"
        for part in one.members
    ]
    effect = "ignored" if one.ignored else "<br>".join(done)
    return (code(one.id), code(one.source), code(one.event), guard, code(one.target), effect)


def _value(value: Json) -> str:
    return code(value if isinstance(value, str) and value else json.dumps(value))


def _codes(names: tuple[str, ...]) -> str:
    return " ".join(code(name) for name in names)
