"""Rows as written to single transitions: groups, histories, `otherwise` and ids."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost_codegen.expressions import BOOL, Scope
from milepost_codegen.expressions.tree import Comparison, Logic, Member, Not, Read, negation
from milepost_codegen.model import Assignment, History, MemberEvent, Transition
from milepost_codegen.resolve.outline import Outline, expand, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from milepost_codegen.definition import MachineFile, RowFile
    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Collection, Variable
    from milepost_codegen.resolve.reporter import Reporter

__all__ = ["MachineNames", "resolve_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineNames:
    """What the rows of a machine may refer to."""

    machine: str
    own: Outline
    outlines: Mapping[str, Outline]
    variables: tuple[Variable, ...]
    collections: tuple[Collection, ...]
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A row with its names resolved and its sources and targets listed."""

    index: int
    written: RowFile
    event: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    group: str  # whose history decides the target, or ""
    guard: Expression | None
    otherwise: bool
    assignments: tuple[Assignment, ...]
    members: tuple[MemberEvent, ...]


def resolve_rows(
    written: MachineFile, names: MachineNames, reporter: Reporter
) -> tuple[tuple[History, ...], tuple[Transition, ...]]:
    """The histories and transitions of a machine, in definition order, `ignored` ones last."""
    rows: list[_Row] = []
    for index, row in enumerate(written.transitions):
        resolved = _row(index, row, names, reporter)
        if resolved:
            rows.append(resolved)
        else:
            reporter.doubts.rows_missing = True
            reporter.doubts.mentions.update((row.event, row.target.history or ""))
    histories = _histories(written, rows, names, reporter)
    transitions = [
        transition
        for row in rows
        for transition in _expand(row, names.machine, histories, reporter)
    ]
    transitions = _with_otherwise(transitions, histories, reporter)
    transitions += _ignored(written, names, reporter)
    return histories, _with_ids(transitions)


def _row(index: int, row: RowFile, names: MachineNames, reporter: Reporter) -> _Row | None:
    path = ("machines", names.machine, "transitions", index)
    at = reporter.source.at
    sources = expand(row.source, names.own.state_sets, reporter, *path, "from")
    event = reporter.lookup("event", row.event, names.own.event_names, at(*path, "on"))
    targets, group = _targets(row, names, reporter, path)
    fields = next((one.fields for one in names.own.events if one.name == event), ())
    scope = replace(names.scope, fields={field.name: field.type for field in fields})
    otherwise = row.when is not None and row.when.strip() == "otherwise"
    guard = None
    if row.when is not None and not otherwise:
        guard = reporter.expression(row.when, BOOL, scope, *path, "when")
        if guard is None:
            reporter.doubts.unsound.add(index)
    assignments = _assignments(row, names, scope, reporter, path)
    members = _members(row, names, reporter, path)
    if not sources or event is None or not targets:
        return None
    return _Row(
        index=index,
        written=row,
        event=event,
        sources=sources,
        targets=targets,
        group=group,
        guard=guard,
        otherwise=otherwise,
        assignments=assignments,
        members=members,
    )


def _targets(
    row: RowFile, names: MachineNames, reporter: Reporter, path: tuple[str | int, ...]
) -> tuple[tuple[str, ...], str]:
    """The states that a row may lead to, and the group whose history decides, or `""`."""
    target = row.target
    at = reporter.source.at
    if (target.state is None) == (target.history is None) or (target.state and target.default):
        reporter.report(
            "E103", (*path, "to"), "'to' must be a state or {history: GROUP, default: STATE}"
        )
        return (), ""
    if target.state is not None:
        known = reporter.lookup(
            "state", target.state, names.own.state_names, at(*path, "to", "state")
        )
        return ((known,) if known else ()), ""
    groups = {group.name: group.states for group in names.own.groups}
    group = reporter.lookup("group", str(target.history), groups, at(*path, "to", "history"))
    if group is None:
        return (), ""
    if target.default is not None:
        reporter.lookup("state", target.default, groups[group], at(*path, "to", "default"))
    return groups[group], group


