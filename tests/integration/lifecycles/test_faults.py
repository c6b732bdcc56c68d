"""A fault planted in a real lifecycle is found, where it is, and nothing else is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from milepost_codegen.compiler import Compiled, compile_definition
from milepost_codegen.findings import DefinitionError
from milepost_codegen.model import Machine

from .tables import NAMES, path_of


@dataclass(frozen=True)
class Fault:
    """Lines that are wrong, those after which they stand, and what is to be found in which."""

    lines: tuple[str, ...]
    after: str
    code: str
    at: int = 0


def row(source: str, event: str, target: str) -> str:
    return f"      - {{from: {source}, on: {event}, to: {target}}}"


def duplicate_row(machine: Machine) -> Fault:
    """The first row without a guard, once more."""
    one = next(one for one in machine.transitions if one.guard is None)
    return Fault((row(one.source, one.event, one.target),), "    transitions:", "E404", at=-1)


def unreachable_state(machine: Machine) -> Fault:
    """A state with a way out and none in."""
    return Fault(("      stranded: {}",), "    states:", "E401")


def conflict(machine: Machine) -> Fault:
    """Another target for a pair that has one without a guard."""
    one = next(one for one in machine.transitions if one.guard is None)
    other = next(state.name for state in machine.states if state.name != one.target)
    return Fault((row(one.source, one.event, other),), "    transitions:", "E405", at=-1)


def misspelt_state(machine: Machine) -> Fault:
    """A target with a letter too many, for a pair that has no row yet."""
    return Fault((row(*free_pair(machine), f"{machine.initial}x"),), "    transitions:", "E203")


def out_of_final(machine: Machine) -> Fault:
    """A row out of a state in which the lifecycle ends."""
    taken = {(one.source, one.event) for one in machine.transitions}
    source, event = next(
        (state, one.name)
        for state in machine.final
        for one in machine.events
        if (state, one.name) not in taken
    )
    return Fault((row(source, event, machine.initial),), "    transitions:", "E403")


def free_pair(machine: Machine) -> tuple[str, str]:
    taken = {(one.source, one.event) for one in machine.transitions}
    return next(
        (state.name, event.name)
        for state in machine.states
        for event in machine.events
        if (state.name, event.name) not in taken and not state.final
    )


ENDLESS = {"openstack_ironic_node", "taskflow_flow"}
FAULTS = [duplicate_row, unreachable_state, conflict, misspelt_state, out_of_final]


TRIALS = [
    pytest.param(name, plant, id=f"{name}-{plant.__name__}")
    for name in NAMES
    for plant in FAULTS
    if not (plant is out_of_final and name in ENDLESS)
]


@pytest.mark.parametrize(("name", "plant"), TRIALS)
def test_a_planted_fault(
    compiled: Callable[[str], Compiled], name: str, plant: Callable[[Machine], Fault]
) -> None:
    (machine,) = compiled(name).lifecycle.machines
    fault = plant(machine)
    lines = path_of(name).read_text(encoding="utf-8").splitlines()
    place = lines.index(fault.after) + 1
    lines[place:place] = fault.lines
    if plant is unreachable_state:
        start = lines.index("    transitions:") + 1
        lines.insert(start, row("stranded", machine.events[0].name, machine.initial))
    with pytest.raises(DefinitionError) as refused:
        compile_definition("\n".join(lines).encode(), f"{name}.yaml")
    (found,) = refused.value.findings
    assert found.code == fault.code
    if fault.at == 0:
        assert found.place.line == place + 1
    else:  # the row that comes second is the one too many
        assert found.place.line > place + 1
        assert f"line {place + 1}" in found.hint


def test_only_two_lifecycles_have_no_end(compiled: Callable[[str], Compiled]) -> None:
    """So that no more than those are left out above."""
    endless = {name for name in NAMES if not compiled(name).lifecycle.machines[0].final}
    assert endless == ENDLESS
