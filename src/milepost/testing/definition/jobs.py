"""A definition, and a job of it as a plain value: an entry for each member, an event at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from milepost import definition as plain
from milepost.definition import Machine, NotUnderstood, read_definition
from milepost.definition.notation import groups_of, listed, spread
from milepost.testing.definition.steps import Refused, begun, broken, taken, told

__all__ = ["Collection", "Conflict", "Definition", "Event", "Job", "Member", "Taken"]


class Conflict(Exception):
    """A member has another result already; that it was refused is kept on record."""


class Event(NamedTuple):
    """What is asked for: an event of the job, or of the member `key`."""

    event: str
    payload: Mapping[str, Any]
    key: str | None = None


class Taken(NamedTuple):
    """A row that was taken, of which machine, and by which member, None for the job itself."""

    machine: str
    row: str
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The members of a job: by which machine they run, and what is accepted of them where."""

    name: str
    machine: Machine
    accepts: Mapping[str, tuple[str, ...]]
    grows: tuple[str, ...]
    result: tuple[str, str] | None
    """The event that brings a result, and the field that has it, `""` for none."""
    done: frozenset[str]
    redo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lifecycle as its file says: `root` is the machine of the job, which owns `collections`."""

    name: str
    version: int
    machines: Mapping[str, Machine]
    root: Machine
    collections: Mapping[str, Collection]
    result: tuple[str, str] | None
    variables: tuple[tuple[str, str], ...]

    @staticmethod
    def read(path: str | Path) -> Definition:
        """The definition in the file at `path`, which no compiler has looked at.

        Raises NotUnderstood, with what stands there, for a part that has no meaning here: whatever
        `milepost.definition` refuses, a machine that is owned and owns another, more than one
        machine that nobody owns. Raises OSError if the file cannot be read.
        """
        __tracebackhide__ = True
        found = read_definition(path)
        machines, written = found.machines, found.written["machines"]
        owned = {one.machine for of in machines.values() for one in of.collections.values()}
        if len(roots := machines.keys() - owned) != 1:
            raise NotUnderstood(f"{path}: one machine must be owned by nobody, not {len(roots)}")
        if deep := [name for name in owned if machines[name].collections]:
            raise NotUnderstood(f"{path}: machine '{deep[0]}' is owned, and owns another")
        root = machines[found.root]
        roles = written[root.name].get("roles") or {}
        return Definition(
            name=found.name,
            version=found.version,
            machines=machines,
            root=root,
            collections={
                name: _collection(one, machines[one.machine], written[one.machine])
                for name, one in root.collections.items()
            },
            result=_result(root, roles),
            variables=tuple(_fields(root, listed(roles.get("variables") or ()))),
        )

    def key(self, collection: str, name: str) -> str:
        """The key of a member: with its collection before it, where there are several."""
        return f"{collection}/{name}" if len(self.collections) > 1 else name


def _collection(owned: plain.Collection, machine: Machine, told: Mapping[str, Any]) -> Collection:
    """The members of a collection; `told` is what is written of their machine."""
    roles = told.get("roles") or {}
    result, redo = _result(machine, roles), roles.get("redo") or ""
    return Collection(
        name=owned.name,
        machine=machine,
        accepts=owned.accepts,
        grows=owned.grows,
        result=result,
        done=_done(machine, told, result),
        redo=redo["event"] if isinstance(redo, dict) else redo,
    )


def _done(
    machine: Machine, told: Mapping[str, Any], result: tuple[str, str] | None
) -> frozenset[str]:
    """The states of members that are done: as written, or to where the event of a result leads."""
    roles, groups = told.get("roles") or {}, groups_of(told)
    if roles.get("done") is not None or result is None:
        return frozenset(spread(roles.get("done") or (), groups))
    elsewhere = {
        state
        for role in ("waiting", "held", "failed", "dead", "skipped")
        for state in spread(roles.get(role) or (), groups)
    }
    return (
        frozenset(row.target for row in machine.every_row() if row.event == result[0]) - elsewhere
    )


def _result(machine: Machine, roles: Mapping[str, Any]) -> tuple[str, str] | None:
    found = list(_fields(machine, listed(roles.get("result") or ())))
    return found[0] if found else None


def _fields(machine: Machine, said: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each `EVENT.FIELD`; of an event alone, its only field of JSON, `""` if it has none."""
    for one in said:
        event, _, name = one.partition(".")
        opaque = [each.name for each in machine.events[event].values() if each.type == "json"]
        yield event, name or (opaque[0] if len(opaque) == 1 else "")


