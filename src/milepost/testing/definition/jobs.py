"""A definition, and a job of it as a plain value: an entry for each member, an event at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from milepost.definition import Unreadable, read_definition
from milepost.definition.notation import listed
from milepost.testing.definition.expressions import NotUnderstood
from milepost.testing.definition.tables import Refused, Table

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
    table: Table
    accepts: Mapping[str, frozenset[str]]
    grows: frozenset[str]
    result: tuple[str, str] | None
    """The event that brings a result, and the field that has it, `""` for none."""
    done: frozenset[str]
    redo: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lifecycle as its file says: `root` is the machine of the job, which owns `collections`."""

    name: str
    version: int
    tables: Mapping[str, Table]
    root: Table
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
        try:
            found = read_definition(path).written
        except Unreadable as error:
            raise NotUnderstood(str(error)) from error
        enums = {name: listed(members) for name, members in (found.get("enums") or {}).items()}
        tables = {name: Table(name, spec, enums) for name, spec in found["machines"].items()}
        owned = {of["machine"] for one in tables.values() for of in one.collections.values()}
        roots = [one for name, one in tables.items() if name not in owned]
        if len(roots) != 1:
            raise NotUnderstood(f"{path}: one machine must be owned by nobody, not {len(roots)}")
        if deep := [name for name in owned if tables[name].collections]:
            raise NotUnderstood(f"{path}: machine '{deep[0]}' is owned, and owns another")
        root = roots[0]
        return Definition(
            name=found["lifecycle"],
            version=found["version"],
            tables=tables,
            root=root,
            collections={
                name: _collection(name, root, tables[of["machine"]], of)
                for name, of in root.collections.items()
            },
            result=_result(root),
            variables=tuple(_fields(root, listed(root.roles.get("variables") or ()))),
        )

    def key(self, collection: str, name: str) -> str:
        """The key of a member: with its collection before it, where there are several."""
        return f"{collection}/{name}" if len(self.collections) > 1 else name


def _collection(name: str, root: Table, table: Table, of: Mapping[str, Any]) -> Collection:
    accepts: dict[str, set[str]] = {}
    for where, events in (of.get("accepts") or {}).items():
        for state in root.in_states(where):
            accepts.setdefault(state, set()).update(listed(events))
    first = {row.event for row in table.rows if row.source == table.initial}
    if of.get("grows") is not None:
        grows = root.in_states(of["grows"])
    else:
        grows = [s for s in root.states if s == root.initial or first <= accepts.get(s, set())]
        grows = [s for s in grows if s not in root.final]
    result = _result(table)
    roles = table.roles
    elsewhere = {
        state
        for role in ("waiting", "held", "failed", "dead", "skipped")
        for state in table.in_states(roles.get(role))
    }
    done = set(table.in_states(roles.get("done")))
    if roles.get("done") is None and result is not None:
        done = {row.target for row in table.rows if row.event == result[0]} - elsewhere
    redo = roles.get("redo") or ""
    return Collection(
        name=name,
        table=table,
        accepts={state: frozenset(events) for state, events in accepts.items()},
        grows=frozenset(grows),
        result=result,
        done=frozenset(done),
        redo=redo["event"] if isinstance(redo, dict) else redo,
    )


def _result(table: Table) -> tuple[str, str] | None:
    found = list(_fields(table, listed(table.roles.get("result") or ())))
    return found[0] if found else None


