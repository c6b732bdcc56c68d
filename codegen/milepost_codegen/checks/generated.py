"""Names that would clash in the generated module, or that Python cannot have there."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from milepost_codegen.names import IMPORTED, public_names

if TYPE_CHECKING:
    from milepost_codegen.findings import Findings, Place
    from milepost_codegen.model import Lifecycle
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
