"""Which states can be reached, which can end, and which histories are surely remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Machine, State, Transition
    from milepost_codegen.resolve import Doubts

__all__ = ["check_reachability"]


def check_reachability(machine: Machine, doubts: Doubts, findings: Findings) -> None:
    """Report unreachable states, states without an end, and histories that may be unset.

    Guards are taken to allow everything, so what is reported is certain.
    """
    _check_final(machine, findings)
    if doubts.rows_missing:
        return
    edges = {(one.source, one.target) for one in machine.transitions}
    reachable = _closure({machine.initial}, edges)
    for state in machine.states:
        if state.name not in reachable:
            findings.report(
                "E401",
                state.place,
                f"the state '{state.name}' cannot be reached from '{machine.initial}'",
                "add a row that leads to it, or remove it",
            )
    _check_ends(machine, edges, reachable, findings)
    _check_histories(machine, findings)


def _check_final(machine: Machine, findings: Findings) -> None:
    final = set(machine.final)
    by_row: dict[int, list[Transition]] = {}
    for one in machine.transitions:
        if one.row is not None and one.source in final:
            by_row.setdefault(one.row, []).append(one)
    for leaving in by_row.values():
        states = " and ".join(f"'{one}'" for one in dict.fromkeys(x.source for x in leaving))
        findings.report(
            "E403",
            leaving[0].place,
            f"a row out of the final state {states}",
            f"list '{leaving[0].event}' under 'ignored' if it shall have no effect",
        )


def _check_ends(
    machine: Machine, edges: set[tuple[str, str]], reachable: set[str], findings: Findings
) -> None:
    """Every reachable state must lead to a final or perpetual one."""
    ends = {state.name for state in machine.states if state.final or state.perpetual}
    if not ends:
        findings.report(
            "E402",
            machine.place,
            f"the machine '{machine.name}' has no final state",
            "mark a state with 'final: true', or one in which it may stay with 'perpetual: true'",
        )
        return
    ending = _closure(ends, {(target, source) for source, target in edges})
    for state in machine.states:
        if state.name in reachable and state.name not in ending:
            findings.report(
                "E402",
                state.place,
                f"the state '{state.name}' has no way to a final state",
                _advice(state, edges),
            )


def _advice(state: State, edges: Iterable[tuple[str, str]]) -> str:
    leaves = any(source == state.name != target for source, target in edges)
    final = "" if leaves else "mark it with 'final: true', "
    return f"{final}add a row, or mark it with 'perpetual: true' if it may last for ever"


def _check_histories(machine: Machine, findings: Findings) -> None:
    """A history without a default must be set on every way to where it is used."""
    for history in machine.histories:
        group = set(history.states)
        edges = {
            (one.source, one.target)
            for one in machine.transitions
            if not (one.source in group and one.target not in group)
        }
        without_leaving = _closure({machine.initial}, edges)
        for one in machine.transitions:
            if (
                one.history == history.group
                and not one.history_default
                and one.source in without_leaving
            ):
                findings.report(
                    "E409",
                    one.place,
                    f"'{one.source}' can be reached before '{history.group}' was ever left",
                    "say where to go then: {history: "
                    f"{history.group}, default: {history.initial}}}",
                )
                break


def _closure(start: set[str], edges: set[tuple[str, str]]) -> set[str]:
    """All that can be reached from `start` along `edges`."""
    reached = set(start)
    pending = list(start)
    after: dict[str, list[str]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
    while pending:
        for target in after.get(pending.pop(), ()):
            if target not in reached:
                reached.add(target)
                pending.append(target)
    return reached
