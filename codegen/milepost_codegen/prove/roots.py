"""What is wrong only because something else is: rows that nothing leads to, or nobody creates."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.model import Lifecycle
    from milepost_codegen.prove.report import Result

__all__ = ["rooted"]


def rooted(lifecycle: Lifecycle, results: Sequence[Result]) -> list[Result]:
    """The results; what is refuted since nothing can be created, or leads there, says by what."""
    sources = {
        (machine.name, one.id): one.source
        for machine in lifecycle.machines
        for one in machine.transitions
    }
    targets: dict[tuple[str, str], list[str]] = {}
    for machine in lifecycle.machines:
        for one in machine.transitions:
            if one.source != one.target:
                targets.setdefault((machine.name, one.target), []).append(one.id)
    initial = {machine.name: machine.initial for machine in lifecycle.machines}
    dead = {
        (one.obligation.machine, one.obligation.subject): one.obligation.key
        for one in results
        if one.obligation.kind == "row" and one.verdict == "refuted"
    }

    def root(machine: str, row: str, seen: frozenset[str]) -> str:
        state = sources[machine, row]
        into = targets.get((machine, state), [])
        if state in seen or state == initial[machine]:
            return ""
        if not into or any((machine, one) not in dead for one in into):
            return ""
        for one in into:
            above = root(machine, one, seen | {state})
            return above or dead[machine, one]
        return ""

    nothing = {
        one.obligation.machine: one.obligation.key
        for one in results
        if one.obligation.kind == "parameters" and one.verdict == "refuted"
    }
    found: list[Result] = []
    for result in results:
        above = nothing.get(result.obligation.machine, "")
        if above and result.verdict == "refuted" and result.obligation.key != above:
            found.append(replace(result, root=above))
            continue
        key = (result.obligation.machine, result.obligation.subject)
        is_dead = key in dead and result.obligation.kind == "row"
        found.append(replace(result, root=root(*key, frozenset())) if is_dead else result)
    return found
