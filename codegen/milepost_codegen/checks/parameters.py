"""Parameters that no values satisfy: nothing could ever be created."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.checks.questions import Questions

if TYPE_CHECKING:
    from milepost_codegen.expressions import Expression
    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Machine
    from milepost_codegen.source import Source

__all__ = ["check_parameters"]


def check_parameters(machine: Machine, source: Source, findings: Findings) -> bool:
    """True if some values may satisfy every `where`; reports those that certainly exclude it."""
    questions = Questions()
    told: dict[str, Expression] = {
        one.name: one.where for one in machine.variables if one.param and one.where is not None
    }
    if not questions.never(told.values()):
        return True
    for name in list(told):  # the fewest that exclude each other
        rest = {one: tree for one, tree in told.items() if one != name}
        if questions.never(rest.values()):
            told = rest
    *others, last = (f"'{name}'" for name in told)
    if others:
        which = f"no values satisfy the 'where' of {', '.join(others)} and {last} together"
    else:
        which = f"no value of {last} satisfies its 'where'"
    name = list(told)[-1]
    findings.report(
        "E309",
        source.at("machines", machine.name, "context", name, "where"),
        which,
        f"nothing of '{machine.name}' can be created",
    )
    return False
