"""The roles of a machine as written to the resolved ones: names looked up, types of fields told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from milepost.roles import (
    Allowance,
    Deferral,
    EventField,
    Failure,
    Note,
    Outcome,
    Phase,
    Recovery,
    Redo,
    Roles,
)
from milepost_codegen.definition import CausesFile
from milepost_codegen.findings import nearest
from milepost_codegen.model import MachineRoles
from milepost_codegen.resolve.inference import MEMBER_STATES, infer
from milepost_codegen.resolve.outline import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from milepost_codegen.definition import LifecycleFile, RolesFile
    from milepost_codegen.findings import Place
    from milepost_codegen.model import Event, Field, Machine
    from milepost_codegen.resolve.reporter import Reporter
    from milepost_codegen.source import Path

__all__ = ["resolve_roles"]

_OF_MEMBERS: Final = (
    *MEMBER_STATES, "begin", "release", "lost", "crash", "defer", "note", "retry", "give_up",
    "requeue", "redo", "skip", "attempts", "crashes", "stored",
)  # fmt: skip
_OF_OWNERS: Final = (
    "phases", "recover", "pause", "paused", "resume", "cancel", "reopen", "allow_dead",
    "variables", "outcomes",
)  # fmt: skip
_EVENTS: Final = (
    "begin", "release", "lost", "retry", "give_up", "requeue", "skip", "pause", "cancel",
    "reopen",
)  # fmt: skip


def resolve_roles(
    written: LifecycleFile, machines: Sequence[Machine], reporters: Mapping[str, Reporter]
) -> tuple[Machine, ...]:
    """The machines with their roles; reports names and types that are wrong, and misplaced roles.

    What has no name of its own is inferred from the rows.
    """
    owned = {collection.machine for machine in machines for collection in machine.collections}
    named: dict[str, _Named] = {}
    for machine in machines:
        file = written.machines[machine.name].roles
        if file is not None:
            reader = _Reader(machine, file, reporters[machine.name])
            named[machine.name] = reader.read(member=machine.name in owned)
    begins = {name: one.roles.begin for name, one in named.items()}
    return tuple(
        replace(machine, roles=_resolved(machine, named[machine.name], begins))
        if machine.name in named
        else machine
        for machine in machines
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """The roles that are written, fields that follow from types, and the places of the keys."""

    roles: Roles
    inferred: frozenset[str]
    path: Path
    reporter: Reporter
    member: bool
    places: Mapping[str, Place]


def _resolved(machine: Machine, named: _Named, begins: Mapping[str, str]) -> MachineRoles:
    whole, inferred = infer(named.roles, machine, begins, member=named.member)
    source = named.reporter.source
    size = len(named.path)
    paths = {
        ".".join(map(str, path[size:])): path
        for path in source.values
        if path[:size] == named.path and path[size:]
    }
    return MachineRoles(
        roles=whole,
        inferred=named.inferred | inferred,
        place=source.key_at(*named.path),
        places={**{part: source.at(*path) for part, path in paths.items()}, **named.places},
        keys={part: source.key_at(*path) for part, path in paths.items()},
    )


class _Reader:
    """Reads the roles of one machine."""

    def __init__(self, machine: Machine, file: RolesFile, reporter: Reporter) -> None:
        self.file = file
        self.reporter = reporter
        self.path: Path = ("machines", machine.name, "roles")
        self.events: Mapping[str, Event] = {event.name: event for event in machine.events}
        self.states = tuple(state.name for state in machine.states)
        own = {name: (name,) for name in self.states}
        self.sets = {**{group.name: group.states for group in machine.groups}, **own}
        self.variables = {variable.name: variable for variable in machine.variables}
        self.inferred: set[str] = set()
        self.places: dict[str, Place] = {}

    def read(self, *, member: bool) -> _Named:
        """All roles that are written, and those of fields that follow from their types."""
        self._misplaced(member=member)
        kept = _OF_MEMBERS if member else _OF_OWNERS
        file = self.file
        found: dict[str, Any] = {}  # Any: each reader gives parts of their own types
        for key in (*kept, "result", "failure"):
            if getattr(file, key) in (None, {}):
                continue
            if key in _EVENTS:
                found[key] = self._event(getattr(file, key), key)
            elif key in (*MEMBER_STATES, "paused"):
                found[key] = self._states(getattr(file, key), key)
            else:
                found |= dict(getattr(self, f"_{key}")())
        return _Named(
            roles=Roles(**found),
            inferred=frozenset(self.inferred),
            path=self.path,
            reporter=self.reporter,
            member=member,
            places=self.places,
        )

    def _misplaced(self, *, member: bool) -> None:
        wrong = _OF_OWNERS if member else _OF_MEMBERS
        place = "is a member of a collection" if member else "is no member of any collection"
        whose = "of owners" if member else "of members"
        for key in wrong:
            if key in self.file.model_fields_set:
                self.reporter.report_key(
                    "E701",
                    (*self.path, key),
                    f"'{key}' is a role {whose}, and '{self.path[1]}' {place}",
                    "drop it, or give it to the machine that it is about",
                )

    def _result(self) -> Iterator[tuple[str, object]]:
        yield "result", self._dotted(str(self.file.result), "json", "result", need=False)

    def _stored(self) -> Iterator[tuple[str, object]]:
        yield "stored", self._dotted(str(self.file.stored), "json", "stored", need=True, typed=True)

    def _crash(self) -> Iterator[tuple[str, object]]:
        yield "crash", self._dotted(str(self.file.crash), "str", "crash", need=False, typed=True)

    def _variables(self) -> Iterator[tuple[str, object]]:
        read = (
            self._dotted(name, "json", "variables", index, need=True, typed=True)
            for index, name in enumerate(self.file.variables or ())
        )
        yield "variables", tuple(one for one in read if one is not None)

    def _failure(self) -> Iterator[tuple[str, object]]:
        file = self.file.failure
        assert file is not None
        event = self._event(file.event, "failure", "event")
        if event:
            cause = self._part(event, file.cause, "failure", "cause", _is_enum, "an enum")
            message = self._part(event, file.message, "failure", "message", _is("str"), "str")
            more = {
                part: self._written_part(event, getattr(file, part), "failure", part, kind)
                for part, kind in (("kind", "str"), ("details", "json"), ("permanent", "bool"))
            }
            yield "failure", Failure(event, cause, message, **self._causes(event, cause), **more)

    def _defer(self) -> Iterator[tuple[str, object]]:
        file = self.file.defer
        assert file is not None
        event = self._event(file.event, "defer", "event")
        if event:
            until = self._needed(event, file.until, "defer", "until", "int")
            everyone = self._part(event, file.everyone, "defer", "everyone", _is("bool"), "bool")
            message = self._part(event, file.message, "defer", "message", _is("str"), "str")
            marks = self._variable(file.marks, "bool", "defer", "marks")
            yield "defer", Deferral(event, until, everyone, message, marks)

    def _note(self) -> Iterator[tuple[str, object]]:
        file = self.file.note
        assert file is not None
        event = self._event(file.event, "note", "event")
        if event:
            note = self._needed(event, file.note, "note", "note", "json")
            yield "note", Note(event, note, self._variable(file.marks, "bool", "note", "marks"))

    def _redo(self) -> Iterator[tuple[str, object]]:
        file = self.file.redo
        assert file is not None
        event = self._event(file.event, "redo", "event")
        if event:
            counts = self._variable(file.counts, "int", "redo", "counts")
            reason = self._part(event, file.reason, "redo", "reason", _is("str"), "str")
            yield "redo", Redo(event, counts, reason)

    def _allow_dead(self) -> Iterator[tuple[str, object]]:
        file = self.file.allow_dead
        assert file is not None
        event = self._event(file.event, "allow_dead", "event")
        if event:
            more = self._needed(event, file.more, "allow_dead", "more", "int")
            reason = self._part(event, file.reason, "allow_dead", "reason", _is("str"), "str")
            yield "allow_dead", Allowance(event, more, reason)

    def _causes(self, event: str, cause: str) -> dict[str, str]:
        """What the enum calls the causes that a run finds: as written, or by the same name.

        The only member of an enum is the cause of errors, whatever it is called.
        """
        role = self.file.failure
        assert role is not None
        written = role.causes
        fields = {one.name: one for one in self.events[event].fields}
        if not cause:
            null = "cause" in role.model_fields_set
            without = role.cause is None and (null or not any(map(_is_enum, fields.values())))
            if without and written.model_fields_set:
                self._wrong(
                    "E702",
                    ("failure", "causes"),
                    f"'{event}' has no field that tells causes apart",
                    "drop 'causes', or give its payload a field of an enum",
                )
            return {}
        members = fields[cause].type.members
        found: dict[str, str] = {}
        for kind in CausesFile.model_fields:
            name = getattr(written, kind)
            if name is not None:
                place = self.reporter.source.at(*self.path, "failure", "causes", kind)
                found[kind] = self._lookup("cause", name, members, place)
            elif kind in written.model_fields_set:  # null: there is none
                found[kind] = ""
            elif kind in members or (kind == "error" and len(members) == 1):
                found[kind] = kind if kind in members else members[0]
                self.inferred.add(f"failure.causes.{kind}")
        return found

    def _recover(self) -> Iterator[tuple[str, object]]:
        file = self.file.recover
        assert file is not None
        event = self._event(file.event, "recover", "event")
        if event:
            lost = self._part(event, file.lost, "recover", "lost", _is("bool"), "bool")
            reason = self._part(event, file.reason, "recover", "reason", _is("str"), "str")
            yield "recover", Recovery(event, lost, reason)

    def _attempts(self) -> Iterator[tuple[str, object]]:
        file = self.file.attempts
        assert file is not None
        yield "attempts", self._variable(file.counts, "int", "attempts", "counts")
        yield "max_attempts", self._variable(file.most, "int", "attempts", "most", param=True)

    def _crashes(self) -> Iterator[tuple[str, object]]:
        file = self.file.crashes
        assert file is not None
        yield "suspect", self._variable(file.marks, "bool", "crashes", "marks")
        yield "crashes", self._variable(file.counts, "int", "crashes", "counts")
        yield "max_crashes", self._variable(file.most, "int", "crashes", "most", param=True)

    def _phases(self) -> Iterator[tuple[str, object]]:
        pairs = self._by_state(self.file.phases, "phases")
        yield "phases", tuple(Phase(state, event) for state, event in pairs.items())

    def _resume(self) -> Iterator[tuple[str, object]]:
        yield "resume", self._by_state(self.file.resume, "resume")

    def _outcomes(self) -> Iterator[tuple[str, object]]:
        found: dict[str, Outcome] = {}
        for name, outcome in self.file.outcomes.items():
            state = self._state(name, "outcomes", name)
            known = tuple(Outcome)
            if outcome in known:
                found |= {state: Outcome(outcome)} if state else {}
                continue
            near = nearest(outcome, known)
            hint = f"did you mean '{near}'?" if near else f"there are: {', '.join(known)}"
            message = f"unknown outcome '{outcome}'"
            self._wrong("E709", ("outcomes", name), message, hint)
        yield "outcomes", found

    def _event(self, name: str, *path: str | int) -> str:
        place = self.reporter.source.at(*self.path, *path)
        return self._lookup("event", name, self.events, place)

    def _state(self, name: str, *path: str | int) -> str:
        place = self.reporter.source.key_at(*self.path, *path)
        return self._lookup("state", name, self.states, place)

    def _lookup(self, kind: str, name: str, known: Iterable[str], place: Place) -> str:
        """`name`, or `""` for one that is not known: no check builds on what it looks like."""
        if self.reporter.lookup(kind, name, known, place) == name:
            return name
        self.reporter.doubts.roles_missing = True
        return ""

    def _states(self, names: list[str], key: str) -> tuple[str, ...]:
        found = expand(names, self.sets, self.reporter, *self.path, key)
        if any(name not in self.sets for name in names):
            self.reporter.doubts.roles_missing = True
        for index, name in enumerate(names):
            for state in self.sets.get(name, ()):
                place = self.reporter.source.at(*self.path, key, index)
                self.places.setdefault(f"{key}.{state}", place)
        return found

    def _by_state(self, names: Mapping[str, str], key: str) -> dict[str, str]:
        pairs = (
            (self._state(state, key, state), self._event(event, key, state))
            for state, event in names.items()
        )
        return {state: event for state, event in pairs if state and event}

    def _dotted(
        self, text: str, kind: str, *path: str | int, need: bool, typed: bool = False
    ) -> EventField | None:
        """The `EVENT.FIELD` at `path`; of a bare event its one field of type `kind`.

        With `need` there must be a field, with `typed` it must be of that type.
        """
        whole = (*self.path, *path)
        source = self.reporter.source
        name, dot, part = text.partition(".")
        place = source.within(whole, 0)
        event = self._lookup("event", name, self.events, place)
        if not event:
            return None
        fields = {one.name: one for one in self.events[event].fields}
        if dot:
            at = source.within(whole, len(name) + 1)
            known = self._lookup("payload field", part, fields, at)
            if known and typed and fields[known].type.name != kind:
                self._wrong_type(known, fields[known].type.name, kind, path)
            return EventField(event, known)
        fitting = [one.name for one in fields.values() if one.type.name == kind]
        if len(fitting) == 1:
            self.inferred.add(f"{path[0]}.{event if path[1:] else 'field'}")
            return EventField(event, fitting[0])
        if fitting:
            self._ambiguous(event, fitting, path, f"say {_either(event, fitting)}")
        elif need:
            self._wrong(
                "E702",
                path,
                f"'{event}' has no field of type {kind}",
                "give its payload one, or name another event",
            )
        return EventField(event)

    def _part(
        self,
        event: str,
        name: str | None,
        key: str,
        part: str,
        fits: Callable[[Field], bool],
        wanted: str,
    ) -> str:
        """The field of `event` that is the `part` of the role `key`: as written, or the one."""
        role = getattr(self.file, key)
        fields = {one.name: one for one in self.events[event].fields}
        if name is not None:
            place = self.reporter.source.at(*self.path, key, part)
            known = self._lookup("payload field", name, fields, place)
            if known and not fits(fields[known]):
                self._wrong_type(known, fields[known].type.name, wanted, (key, part))
                return ""
            return known
        if part in role.model_fields_set:  # null: there is none
            return ""
        fitting = [one.name for one in fields.values() if fits(one)]
        if len(fitting) == 1:
            self.inferred.add(f"{key}.{part}")
            return fitting[0]
        if fitting:
            hint = f"say '{part}: {fitting[0]}', or '{part}: null' if it is none of them"
            self._ambiguous(event, fitting, (key,), hint)
        return ""

    def _written_part(self, event: str, name: str | None, key: str, part: str, kind: str) -> str:
        """The same where nothing is inferred: a lifecycle may have such a field for another use."""
        return "" if name is None else self._part(event, name, key, part, _is(kind), kind)

    def _needed(self, event: str, name: str | None, key: str, part: str, kind: str) -> str:
        """The same where there has to be a field."""
        doubts = self.reporter.doubts
        before, doubts.roles_missing = doubts.roles_missing, False
        known = self._part(event, name, key, part, _is(kind), kind)
        if not known and not doubts.roles_missing:
            self._wrong(
                "E702",
                (key,),
                f"'{event}' has no field of type {kind} for '{part}'",
                f"give its payload one, and say '{part}: FIELD'",
            )
        doubts.roles_missing |= before
        return known

    def _variable(self, name: str | None, kind: str, *path: str, param: bool = False) -> str:
        if name is None:
            return ""
        place = self.reporter.source.at(*self.path, *path)
        known = self._lookup("variable", name, self.variables, place)
        if not known:
            return ""
        variable = self.variables[known]
        if variable.type.name != kind:
            self._wrong_type(known, variable.type.name, kind, path)
        elif variable.param != param:
            is_now = "a parameter, which no step changes" if variable.param else "no parameter"
            wanted = "name a parameter" if param else "name a variable"
            self._wrong("E702", path, f"'{known}' is {is_now}", wanted)
        return known

    def _wrong_type(self, name: str, kind: str, wanted: str, path: Path) -> None:
        part = [step for step in path if isinstance(step, str)][-1]
        right = wanted if wanted == "an enum" else f"of type {wanted}"
        self._wrong("E702", path, f"'{name}' is of type {kind}, and '{part}' must be {right}")

    def _ambiguous(self, event: str, fitting: Sequence[str], path: Path, hint: str) -> None:
        which = " and ".join(f"'{name}'" for name in fitting)
        self._wrong("E710", path, f"'{event}' has several fields that fit: {which}", hint)

    def _wrong(self, code: str, path: Path, message: str, hint: str = "") -> None:
        """Report what is wrong with a role, by which no check is misled."""
        self.reporter.report(code, (*self.path, *path), message, hint)
        self.reporter.doubts.roles_missing = True


def _is(kind: str) -> Callable[[Field], bool]:
    return lambda field: field.type.name == kind


def _is_enum(field: Field) -> bool:
    return bool(field.type.members)


def _either(event: str, names: Sequence[str]) -> str:
    return " or ".join(f"'{event}.{name}'" for name in names)
