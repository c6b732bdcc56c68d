"""A whole generated module against the lifecycle that it was generated from."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from milepost import machine as table_types
from milepost_codegen.diff.names import machine_names
from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.expressions import INT
from milepost_codegen.names import constant_name, guard_function
from milepost_codegen.validate.difference import Difference, Different, Parts
from milepost_codegen.validate.functions import assigns, holds, holds_in, selects
from milepost_codegen.validate.reading import Called, Made, Module, made
from milepost_codegen.validate.tables import machine_table, transition_table
from milepost_codegen.validate.terms import Types
from milepost_codegen.validate.typed import Typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.certificate import Proofs
    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.model import Invariant, Lifecycle, Machine, Transition

__all__ = ["validate_module"]

_One = TypeVar("_One")


def validate_module(
    text: str,
    lifecycle: Lifecycle,
    earlier: Sequence[Lifecycle] = (),
    proofs: Proofs | None = None,
) -> tuple[Difference, ...]:
    """What the module in `text` says otherwise than `lifecycle`; nothing if they are proved equal.

    Compared are the guards, `where`s, invariants, the functions that pick and that assign, every
    table, the methods of typed states and the functions around them, and what a migration from one
    of the `earlier` versions gives. Texts for people in the tables are compared as texts. Not
    compared are docstrings and annotations, and the typed views of contexts and payloads, whose
    fields are checked where they enter.

    Args:
        text: The module, of which nothing is run.
        lifecycle: The definition, resolved.
        earlier: The versions that the module knows how to go on from.
        proofs: What steps need not look at.

    Cost:
        About that of parsing the text, as long as the code has the form of the definition.
    """
    try:
        module = Module(text)
    except Different as problem:
        found = Difference(name="the module", message=problem.message, line=problem.line or 1)
        return (found,)
    return _Validation(module, lifecycle, earlier, proofs).run()


class _Validation:
    """The comparison of one module, part by part: each part may differ for itself."""

    def __init__(
        self,
        module: Module,
        lifecycle: Lifecycle,
        earlier: Sequence[Lifecycle],
        proofs: Proofs | None,
    ) -> None:
        self.module = module
        self.lifecycle = lifecycle
        self.earlier = earlier
        self.proofs = proofs
        self.parts = Parts()

    def run(self) -> tuple[Difference, ...]:
        for machine in self.lifecycle.machines:
            self.parts.compare(constant_name(machine.name), self.machine, machine)
        self.parts.compare("LIFECYCLE", self.whole)
        return tuple(self.parts.found)

    def machine(self, machine: Machine) -> None:
        """Compare the tables of a machine, and every function that they name."""
        table = self.module.value(constant_name(machine.name))
        if not isinstance(table, Made) or table.type != table_types.Machine.__name__:
            raise Different("is no machine")
        types = _types(machine)
        for guard in machine.guards:
            name = guard_function(machine.name, guard.name)
            self.parts.compare(name, _holds, self.module, name, guard.body, types)
        functions = {
            "rows": table.parts["rows"],
            "wheres": self.wheres(machine, table, types),
            "invariants": self.invariants(machine, table, types),
        }
        rows = self.transitions(machine, table)
        enforced = None
        if self.proofs is not None:
            names = tuple(one.name for one in machine.invariants)
            enforced = self.proofs.enforced(machine.name, names)
        meant = machine_table(machine, rows, functions, enforced)
        for name, value in meant.parts.items():
            if name != "transitions":
                label = f"{constant_name(machine.name)}.{name}"
                self.parts.compare(label, _same, table.parts[name], value)
        self.selections(machine, table)
        Typed(self.module, machine, table, enforced).compare(self.parts)

    def wheres(self, machine: Machine, table: Made, types: Types) -> dict[str, object]:
        """Compare the conditions on parameters; the functions by the parameters' names."""
        found: dict[str, object] = {}
        for one, part in _beside(machine.variables, table.parts["variables"]):
            function = part.parts.get("holds")
            if one.where is not None:
                name = _called(function)
                self.parts.compare(name, _holds, self.module, name, one.where, types)
                found[one.name] = function
        return found

    def invariants(self, machine: Machine, table: Made, types: Types) -> dict[str, object]:
        """Compare the invariants; the functions by their names."""
        told = table.parts["invariants"]
        found: dict[str, object] = dict(told) if isinstance(told, dict) else {}
        for one in machine.invariants:
            name = _called(found.get(one.name))
            self.parts.compare(name, _holds_in, self.module, name, one, types)
        return found

    def transitions(self, machine: Machine, table: Made) -> tuple[Made, ...]:
        """Compare the rows; what their tables must be."""
        found: list[Made] = []
        for one, part in _beside(machine.transitions, table.parts["transitions"]):
            self.parts.compare(f"row {one.id}", self.transition, machine, one, part)
            found.append(part)
        return tuple(found)

    def transition(self, machine: Machine, one: Transition, part: Made) -> None:
        """Compare one row with its table, and with the function that it assigns by."""
        function = part.parts.get("assign")
        meant = transition_table(one, function)
        for name, value in meant.parts.items():
            if repr(part.parts.get(name)) != repr(value):
                shown = part.parts.get(name)
                raise Different(f"has {name} = {shown!r} and not {value!r}", part.line)
        node = None if function is None else self.module.function(_called(function))
        assigns(node, one.assignments, _types(machine, one.event))

    def selections(self, machine: Machine, table: Made) -> None:
        """Compare the functions that pick rows, and that there is one for each pair."""
        rows, pairs = table.parts["rows"], machine.pairs
        ids = {
            name: str(row.parts["id"])
            for name, row in self.module.rows_of(table.parts["transitions"]).items()
        }
        named = {
            (state, event): function
            for state, events in (rows.items() if isinstance(rows, dict) else ())
            for event, function in events.items()
        }
        if list(named) != list(pairs):
            raise Different("does not answer exactly the events of its rows")
        for pair, function in named.items():
            name = _called(function)
            payload = _types(machine, pair[1])
            self.parts.compare(name, _selects, self.module, name, pairs[pair], ids, payload)

    def whole(self) -> None:
        """Compare the table of the lifecycle, and what its upgrades give."""
        table = self.module.value("LIFECYCLE")
        if not isinstance(table, Made) or table.type != table_types.Lifecycle.__name__:
            raise Different("is no lifecycle")
        own = self.lifecycle
        meant = made(
            table_types.Lifecycle,
            {
                "name": own.name,
                "version": own.version,
                "digest": digest_of_meaning(own),
                "doc": own.doc,
                "enums": {one.type.name: one.type.members for one in own.enums},
                "machines": {
                    one.name: self.module.value(constant_name(one.name)) for one in own.machines
                },
                "upgrades": table.parts["upgrades"],
                "certificate": "" if self.proofs is None else self.proofs.name,
            },
        )
        for name, value in meant.parts.items():
            self.parts.compare(f"LIFECYCLE.{name}", _same, table.parts[name], value)
        self.parts.compare("LIFECYCLE.upgrades", self.upgrades, table.parts["upgrades"])

    def upgrades(self, told: object) -> None:
        """Compare the ways from earlier versions: the names that they lead to, and the values."""
        found = told if isinstance(told, dict) else {}
        if list(found) != [digest_of_meaning(old) for old in self.earlier]:
            raise Different("does not go on from exactly the earlier versions")
        for old, upgrade in zip(self.earlier, found.values(), strict=True):
            if upgrade.parts["version"] != old.version:
                raise Different(f"goes on from version {upgrade.parts['version']}", upgrade.line)
            if upgrade.parts["verdict"] == "breaking":
                continue
            names = machine_names(old, self.lifecycle)
            machines = upgrade.parts["machines"]
            if list(machines) != list(names):
                raise Different("does not go on with the machines of both", upgrade.line)
            before = {machine.name: machine for machine in old.machines}
            for name, way in names.items():
                part = machines[name]
                types = _types(before[name])
                values = way.answers.values if way.answers else ()
                now = next(one for one in self.lifecycle.machines if one.name == name)
                read = Types(context={**types.context}, given=_types(now).context)
                function = part.parts["given"]
                node = None if function is None else self.module.function(_called(function))
                label = _called(function) if function is not None else f"upgrade of {name}"
                self.parts.compare(label, assigns, node, values, read, whole=False)
                states = {s.name: way.moved_states.get(s.name, "") for s in before[name].states}
                moved = {old_name: new for old_name, new in states.items() if new}
                self.parts.compare(f"states of {name}", _same, part.parts["states"], moved)