def _assignments(
    row: RowFile,
    names: MachineNames,
    scope: Scope,
    reporter: Reporter,
    path: tuple[str | int, ...],
) -> tuple[Assignment, ...]:
    variables = {variable.name: variable for variable in names.variables}
    found: list[Assignment] = []
    for name, text in row.assign.items():
        place = reporter.source.key_at(*path, "set", name)
        if name in names.scope.broken:
            continue
        known = reporter.lookup("variable", name, variables, place)
        if known is None:
            continue
        if variables[known].param:
            reporter.findings.report(
                "E306",
                place,
                f"'{known}' is a parameter, which is never assigned",
                "parameters are fixed when the machine is created",
            )
            continue
        value = reporter.expression(text, variables[known].type, scope, *path, "set", name)
        if value is not None:
            found.append(Assignment(name=known, value=value))
    return tuple(found)


def _members(
    row: RowFile, names: MachineNames, reporter: Reporter, path: tuple[str | int, ...]
) -> tuple[MemberEvent, ...]:
    source = reporter.source
    collections = {collection.name: collection for collection in names.collections}
    found: list[MemberEvent] = []
    for name, events in row.members.items():
        known = reporter.lookup(
            "collection", name, collections, source.key_at(*path, "members", name)
        )
        if known is None:
            continue
        outline = names.outlines[collections[known].machine]
        for state, event in events.items():
            place = source.key_at(*path, "members", name, state)
            in_state = reporter.lookup("state", state, outline.state_names, place)
            event_place = source.at(*path, "members", name, state)
            taken = reporter.lookup("event", event, outline.event_names, event_place)
            if in_state and taken:
                _check_member_event(in_state, taken, outline, reporter, event_place)
                found.append(MemberEvent(collection=known, state=in_state, event=taken))
    return tuple(found)


def _check_member_event(
    state: str, event: str, outline: Outline, reporter: Reporter, place: Place
) -> None:
    spec = next(one for one in outline.events if one.name == event)
    if (state, event) not in outline.pairs:
        takes = [name for name in outline.event_names if (state, name) in outline.pairs]
        hint = f"it takes: {', '.join(takes)}" if takes else "it takes none"
        reporter.findings.report(
            "E414", place, f"members in '{state}' have no row for '{event}'", hint
        )
    needed = [field.name for field in spec.fields if field.required]
    if needed:
        reporter.findings.report(
            "E414",
            place,
            f"'{event}' needs a payload ({', '.join(needed)}), which 'members' cannot give",
            "give the fields a default, or send an event without a payload",
        )


def _histories(
    written: MachineFile, rows: Sequence[_Row], names: MachineNames, reporter: Reporter
) -> tuple[History, ...]:
    found: list[History] = []
    for group in names.own.groups:
        defaults: dict[str, int] = {}
        used = False
        for row in rows:
            if row.group == group.name:
                used = True
                if row.written.target.default in group.states:
                    defaults.setdefault(str(row.written.target.default), row.index)
        if not used:
            continue
        if len(defaults) > 1:
            first, second, *_ = defaults
            reporter.report(
                "E409",
                ("machines", names.machine, "transitions", defaults[second], "to", "default"),
                f"the history of '{group.name}' has two defaults, '{first}' and '{second}'",
                "a group is remembered once; give all rows the same default",
            )
        initial = written.initial if written.initial in group.states else group.states[0]
        found.append(
            History(
                group=group.name,
                states=group.states,
                initial=next(iter(defaults), initial),
            )
        )
    return tuple(found)


