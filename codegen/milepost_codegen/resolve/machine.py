"""One machine as written to the resolved one: context, collections, guards and promises."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import BOOL, INT, Scope
from milepost_codegen.expressions.syntax import names_in
from milepost_codegen.expressions.tree import GuardUse
from milepost_codegen.model import (
    Collection,
    Guard,
    Machine,
    Variable,
)
from milepost_codegen.resolve.outline import one_line, read_type, value_problem
from milepost_codegen.resolve.promises import promises, unread_histories
from milepost_codegen.resolve.rows import MachineNames, resolve_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.definition import CollectionFile, MachineFile, VariableFile
    from milepost_codegen.expressions import Type
    from milepost_codegen.resolve.outline import Outline
    from milepost_codegen.resolve.reporter import Reporter

__all__ = ["resolve_machine"]

_MAX_GUARD_DEPTH: Final = 32


def resolve_machine(
    name: str,
    written: MachineFile,
    outlines: Mapping[str, Outline],
    types: Mapping[str, Type],
    reporter: Reporter,
) -> Machine:
    """The machine called `name`; reports what is wrong, and leaves out what cannot be read."""
    source = reporter.source
    path = ("machines", name)
    own = outlines[name]
    for kind, parts in (("variable", written.context), ("guard", written.guards)):
        key = "context" if kind == "variable" else "guards"
        for part in parts:
            reporter.speakable(kind, part, source.key_at(*path, key, part))
    variables = _variables(name, written, types, reporter)
    collections = _collections(name, written, outlines, reporter)
    entries = {variable.name: variable.type for variable in variables}
    entries |= {entry: INT for collection in collections for entry in collection.entries}
    found = {*entries, *(collection.name for collection in collections)}
    scope = Scope(
        entries=entries,
        enums=tuple(types.values()),
        broken=frozenset({*written.context, *written.collections} - found),
        hidden=unread_histories(own, "is read by invariants and measures only"),
    )
    guards, scope = _guards(name, written, scope, reporter)
    initial = reporter.lookup(
        "state", written.initial, own.state_names, source.at(*path, "initial")
    )
    names = MachineNames(
        machine=name,
        own=own,
        outlines=outlines,
        variables=variables,
        collections=collections,
        scope=scope,
    )
    histories, transitions = resolve_rows(written, names, reporter)
    if initial is None:
        reporter.doubts.rows_missing = True
    invariants, progress = promises(name, written, own, histories, scope, reporter)
    return Machine(
        name=name,
        doc=one_line(written.doc),
        initial=initial or own.state_names[0],
        states=own.states,
        events=own.events,
        variables=variables,
        guards=guards,
        groups=own.groups,
        histories=histories,
        collections=collections,
        transitions=transitions,
        invariants=invariants,
        progress=progress,
        place=source.key_at(*path),
    )


def _variables(
    machine: str, written: MachineFile, types: Mapping[str, Type], reporter: Reporter
) -> tuple[Variable, ...]:
    source = reporter.source
    kinds: dict[str, Type] = {}
    for name, part in written.context.items():
        place = source.at("machines", machine, "context", name, "type")
        kind = read_type(part.type, types, reporter, place)
        if kind and not kind.readable:
            reporter.findings.report(
                "E303",
                place,
                f"a context variable cannot be of type {kind.name}",
                "context variables are bool, int or an enum; payloads carry the rest",
            )
        elif kind:
            kinds[name] = kind
    params = {name: kinds[name] for name in kinds if written.context[name].param}
    scope = Scope(
        entries=params,
        enums=tuple(types.values()),
        broken=frozenset(set(written.context) - set(kinds)),
        hidden=dict.fromkeys(
            [
                *(set(written.context) - set(params)),
                *written.guards,
                *written.collections,
                *(f"history.{group}" for group in written.groups),
            ],
            "is no parameter; 'where' reads parameters only",
        ),
    )
    found: list[Variable] = []
    for name, kind in kinds.items():
        part = written.context[name]
        path = ("machines", machine, "context", name)
        where = None
        if part.where is not None and part.param:
            where = reporter.expression(part.where, BOOL, scope, *path, "where")
        found.append(
            Variable(
                name=name,
                was=part.was or "",
                type=kind,
                doc=one_line(part.doc),
                param=part.param,
                initial=_initial(name, part, kind, reporter, path),
                where=where,
                place=source.key_at(*path),
            )
        )
    return tuple(found)


def _initial(
    name: str, part: VariableFile, kind: Type, reporter: Reporter, path: tuple[str, ...]
) -> int | bool | str | None:
    """The initial value of a variable or the default of a param; reports a wrong declaration."""
    right, wrong = ("default", "initial") if part.param else ("initial", "default")
    given = {"initial": part.initial, "default": part.default}
    what = "parameter" if part.param else "variable"
    if given[wrong] is not None:
        reporter.report_key(
            "E308",
            (*path, wrong),
            f"'{name}' is a {what}, which has no '{wrong}'",
            f"say '{right}', or " + ("drop 'param'" if part.param else "add 'param: true'"),
        )
    if part.where is not None and not part.param:
        reporter.report_key(
            "E308",
            (*path, "where"),
            f"'{name}' is a variable, which has no 'where'",
            "say what must hold as an invariant",
        )
    value = given[right]
    if value is None:
        if not part.param and given[wrong] is None:
            reporter.report_key("E308", path, f"'{name}' has no 'initial' value")
        return None
    problem = value_problem(kind, value.value)
    if problem:
        reporter.report("E303", (*path, right), f"wrong {right} value: {problem}")
        return None
    return value.value if isinstance(value.value, (int, str)) else None


def _collections(
    machine: str, written: MachineFile, outlines: Mapping[str, Outline], reporter: Reporter
) -> tuple[Collection, ...]:
    found: list[Collection] = []
    for name, part in written.collections.items():
        path = ("machines", machine, "collections", name)
        place = reporter.source.key_at(*path)
        reporter.speakable("collection", name, place)
        member = reporter.lookup(
            "machine", part.machine, outlines, reporter.source.at(*path, "machine")
        )
        if member is None:
            continue
        if "total" in outlines[member].state_names:
            reporter.findings.report(
                "E210",
                place,
                f"the members' state 'total' clashes with '{name}.total', their number",
                "rename the state",
            )
        accepts = _accepts(machine, name, part, outlines, member, reporter)
        found.append(
            Collection(
                name=name,
                machine=member,
                states=outlines[member].state_names,
                accepts=accepts,
                grows=(),  # once all machines are read
                place=place,
            )
        )
    return tuple(found)


def _accepts(
    machine: str,
    collection: str,
    part: CollectionFile,
    outlines: Mapping[str, Outline],
    member: str,
    reporter: Reporter,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The members' events that are legal in each of the owner's states, in definition order."""
    own = outlines[machine]
    accepted: dict[str, set[str]] = {}
    for name, events in part.accepts.items():
        path = ("machines", machine, "collections", collection, "accepts", name)
        sets = own.state_sets
        known = reporter.lookup("state", name, sets, reporter.source.key_at(*path))
        for index, event in enumerate(events):
            place = reporter.source.at(*path, index)
            taken = reporter.lookup("event", event, outlines[member].event_names, place)
            for state in sets[known] if known else ():
                accepted.setdefault(state, set()).update({taken} if taken else ())
    return tuple(
        (state, tuple(event for event in outlines[member].event_names if event in accepted[state]))
        for state in own.state_names
        if state in accepted
    )


