"""Names of earlier versions: what `was` may claim."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Event, Field, Machine, State, Variable
    from milepost_codegen.source import Path, Source

__all__ = ["check_earlier_names"]


def check_earlier_names(machine: Machine, source: Source, findings: Findings) -> None:
    """Report every `was` that names the part itself, or what another part is or was."""
    path = ("machines", machine.name)
    kinds: list[tuple[str, Sequence[State | Event | Variable | Field], Path]] = [
        ("state", machine.states, (*path, "states")),
        ("event", machine.events, (*path, "events")),
        ("variable", machine.variables, (*path, "context")),
    ]
    kinds += [
        ("payload field", event.fields, (*path, "events", event.name, "payload"))
        for event in machine.events
    ]
    for kind, parts, where in kinds:
        _check(kind, parts, where, source, findings)


def _check(
    kind: str,
    parts: Sequence[State | Event | Variable | Field],
    path: Path,
    source: Source,
    findings: Findings,
) -> None:
    claimed = {part.name: part.name for part in parts if not part.was}
    for part in parts:
        if not part.was:
            continue
        place = source.at(*path, part.name, "was")
        owner = claimed.setdefault(part.was, part.name)
        if part.was == part.name:
            findings.report(
                "E603", place, f"'{part.name}' has the name that it had", "drop the 'was'"
            )
        elif owner == part.was:
            findings.report(
                "E603",
                place,
                f"there is still a {kind} '{part.was}'",
                f"if '{part.was}' means something new, say what it was or rename it",
            )
        elif owner != part.name:
            findings.report("E603", place, f"'{owner}' was '{part.was}' already")
