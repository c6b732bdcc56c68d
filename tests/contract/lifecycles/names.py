"""Every place of a definition where a name stands, and the definition under other names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, NamedTuple

import yaml

__all__ = ["KINDS", "Name", "Use", "names_of", "renamed", "uses_of"]

KINDS: Final = (
    "lifecycle", "machine", "state", "event", "field", "variable", "guard", "group",
    "collection", "enum", "member", "invariant",
)  # fmt: skip
"""What can have a name. `field` is one of a payload, `member` one of an enum."""

_WORDS: Final = frozenset(
    ("and", "or", "not", "if", "else", "implies", "true", "false", "event", "otherwise")
)
_TOKEN: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_MEMBER_EVENTS: Final = ("begin", "release", "lost", "retry", "give_up", "requeue", "skip")
_STATES: Final = ("waiting", "held", "done", "failed", "dead", "skipped", "paused")


class Name(NamedTuple):
    """One name. `owner` is the machine, the enum or, of fields, `MACHINE.EVENT` that has it."""

    kind: str
    owner: str
    name: str


class Use(NamedTuple):
    """A place of the text, `[start, end)` in characters, where `name` stands.

    `earlier` says that it is a name of an earlier version, which a migration tells of.
    """

    start: int
    end: int
    name: Name
    earlier: bool = False


@cache
def uses_of(text: str) -> tuple[Use, ...]:
    """Every place where a name stands in a definition, in order."""
    return tuple(sorted(_Finder(text).uses()))


def names_of(text: str) -> list[Name]:
    """The names that a definition gives, in the order in which they first stand in it."""
    return list(dict.fromkeys(use.name for use in uses_of(text) if not use.earlier))


def renamed(
    text: str, new: Callable[[Name], str], *, earlier: Callable[[Name], str] | None = None
) -> str:
    """The definition with each name as `new` says, and names of earlier versions as `earlier`."""
    parts, at = [], 0
    for use in uses_of(text):
        called = (earlier or (lambda name: name.name)) if use.earlier else new
        parts += [text[at : use.start], called(use.name)]
        at = use.end
    return "".join((*parts, text[at:]))


class _Machine:
    """What a machine defines, by kind, as far as other places name it."""

    def __init__(self, spec: dict[str, yaml.Node]) -> None:
        self.states = set(_mapping(spec.get("states")))
        self.groups = set(_mapping(spec.get("groups")))
        self.guards = set(_mapping(spec.get("guards")))
        self.variables = {
            name: _mapping(node)["type"].value
            for name, node in _mapping(spec.get("context")).items()
        }
        self.fields = {
            event: {
                field: _mapping(each)["type"].value
                for field, each in _mapping(_mapping(node).get("payload")).items()
            }
            for event, node in _mapping(spec.get("events")).items()
        }
        self.collections = {
            name: _mapping(node)["machine"].value
            for name, node in _mapping(spec.get("collections")).items()
        }


class _Finder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._root = _mapping(yaml.compose(text, Loader=yaml.BaseLoader))
        self._enums = {
            name: [one.value for one in _listed(node)]
            for name, node in _mapping(self._root.get("enums")).items()
        }
        self._machines = {
            name: _Machine(_mapping(node))
            for name, node in _mapping(self._root["machines"]).items()
        }
        self._found: list[Use] = []

    def uses(self) -> list[Use]:
        self._is(self._root["lifecycle"], "lifecycle")
        for key, listed in _pairs(self._root.get("enums")):
            self._is(key, "enum")
            for one in _listed(listed):
                self._is(one, "member", key.value)
        for key, spec in _pairs(self._root["machines"]):
            self._is(key, "machine")
            self._machine(key.value, _mapping(spec))
        for migration in _listed(self._root.get("migrations")):
            self._migration(_mapping(migration))
        return self._found

    def _add(self, start: int, name: Name, *, earlier: bool = False) -> None:
        end = start + len(name.name)
        assert self._text[start:end] == name.name, (self._text[start:end], name)
        self._found.append(Use(start, end, name, earlier))

    def _is(self, node: yaml.Node, kind: str, owner: str = "", *, earlier: bool = False) -> None:
        self._add(_start(node), Name(kind, owner, node.value), earlier=earlier)

    def _machine(self, name: str, spec: dict[str, yaml.Node]) -> None:
        machine = self._machines[name]
        self._is(spec["initial"], "state", name)
        for key, _ in _pairs(spec["states"]):
            self._is(key, "state", name)
        for key, listed in _pairs(spec.get("groups")):
            self._is(key, "group", name)
            self._states(listed, name)
        for key, node in _pairs(spec.get("context")):
            self._is(key, "variable", name)
            self._typed(node, name)
        for key, node in _pairs(spec.get("events")):
            self._is(key, "event", name)
            for field, each in _pairs(_mapping(node).get("payload")):
                self._is(field, "field", f"{name}.{key.value}")
                self._typed(each, name)
        for key, node in _pairs(spec.get("guards")):
            self._is(key, "guard", name)
            self._expression(node, name)
        for key, node in _pairs(spec.get("collections")):
            self._is(key, "collection", name)
            self._is(_mapping(node)["machine"], "machine")
            member = machine.collections[key.value]
            for state, events in _pairs(_mapping(node).get("accepts")):
                self._states(state, name)
                self._events(events, member)
            self._states(_mapping(node).get("grows"), name)
        for row in _listed(spec.get("transitions")):
            self._row(_mapping(row), name)
        for each in _listed(spec.get("ignored")):
            self._states(_mapping(each)["in"], name)
            self._events(_mapping(each)["on"], name)
        for key, node in _pairs(spec.get("invariants")):
            self._is(key, "invariant", name)
            self._states(_mapping(node).get("in"), name)
            self._expression(_mapping(node)["holds"], name)
        progress = _mapping(spec.get("progress"))
        for measure in _listed(progress.get("decreases")):
            self._expression(measure, name)
        self._events(progress.get("except"), name)
        self._roles(_mapping(spec.get("roles")), name)

    def _typed(self, node: yaml.Node, machine: str) -> None:
        """A variable or field: its type, and the constants and conditions that go with it."""
        spec = _mapping(node)
        kind = spec["type"].value
        if kind in self._enums:
            self._is(spec["type"], "enum")
            for given in ("initial", "default"):
                if given in spec:
                    self._is(spec[given], "member", kind)
        if "where" in spec:
            self._expression(spec["where"], machine)

    def _row(self, row: dict[str, yaml.Node], name: str) -> None:
        machine = self._machines[name]
        self._states(row["from"], name)
        self._is(row["on"], "event", name)
        if isinstance(row["to"], yaml.MappingNode):
            to = _mapping(row["to"])
            self._is(to["history"], "group", name)
            if "default" in to:
                self._is(to["default"], "state", name)
        else:
            self._is(row["to"], "state", name)
        if "when" in row:
            self._expression(row["when"], name, row["on"].value)
        for key, value in _pairs(row.get("set")):
            self._is(key, "variable", name)
            self._expression(value, name, row["on"].value, machine.variables[key.value])
        for key, sent in _pairs(row.get("members")):
            self._is(key, "collection", name)
            for state, event in _pairs(sent):
                self._states(state, machine.collections[key.value])
                self._is(event, "event", machine.collections[key.value])

    def _states(self, node: yaml.Node | None, name: str) -> None:
        for one in _listed(node):
            kind = "group" if one.value in self._machines[name].groups else "state"
            self._is(one, kind, name)

    def _events(self, node: yaml.Node | None, name: str) -> None:
        for one in _listed(node):
            self._is(one, "event", name)

    def _expression(
        self, node: yaml.Node, name: str, event: str = "", wanted: str = "", *, old: bool = False
    ) -> None:
        """The names in an expression of a machine; `wanted` is the type that it is to have."""
        start = _start(node)
        end = node.end_mark.index - (1 if node.style in ("'", '"') else 0)
        machine, source = self._machines[name], self._text[start:end]
        members = {member for listed in self._enums.values() for member in listed}
        tokens = [(match[0], start + match.start()) for match in _TOKEN.finditer(source)]
        for place, (token, at) in enumerate(tokens):
            if token in _WORDS:
                continue
            if old and (token in machine.variables or token not in members):
                self._add(at, Name("variable", name, token), earlier=True)
                continue
            first, _, rest = token.partition(".")
            if first == "event":
                self._add(at + 6, Name("field", f"{name}.{event}", rest))
            elif first == "history":
                self._add(at + 8, Name("group", name, rest))
            elif rest:
                self._add(at, Name("collection", name, first))
                if rest != "total":
                    member = machine.collections[first]
                    self._add(at + len(first) + 1, Name("state", member, rest))
            elif token in machine.variables:
                self._add(at, Name("variable", name, token))
            elif token in machine.guards:
                self._add(at, Name("guard", name, token))
            else:
                beside = [t for t, _ in tokens[max(0, place - 1) : place + 2]]
                if any(each.startswith("history.") for each in beside):
                    self._add(at, Name("state", name, token))
                    continue
                types = [wanted, *(self._type(machine, event, each) for each in beside)]
                self._add(at, Name("member", self._enum_of(token, types), token))

    def _type(self, machine: _Machine, event: str, token: str) -> str:
        if token.startswith("event."):
            return machine.fields[event][token[6:]]
        return machine.variables.get(token, "")

    def _enum_of(self, member: str, types: list[str]) -> str:
        having = [name for name, members in self._enums.items() if member in members]
        return next((one for one in types if one in having), having[0])

    def _roles(self, roles: dict[str, yaml.Node], name: str) -> None:
        owned = self._machines[name]
        for role, node in roles.items():
            spec = _mapping(node)
            if role in _STATES:
                self._states(node, name)
            elif role in ("phases", "resume"):
                for state, event in _pairs(node):
                    self._is(state, "state", name)
                    self._is(event, "event", name)
            elif role == "outcomes":
                for state, _ in _pairs(node):
                    self._is(state, "state", name)
            elif role in ("attempts", "crashes"):
                for one in spec.values() or (node,):
                    self._is(one, "variable", name)
            elif not spec:
                for one in _listed(node):
                    self._dotted(one, name)
            else:
                self._is(spec["event"], "event", name)
                event = spec["event"].value
                given = {key: each for key, each in spec.items() if key not in ("event", "causes")}
                for key, one in given.items():
                    if key in ("marks", "counts"):
                        self._is(one, "variable", name)
                    elif one.value != "null":
                        self._is(one, "field", f"{name}.{event}")
                causes = [*owned.fields[event].values()]
                enum = owned.fields[event].get(getattr(given.get("cause"), "value", ""), "")
                enum = enum or next((one for one in causes if one in self._enums), "")
                for _, one in _pairs(spec.get("causes")):
                    self._is(one, "member", enum)

    def _dotted(self, node: yaml.Node, name: str) -> None:
        event, _, field = node.value.partition(".")
        self._add(_start(node), Name("event", name, event))
        if field:
            at = _start(node) + len(event) + 1
            self._add(at, Name("field", f"{name}.{event}", field))

    def _migration(self, spec: dict[str, yaml.Node]) -> None:
        for part in ("states", "events"):
            for key, renames in _pairs(spec.get(part)):
                self._is(key, "machine")
                for old, new in _pairs(renames):
                    self._is(old, part[:-1], key.value, earlier=True)
                    self._is(new, part[:-1], key.value)
        for key, values in _pairs(spec.get("context")):
            self._is(key, "machine")
            for entry, value in _pairs(values):
                variable = self._machines[key.value].variables.get(entry.value, "")
                if entry.value.startswith("history."):
                    self._add(_start(entry) + 8, Name("group", key.value, entry.value[8:]))
                    self._is(value, "state", key.value)
                else:
                    self._is(entry, "variable", key.value)
                    self._expression(value, key.value, wanted=variable, old=True)
        for key, types in _pairs(spec.get("old")):
            self._is(key, "machine")
            for old, kind in _pairs(types):
                self._is(old, "variable", key.value, earlier=True)
                if kind.value in self._enums:
                    self._is(kind, "enum")
        for key, ids in _pairs(spec.get("retired")):
            self._is(key, "machine")
            for one in _listed(ids):
                state, _, rest = one.value.partition(".")
                event = rest.partition(".")[0]
                self._add(_start(one), Name("state", key.value, state), earlier=True)
                if event:
                    at = _start(one) + len(state) + 1
                    self._add(at, Name("event", key.value, event), earlier=True)


def _start(node: yaml.Node) -> int:
    start: int = node.start_mark.index
    return start + (1 if node.style in ("'", '"') else 0)


def _pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from node.value


def _mapping(node: yaml.Node | None) -> dict[str, yaml.Node]:
    return {key.value: value for key, value in _pairs(node)}


def _listed(node: yaml.Node | None) -> list[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None or node.value == "" else [node]