def _fields(table: Table, said: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each `EVENT.FIELD`; of an event alone, its only field of JSON, `""` if it has none."""
    for one in said:
        event, _, name = one.partition(".")
        opaque = [each.name for each in table.events[event].values() if each.type == "json"]
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
        context = root.begun(params.get("", {}))
        job = Job(definition, params, root.initial, context)
        for name, collection in definition.collections.items():
            job._join(collection, members.get(name, ()))
        if broken := root.broken(None, job.state, job.names()):
            raise Refused(f"'{broken}' does not hold at the beginning")
        return job

    def copy(self) -> Job:
        """Another job like it, with no rows taken."""
        return replace(self, members=dict(self.members), variables=dict(self.variables), taken=[])

    def names(self) -> dict[str, Any]:
        """All that the job's own expressions may read, but payloads."""
        counts: dict[str, int] = {}
        for name, collection in self.definition.collections.items():
            counts |= {f"{name}.{state}": 0 for state in collection.table.states}
            counts[f"{name}.total"] = 0
        for member in self.members.values():
            counts[f"{member.collection}.{member.state}"] += 1
            counts[f"{member.collection}.total"] += 1
        return {**self.context, **counts}

    def collection_of(self, key: str) -> Collection:
        """The collection of a member."""
        return self.definition.collections[self.members[key].collection]

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
        told = [(one, self._table(one.key).told(one.event, one.payload)) for one in asked]
        wanted = list(self._new(told))
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
            fields = self._table(one.key).events.get(one.event, {})
            defaults = {name: of.default for name, of in fields.items()}
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
        if names and (broken := self.definition.root.broken(before, self.state, after.names())):
            raise Refused(f"'{broken}' would not hold")
        return after

    def _join(self, collection: Collection, names: Sequence[str]) -> None:
        table = collection.table
        context = table.begun(self.params.get(collection.name, {}))
        if broken := table.broken(None, table.initial, context):
            raise Refused(f"'{broken}' of '{table.name}' does not hold at the beginning")
        for name in names:
            key = self.definition.key(collection.name, name)
            self.members[key] = Member(collection.name, table.initial, context)

    def _table(self, key: str | None) -> Table:
        return self.definition.root if key is None else self.collection_of(key).table

    def _new(
        self, told: Iterable[tuple[Event, Mapping[str, Any]]]
    ) -> Iterator[tuple[Event, Mapping[str, Any]]]:
        """What is asked without results that are there already. Raises Conflict."""
        again: set[str] = set()
        for one, payload in told:
            if one.key is not None and one.key not in again:
                collection, member = self.collection_of(one.key), self.members[one.key]
                if member.state in collection.done and collection.result is not None:
                    event, name = collection.result
                    if one.event == event and name:
                        if payload[name] == member.result:
                            continue
                        raise Conflict(f"another result of '{one.key}'")
                    if one.event == event and not collection.table.events[event]:
                        continue
                if member.state in collection.done and one.event == collection.redo:
                    again.add(one.key)
            yield one, payload

    def _fire(self, event: str, payload: Mapping[str, Any]) -> None:
        root, before = self.definition.root, (self.state, self.names())
        names = {**before[1], **_read(root, event, payload)}
        row = root.row(self.state, event, names)
        there = list(self.members.items())
        for name, sent in row.members.items():
            for key, member in there:
                if member.collection == name and member.state in sent:
                    self._step(key, sent[member.state], {})
        self.context = root.after(row, self.context, names)
        self.state = row.target
        self.taken.append(Taken(root.name, row.id))
        self._holds(before)
        result = self.definition.result
        if result is not None and result[0] == event and result[1]:
            self.result = payload[result[1]]
        for setting, name in self.definition.variables:
            if setting == event:
                self.variables.update(payload[name] or {})

    def _record(self, key: str, event: str, payload: Mapping[str, Any]) -> None:
        collection = self.collection_of(key)
        if not self.accepts(key, event):
            raise Refused(f"'{event}' of '{key}', which '{self.state}' does not accept")
        before = (self.state, self.names())
        self._step(key, event, payload)
        self._holds(before)
        if collection.result is not None and collection.result[0] == event:
            name = collection.result[1]
            result = payload[name] if name else None
            self.members[key] = replace(self.members[key], result=result)

    def _step(self, key: str, event: str, payload: Mapping[str, Any]) -> None:
        table, member = self.collection_of(key).table, self.members[key]
        names = {**member.context, **_read(table, event, payload)}
        row = table.row(member.state, event, names)
        context = table.after(row, member.context, names)
        if broken := table.broken((member.state, member.context), row.target, context):
            raise Refused(f"'{broken}' of '{key}' would not hold")
        self.taken.append(Taken(table.name, row.id, key))
        self.members[key] = replace(member, state=row.target, context=context)

    def _holds(self, before: tuple[str, Mapping[str, Any]]) -> None:
        if not self.definition.root.invariants:
            return
        if broken := self.definition.root.broken(before, self.state, self.names()):
            raise Refused(f"'{broken}' would not hold")


def _read(table: Table, event: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """What rows may read of a payload."""
    fields = table.events.get(event, {})
    return {f"event.{name}": payload.get(name) for name, of in fields.items() if of.readable}
