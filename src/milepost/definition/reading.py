"""A definition made of its file: each part checked, and its machines built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from milepost.definition.building import grown, machine_of
from milepost.definition.formulas import Formula, Scope
from milepost.definition.machines import Machine
from milepost.definition.migrating import MachineMigration
from milepost.definition.names import check_names
from milepost.definition.notation import groups_of, text_of
from milepost.definition.parsing import formula
from milepost.definition.problems import NotUnderstood, known, within
from milepost.definition.shape import check_shape
from milepost.definition.source import MOST_BYTES, Written, written_in
from milepost.definition.usage import check_enums

__all__ = ["Definition", "Unreadable", "definition_of", "read_definition"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a migration gives for one machine: states for earlier ones, and values."""

    states: Mapping[str, str]
    given: Mapping[str, Formula]


class Unreadable(NotUnderstood):
    """A file that is no definition: why, and at which line, 0 where that is not known."""

    def __init__(self, name: str, problem: str, line: int = 0) -> None:
        self.name = name
        self.problem = problem
        super().__init__(f"{name}:{line}: {problem}" if line else f"{name}: {problem}", line=line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A lifecycle as its file says it. `root` is the machine that is no member of a collection.

    `migrations` are the answers to earlier versions, by version and machine. `written` is the file
    as data, for those who read more of it.
    """

    name: str
    version: int
    root: str
    machines: Mapping[str, Machine]
    migrations: Mapping[int, Mapping[str, Answers]]
    written: Mapping[str, Any]  # Any: JSON

    def ways_from(self, old: Definition) -> dict[str, MachineMigration]:
        """For each machine that both have, how jobs of the earlier version go on."""
        told = self.migrations.get(old.version, {})
        none = Answers(states={}, given={})
        return {
            name: MachineMigration(
                old=old.machines[name],
                new=machine,
                states=told.get(name, none).states,
                given=told.get(name, none).given,
            )
            for name, machine in self.machines.items()
            if name in old.machines
        }


def read_definition(path: str | Path) -> Definition:
    """The definition in the file at `path`. Raises Unreadable, and OSError.

    PyYAML reads it, which the extra `compile` brings: without it, ModuleNotFoundError.
    """
    with Path(path).open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return definition_of(content, str(path))
    except Unreadable:
        if Path(path).suffix != ".py":
            raise
        problem = "it is a Python module: give the YAML file that it was compiled from"
        raise Unreadable(str(path), problem) from None


def definition_of(content: bytes | str, name: str) -> Definition:
    """The definition in the content of a file called `name`. Raises Unreadable."""
    written = Written(data=None, lines={})
    try:
        written = written_in(content)
        data = written.data
        check_shape(data)
        check_names(data)
        check_enums(data)
        return _definition(data)
    except NotUnderstood as error:
        raise Unreadable(name, str(error), error.line or written.line(error.path)) from None
    except RecursionError:
        raise Unreadable(name, "it is nested too deeply") from None


def _definition(data: Mapping[str, Any]) -> Definition:
    written, enums = data["machines"], data.get("enums", {})
    enums = {name: tuple(members) for name, members in enums.items()}
    machines = {}
    for name in written:
        with within(f"machine '{name}'", "machines", name):
            machines[name] = machine_of(name, written, enums)
    for name, machine in machines.items():
        machines[name] = replace(machine, collections=grown(machine, written[name], machines))
    owned = {one.machine for machine in machines.values() for one in machine.collections.values()}
    roots = [name for name in machines if name not in owned]
    return Definition(
        name=data["lifecycle"],
        version=data["version"],
        root=roots[0],
        machines=machines,
        migrations=_migrations(data, machines, enums),
        written=data,
    )


def _migrations(
    data: Mapping[str, Any],
    machines: Mapping[str, Machine],
    enums: Mapping[str, tuple[str, ...]],
) -> dict[int, Mapping[str, Answers]]:
    """The answers to earlier versions, by version and machine."""
    found: dict[int, Mapping[str, Answers]] = {}
    for at, told in enumerate(data.get("migrations", ())):
        with within(f"the migration from {told['from']}", "migrations", at):
            found[told["from"]] = {
                name: _answers(told, machine, data["machines"][name], enums)
                for name, machine in machines.items()
            }
    return found


def _answers(
    told: Mapping[str, Any],
    machine: Machine,
    written: Mapping[str, Any],
    enums: Mapping[str, tuple[str, ...]],
) -> Answers:
    """What a migration says of a machine.

    Values read the old context by its own names. An old variable has the type that it has now,
    unless `old` gives another; what has a value of its own here and no earlier name is new.
    """
    given = told.get("context", {}).get(machine.name, {})
    old = told.get("old", {}).get(machine.name, {})
    kept = {
        one.was or name: one.type
        for name, one in machine.variables.items()
        if one.was or name not in given
    }
    groups = groups_of(written)
    histories = {f"history.{group}": groups[group] for group in machine.histories}
    scope = Scope(types={**kept, **old}, members={**enums, **histories})
    wanted = {name: one.type for name, one in machine.variables.items()}
    wanted |= {name: name for name in histories}
    values = {}
    for name, value in given.items():
        with within(f"machine '{machine.name}'", "context", machine.name, name):
            values[name] = formula(text_of(value), scope, wanted[known("variable", name, wanted)])
    return Answers(states=told.get("states", {}).get(machine.name, {}), given=values)