def _expand(
    row: _Row, machine: str, histories: Sequence[History], reporter: Reporter
) -> Iterator[Transition]:
    """One transition per source and target; what leaves a remembered group sets its history."""
    path = ("machines", machine, "transitions", row.index)
    for source in row.sources:
        for target in row.targets:
            remembered = tuple(
                Assignment(name=history.entry, value=_state_of(history, source))
                for history in histories
                if source in history.states and target not in history.states
            )
            own_id = row.written.id or ""
            if own_id and len(row.sources) > 1:
                own_id += f".{source}"
            if own_id and len(row.targets) > 1:
                own_id += f".{target}"
            yield Transition(
                id=own_id,
                source=source,
                event=row.event,
                target=target,
                written=row.guard,
                guard=_with_history(row, target, histories),
                otherwise=row.otherwise,
                assignments=(*row.assignments, *remembered),
                members=row.members,
                history=row.group,
                history_default=row.written.target.default is not None,
                ignored=False,
                partial=row.written.partial,
                doc=one_line(row.written.doc),
                row=row.index,
                place=reporter.source.at(*path),
                guard_place=reporter.source.at(*path, "when"),
            )


def _with_history(row: _Row, target: str, histories: Sequence[History]) -> Expression | None:
    if not row.group:
        return row.guard
    history = next(one for one in histories if one.group == row.group)
    return _conjunction(row.guard, _remembers(history, target))


def _state_of(history: History, state: str) -> Member:
    return Member(type=history.type, name=state)


def _remembers(history: History, state: str) -> Expression:
    member = _state_of(history, state)
    return Comparison(
        operands=(Read(name=history.entry, type=member.type), member), operators=("==",)
    )


def _conjunction(first: Expression | None, second: Expression) -> Expression:
    if first is None:
        return second
    before = first.operands if isinstance(first, Logic) and first.operator == "and" else (first,)
    return Logic(operator="and", operands=(*before, second))


def _with_otherwise(
    transitions: list[Transition], histories: Sequence[History], reporter: Reporter
) -> list[Transition]:
    """The transitions with `otherwise` written out as the negation of the pair's other guards."""
    others: defaultdict[tuple[str, str], dict[int | None, Expression | None]] = defaultdict(dict)
    for one in transitions:
        if not one.otherwise:
            others[one.source, one.event][one.row] = one.written
    done: list[Transition] = []
    for one in transitions:
        pair = others[one.source, one.event]
        guards = [guard for guard in pair.values() if guard is not None]
        if not one.otherwise:
            done.append(one)
            continue
        if any(row in reporter.doubts.unsound for row in pair) and one.row is not None:
            reporter.doubts.unsound.add(one.row)
        if not guards:
            done.append(one)
            continue
        written = (
            negation(guards[0])
            if len(guards) == 1
            else Not(operand=Logic(operator="or", operands=tuple(guards)))
        )
        guard = written
        for history in histories:
            if history.group == one.history:
                guard = _conjunction(written, _remembers(history, one.target))
        done.append(replace(one, written=written, guard=guard))
    return done


def _ignored(written: MachineFile, names: MachineNames, reporter: Reporter) -> Iterator[Transition]:
    for index, ignored in enumerate(written.ignored):
        path = ("machines", names.machine, "ignored", index)
        states = expand(ignored.states, names.own.state_sets, reporter, *path, "in")
        for state in states:
            for position, name in enumerate(ignored.events):
                place = reporter.source.at(*path, "on", position)
                event = reporter.lookup("event", name, names.own.event_names, place)
                if event:
                    yield Transition(
                        id="",
                        source=state,
                        event=event,
                        target=state,
                        written=None,
                        guard=None,
                        otherwise=False,
                        assignments=(),
                        members=(),
                        history="",
                        history_default=False,
                        ignored=True,
                        partial=False,
                        doc=one_line(ignored.doc),
                        row=None,
                        place=place,
                        guard_place=place,
                    )


def _with_ids(transitions: list[Transition]) -> tuple[Transition, ...]:
    """The transitions, those without an id named by their pair and their number within it."""
    sizes: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in transitions:
        sizes[one.source, one.event] += 1
    numbers: defaultdict[tuple[str, str], int] = defaultdict(int)
    named: list[Transition] = []
    for one in transitions:
        pair = one.source, one.event
        numbers[pair] += 1
        plain = f"{one.source}.{one.event}"
        own = plain if sizes[pair] == 1 else f"{plain}.{numbers[pair]}"
        named.append(replace(one, id=one.id or own))
    return tuple(named)
