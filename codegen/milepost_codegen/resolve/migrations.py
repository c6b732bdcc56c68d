"""What jobs of older versions need to go on: names looked up, values typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.expressions import Scope, Type
from milepost_codegen.model import Answers, Assignment, Migration
from milepost_codegen.resolve.outline import read_type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.definition import LifecycleFile, MigrationFile
    from milepost_codegen.model import Machine
    from milepost_codegen.resolve.reporter import Reporter
    from milepost_codegen.source import Path

__all__ = ["resolve_migrations"]


def resolve_migrations(
    written: LifecycleFile,
    machines: Sequence[Machine],
    types: Mapping[str, Type],
    reporters: Mapping[str, Reporter],
) -> tuple[Migration, ...]:
    """The migrations in the order of the file; reports unknown names and wrong versions."""
    known = {machine.name: machine for machine in machines}
    seen: set[int] = set()
    found: list[Migration] = []
    for index, part in enumerate(written.migrations):
        path: Path = ("migrations", index)
        reporter = next(iter(reporters.values()))
        if part.version >= written.version:
            reporter.report(
                "E601",
                (*path, "from"),
                f"version {part.version} is not older than this one, version {written.version}",
                "raise the file's 'version', or mend 'from'",
            )
        elif part.version in seen:
            message = f"there is a migration from version {part.version} already"
            reporter.report("E602", (*path, "from"), message, "put both together")
        seen.add(part.version)
        _check_machines(part, path, known, reporter)
        found.append(
            Migration(
                version=part.version,
                answers=tuple(
                    _answers(part, path, machine, types, reporters[machine.name])
                    for machine in machines
                ),
                place=reporter.source.at(*path),
            )
        )
    return tuple(found)


def _check_machines(
    part: MigrationFile, path: Path, known: Mapping[str, Machine], reporter: Reporter
) -> None:
    for key in ("states", "context", "events", "old", "retired"):
        for name in getattr(part, key):
            reporter.lookup("machine", name, known, reporter.source.key_at(*path, key, name))


def _answers(
    part: MigrationFile,
    path: Path,
    machine: Machine,
    types: Mapping[str, Type],
    reporter: Reporter,
) -> Answers:
    states = [state.name for state in machine.states]
    events = [event.name for event in machine.events]
    old = _old(part, path, machine, types, reporter)
    return Answers(
        machine=machine.name,
        states=_mapped("state", part.states, states, (*path, "states"), machine, reporter),
        events=_mapped("event", part.events, events, (*path, "events"), machine, reporter),
        values=_values(part, path, machine, types, old, reporter),
        old=tuple(old.items()),
        retired=tuple(part.retired.get(machine.name, ())),
    )


def _mapped(
    kind: str,
    given: Mapping[str, Mapping[str, str]],
    known: Sequence[str],
    path: Path,
    machine: Machine,
    reporter: Reporter,
) -> tuple[tuple[str, str], ...]:
    """Old names with the names of this version that they lead to."""
    pairs: list[tuple[str, str]] = []
    for old, new in given.get(machine.name, {}).items():
        place = reporter.source.at(*path, machine.name, old)
        found = reporter.lookup(kind, new, known, place)
        if found:
            pairs.append((old, found))
    return tuple(pairs)


def _old(
    part: MigrationFile,
    path: Path,
    machine: Machine,
    types: Mapping[str, Type],
    reporter: Reporter,
) -> dict[str, Type]:
    found: dict[str, Type] = {}
    for name, kind in part.old.get(machine.name, {}).items():
        where = (*path, "old", machine.name, name)
        read = read_type(kind, types, reporter, reporter.source.at(*where))
        if read:
            found[name] = read
    return found


def _values(
    part: MigrationFile,
    path: Path,
    machine: Machine,
    types: Mapping[str, Type],
    old: Mapping[str, Type],
    reporter: Reporter,
) -> tuple[Assignment, ...]:
    """The values for this version's context; they read the old one by its own names.

    An old variable has the type that it has here, unless `old` gives another. What has a
    value of its own here and no earlier name is taken to be new, and cannot be read.
    """
    given = part.context.get(machine.name, {})
    remembered = {history.entry: history.type for history in machine.histories}
    wanted = {variable.name: variable.type for variable in machine.variables} | remembered
    kept = {
        variable.was or variable.name: variable.type
        for variable in machine.variables
        if variable.was or variable.name not in given
    }
    entries = {**kept, **old}
    scope = Scope(
        entries=entries,
        enums=(*types.values(), *remembered.values()),
        broken=frozenset(set(part.old.get(machine.name, {})) - set(old)),
        hidden={
            name: f"is taken to be new; if version {part.version} had it, say its type under 'old'"
            for name in wanted
            if name not in entries
        }
        | dict.fromkeys(remembered, "is a history, which the values of a migration do not read"),
    )
    found: list[Assignment] = []
    for name, text in given.items():
        where = (*path, "context", machine.name, name)
        known = reporter.lookup("variable", name, wanted, reporter.source.key_at(*where))
        if known:
            value = reporter.expression(text, wanted[known], scope, *where)
            if value is not None:
                found.append(Assignment(name=known, value=value))
    return tuple(found)