@dataclass(frozen=True, slots=True)
class Member:
    """A member: of which collection, where it is, and the last result that it gave."""

    collection: str
    state: str
    context: Mapping[str, Any]
    result: Any = None


@dataclass(slots=True)
class Job:
    """A job, as its definition says; values in it are never changed, so copies share them."""

    definition: Definition
    params: Mapping[str, Mapping[str, Any]]
    """The parameters by collection, those of the job itself under `""`."""
    state: str
    context: Mapping[str, Any]
    members: dict[str, Member] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    result: Any = None
    taken: list[Taken] = field(default_factory=list)
    """The rows that were taken since somebody emptied it."""

    @staticmethod
    def begun(
        definition: Definition,
        members: Mapping[str, Sequence[str]],
        params: Mapping[str, Mapping[str, Any]],
    ) -> Job:
        """A new job, with `members` by collection. Raises Invalid, and Refused by an invariant."""
        root = definition.root
        context = begun(root, params.get("", {}))
        job = Job(definition, params, root.initial, context)
        for name, collection in definition.collections.items():
            job._join(collection, members.get(name, ()))
        if name := broken(root, None, job.state, job.names()):
            raise Refused(f"'{name}' does not hold at the beginning")
        return job

    def copy(self) -> Job:
        """Another job like it, with no rows taken."""
        return replace(self, members=dict(self.members), variables=dict(self.variables), taken=[])

    def names(self) -> dict[str, Any]:
        """All that the job's own expressions may read, but payloads."""
        counts: dict[str, int] = {}
        for name, collection in self.definition.collections.items():
            counts |= {f"{name}.{state}": 0 for state in collection.machine.states}
            counts[f"{name}.total"] = 0
        for member in self.members.values():
            counts[f"{member.collection}.{member.state}"] += 1
            counts[f"{member.collection}.total"] += 1
        return {**self.context, **counts}

    def collection_of(self, key: str) -> Collection:
        """The collection of a member."""
        return self.definition.collections[self.members[key].collection]

    def machine_of(self, key: str | None) -> Machine:
        """The machine of a member, or that of the job itself for None."""
        return self.definition.root if key is None else self.collection_of(key).machine

    def accepts(self, key: str, event: str) -> bool:
        """True if the job takes that event of a member now, as far as it decides that."""
        return event in self.collection_of(key).accepts.get(self.state, ())

    def results(self) -> dict[str, Any]:
        """The results of the members that are done."""
        return {
            key: member.result
            for key, member in self.members.items()
            if member.state in self.collection_of(key).done
        }

    def take(self, asked: Sequence[Event]) -> Job:
        """The job after all of it, in order; this one is as it was.

        Raises:
            Invalid: A payload is not its event's, or a variable would have more than 64 bits.
            Conflict: A member that is done is given another result.
            Refused: The definition does not allow one of them.
        """
        whole = [(one, told(self.machine_of(one.key), one.event, one.payload)) for one in asked]
        wanted = list(self._new(whole))
        after = self.copy()
        for one, payload in wanted:
            if one.key is None:
                after._fire(one.event, payload)  # noqa: SLF001 it is one of these
            else:
                after._record(one.key, one.event, payload)  # noqa: SLF001
        return after

    def follow(self, recorded: Sequence[Event]) -> Job:
        """The job after events that stand in a log, which has no more of them than rows read.

        Raises Refused where the definition does not allow one.
        """
        after = self.copy()
        for one in recorded:
            fields = self.machine_of(one.key).events.get(one.event, {})
            defaults = {name: of.default for name, of in fields.items() if not of.required}
            if one.key is None:
                after._fire(one.event, {**defaults, **one.payload})  # noqa: SLF001
            else:
                after._record(one.key, one.event, {**defaults, **one.payload})  # noqa: SLF001
        return after

    def add(self, collection: str, names: Sequence[str]) -> Job:
        """The job with more members, as all are at their beginning. Raises Refused."""
        if self.state not in self.definition.collections[collection].grows:
            raise Refused(f"members in '{self.state}'")
        after, before = self.copy(), (self.state, self.names())
        after._join(self.definition.collections[collection], names)  # noqa: SLF001
        root = self.definition.root
        if names and (name := broken(root, before, self.state, after.names())):
            raise Refused(f"'{name}' would not hold")
        return after

    def _join(self, collection: Collection, names: Sequence[str]) -> None:
        machine = collection.machine
        context = begun(machine, self.params.get(collection.name, {}))
        if invariant := broken(machine, None, machine.initial, context):
            raise Refused(f"'{invariant}' of '{machine.name}' does not hold at the beginning")
        for name in names:
            key = self.definition.key(collection.name, name)
            self.members[key] = Member(collection.name, machine.initial, context)

    def _new(
        self, asked: Iterable[tuple[Event, Mapping[str, Any]]]
    ) -> Iterator[tuple[Event, Mapping[str, Any]]]:
        """What is asked without results that are there already. Raises Conflict."""
        again: set[str] = set()
        for one, payload in asked:
            if one.key is not None and one.key not in again:
                collection, member = self.collection_of(one.key), self.members[one.key]
                if member.state in collection.done and collection.result is not None:
                    event, name = collection.result
                    if one.event == event and name:
                        if payload[name] == member.result:
                            continue
                        raise Conflict(f"another result of '{one.key}'")
                    if one.event == event and not collection.machine.events[event]:
                        continue
                if member.state in collection.done and one.event == collection.redo:
                    again.add(one.key)
            yield one, payload

    def _fire(self, event: str, payload: Mapping[str, Any]) -> None:
        root, before = self.definition.root, (self.state, self.names())
        step = taken(root, self.state, event, before[1], payload)
        sent = {(name, state): event for name, state, event in step.members}
        for key, member in list(self.members.items()) if sent else ():
            if (member.collection, member.state) in sent:
                self._step(key, sent[member.collection, member.state], {})
        self.context = {**self.context, **step.sets}
        self.state = step.target
        self.taken.append(Taken(root.name, step.row))
        self._holds(before)
        result = self.definition.result
        if result is not None and result[0] == event and result[1]:
            self.result = payload.get(result[1])
        for setting, name in self.definition.variables:
            if setting == event:
                self.variables.update(payload.get(name) or {})

    def _record(self, key: str, event: str, payload: Mapping[str, Any]) -> None:
        collection = self.collection_of(key)
        if not self.accepts(key, event):
            raise Refused(f"'{event}' of '{key}', which '{self.state}' does not accept")
        before = (self.state, self.names())
        self._step(key, event, payload)
        self._holds(before)
        if collection.result is not None and collection.result[0] == event:
            name = collection.result[1]
            result = payload.get(name) if name else None
            self.members[key] = replace(self.members[key], result=result)

    def _step(self, key: str, event: str, payload: Mapping[str, Any]) -> None:
        machine, member = self.collection_of(key).machine, self.members[key]
        step = taken(machine, member.state, event, member.context, payload)
        context = {**member.context, **step.sets}
        if name := broken(machine, (member.state, member.context), step.target, context):
            raise Refused(f"'{name}' of '{key}' would not hold")
        self.taken.append(Taken(machine.name, step.row, key))
        self.members[key] = replace(member, state=step.target, context=context)

    def _holds(self, before: tuple[str, Mapping[str, Any]]) -> None:
        root = self.definition.root
        if root.invariants and (name := broken(root, before, self.state, self.names())):
            raise Refused(f"'{name}' would not hold")