def _guards(
    machine: str, written: MachineFile, scope: Scope, reporter: Reporter
) -> tuple[tuple[Guard, ...], Scope]:
    """The named guards in definition order, and the scope with them in it."""
    uses: dict[str, GuardUse] = {}
    broken = set(scope.broken)

    def within(scope: Scope) -> Scope:
        return replace(scope, guards=uses, broken=frozenset(broken))

    def resolve(name: str, above: tuple[str, ...]) -> None:
        path = ("machines", machine, "guards", name)
        if name in above:
            cycle = " -> ".join((*above[above.index(name) :], name))
            reporter.report_key("E307", path, f"guard '{name}' is defined by itself: {cycle}")
            broken.add(name)
        if name in uses or name in broken:
            return
        if len(above) >= _MAX_GUARD_DEPTH:
            reporter.report_key(
                "E304", path, f"guards are nested more than {_MAX_GUARD_DEPTH} deep"
            )
            broken.add(name)
            return
        text = written.guards[name]
        for used in sorted(names_in(text)):
            if used in written.guards and used not in written.context:
                resolve(used, (*above, name))
        if name in broken:
            return
        body = reporter.expression(text, BOOL, within(scope), *path)
        if body is None:
            broken.add(name)
        else:
            uses[name] = GuardUse(name=name, body=body)

    for name in written.guards:
        place = reporter.source.key_at("machines", machine, "guards", name)
        if name in written.context:
            reporter.findings.report(
                "E210", place, f"'{name}' is a guard and a variable", "rename one of them"
            )
        resolve(name, ())
    guards = tuple(
        Guard(
            name=name,
            body=uses[name].body,
            place=reporter.source.key_at("machines", machine, "guards", name),
        )
        for name in written.guards
        if name in uses
    )
    return guards, within(scope)