def _types(machine: Machine, event: str = "") -> Types:
    """The types of a machine's context and of the payload of one of its events."""
    context: dict[str, Type] = {one.name: one.type for one in machine.variables}
    for collection in machine.collections:
        context.update(dict.fromkeys(collection.entries, INT))
    context.update({history.entry: history.type for history in machine.histories})
    payload = {
        field.name: field.type
        for one in machine.events
        if one.name == event
        for field in one.fields
    }
    return Types(context=context, payload=payload)


def _holds(module: Module, name: str, meant: Expression, types: Types) -> None:
    holds(module.function(name), meant, types)


def _holds_in(module: Module, name: str, meant: Invariant, types: Types) -> None:
    holds_in(module.function(name), meant, types)


def _selects(
    module: Module,
    name: str,
    rows: Sequence[Transition],
    ids: Mapping[str, str],
    types: Types,
) -> None:
    selects(module.function(name), rows, ids, types)


def _same(told: object, meant: object) -> None:
    """Return if a table's part is what it must be, in the same order. Raises Different."""
    if repr(told) != repr(meant):
        raise Different(f"is {_short(told)} and not {_short(meant)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def _called(function: object) -> str:
    if not isinstance(function, Called):
        raise Different("names no function where one is due")
    return function.name


def _beside(meant: Sequence[_One], told: object) -> list[tuple[_One, Made]]:
    """Each part of the definition with its table. Raises Different if there are more or fewer."""
    found = told if isinstance(told, tuple) else ()
    if len(found) != len(meant) or not all(isinstance(one, Made) for one in found):
        raise Different(f"has {len(found)} entries where there are {len(meant)}")
    return list(zip(meant, found, strict=True))
