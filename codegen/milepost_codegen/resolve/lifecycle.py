"""A whole definition to the resolved lifecycle, with the doubts that are left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.expressions import Type
from milepost_codegen.model import Enum, Lifecycle
from milepost_codegen.resolve.growth import resolve_growth
from milepost_codegen.resolve.machine import resolve_machine
from milepost_codegen.resolve.migrations import resolve_migrations
from milepost_codegen.resolve.outline import OPAQUE, one_line, outline
from milepost_codegen.resolve.reporter import Doubts, Reporter
from milepost_codegen.resolve.roles import resolve_roles

if TYPE_CHECKING:
    from collections.abc import Mapping

    from milepost_codegen.definition import LifecycleFile
    from milepost_codegen.findings import Findings
    from milepost_codegen.source import Source

__all__ = ["Resolution", "resolve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The lifecycle as far as it could be read, and by machine what could not."""

    lifecycle: Lifecycle
    doubts: Mapping[str, Doubts]


def resolve(written: LifecycleFile, source: Source, findings: Findings) -> Resolution:
    """The lifecycle of a definition; reports every name and type that is wrong."""
    doubts = {name: Doubts() for name in written.machines}
    reporters = {
        name: Reporter(source=source, findings=findings, doubts=doubts[name]) for name in doubts
    }
    types = _types(written, source, findings)
    outlines = {
        name: outline(name, machine, types, reporters[name])
        for name, machine in written.machines.items()
    }
    machines = tuple(
        resolve_machine(name, machine, outlines, types, reporters[name])
        for name, machine in written.machines.items()
    )
    machines = resolve_growth(written, machines, reporters)
    machines = resolve_roles(written, machines, reporters)
    lifecycle = Lifecycle(
        name=written.lifecycle,
        version=written.version,
        doc=one_line(written.doc),
        enums=tuple(
            Enum(type=kind, place=source.key_at("enums", name)) for name, kind in types.items()
        ),
        machines=machines,
        migrations=resolve_migrations(written, machines, types, reporters),
    )
    return Resolution(lifecycle=lifecycle, doubts=doubts)


def _types(written: LifecycleFile, source: Source, findings: Findings) -> dict[str, Type]:
    reporter = Reporter(source=source, findings=findings, doubts=Doubts())
    types: dict[str, Type] = {}
    for name, members in written.enums.items():
        if name in ("bool", "int", *OPAQUE):
            place = source.key_at("enums", name)
            findings.report("E210", place, f"the enum '{name}' clashes with a type", "rename it")
            continue
        for index, member in enumerate(members):
            place = source.at("enums", name, index)
            reporter.speakable("member", member, place)
            if member in members[:index]:
                findings.report("E210", place, f"the member '{member}' is given twice")
        types[name] = Type(name=name, members=tuple(dict.fromkeys(members)))
    return types
