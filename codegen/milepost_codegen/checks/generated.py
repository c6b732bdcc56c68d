"""Names that would clash in the generated module, or that Python cannot have there."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from milepost_codegen.names import (
    IMPORTED,
    OF_CONTEXTS,
    OF_STATES,
    attribute,
    history_attribute,
    public_names,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.findings import Findings, Place
    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.source import Source

__all__ = ["check_generated"]


def check_generated(lifecycle: Lifecycle, source: Source, findings: Findings) -> None:
    """Report names of the definition that lead to one name in the module."""
    taken: dict[str, tuple[str, Place]] = {}
    for name, what, place in public_names(lifecycle):
        if name in IMPORTED or keyword.iskeyword(name):
            message = f"{what} would be called '{name}', which means something else in the module"
            findings.report("E211", place, message, "rename it")
        elif name in taken:
            other, first = taken[name]
            findings.report(
                "E211",
                place,
                f"{what} and {other} (line {first.line}) would both be called '{name}'",
                "rename one of them",
            )
        taken.setdefault(name, (what, place))
    for machine in lifecycle.machines:
        _check_attributes(machine, findings)
        for event in machine.events:
            for field in event.fields:
                kept = keyword.iskeyword(field.name) or field.name in IMPORTED
                if kept or field.name == "event":
                    path = "machines", machine.name, "events", event.name, "payload", field.name
                    findings.report(
                        "E211",
                        source.key_at(*path),
                        f"no field of a payload can be called '{field.name}' in the module",
                        "rename it",
                    )
        for variable in machine.variables:
            if variable.param and (keyword.iskeyword(variable.name) or variable.name == "self"):
                findings.report(
                    "E211",
                    variable.place,
                    f"no parameter can be called '{variable.name}' in Python",
                    "rename it",
                )


def _check_attributes(machine: Machine, findings: Findings) -> None:
    """Report names that would be one attribute of the machine's typed states or of its context."""
    events = ((event.name, event.place) for event in machine.events)
    _check_distinct(events, OF_STATES, "a typed state", findings)
    entries = [
        *((variable.name, variable.place) for variable in machine.variables),
        *((collection.name, collection.place) for collection in machine.collections),
        *((history_attribute(group.group), machine.place) for group in machine.histories),
    ]
    _check_distinct(entries, OF_CONTEXTS, "the typed context", findings)
    for collection in machine.collections:
        states = ((state, collection.place) for state in collection.states)
        _check_distinct(states, OF_CONTEXTS, "the typed counts", findings)


def _check_distinct(
    names: Iterable[tuple[str, Place]], kept: frozenset[str], where: str, findings: Findings
) -> None:
    taken: set[str] = set()
    for name, place in names:
        called = attribute(name, kept)
        if called in taken:
            findings.report(
                "E211",
                place,
                f"'{name}' would be the attribute '{called}' of {where}, which is there already",
                "rename it",
            )
        taken.add(called)
