"""The machines that bridges are tried on, and every small context and payload of theirs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from milepost.lifecycles import mapreduce
from milepost.machine import Lifecycle, Machine

ROOT = Path(__file__).parents[3]


def _golden() -> ModuleType:
    path = ROOT / "tests" / "golden" / "rich_example.py"
    spec = importlib.util.spec_from_file_location("golden_rich_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


RICH: Lifecycle = _golden().LIFECYCLE
SOURCES = {
    "mapreduce": ROOT / "statemachine.yaml",
    "rich_example": ROOT / "tests" / "golden" / "rich_example.yaml",
}
MACHINES: dict[str, Machine] = {
    f"{lifecycle.name}.{machine.name}": machine
    for lifecycle in (mapreduce.LIFECYCLE, RICH)
    for machine in lifecycle.machines.values()
}
PARAMS: dict[str, dict[str, Any]] = {"batch": {"limit": 4}}
INTEGERS = {"weight": (1, 7), "limit": (1, 9), "count": (0, 5), "max_attempts": (1, 2, 3)}


def initial(machine: Machine) -> dict[str, Any]:
    """The context that a new machine begins with."""
    return dict(machine.context(**PARAMS.get(machine.name, {})))


def contexts(machine: Machine) -> Iterator[dict[str, Any]]:
    """Every context over small values of all that guards read; the rest as it begins."""
    base = initial(machine)
    read = {name for row in machine.transitions for name in row.reads}
    choices = {name: _choices(machine, name, base[name]) for name in base if name in read}
    for values in product(*choices.values()):
        yield base | dict(zip(choices, values, strict=True))


def _choices(machine: Machine, name: str, value: object) -> tuple[Any, ...]:
    variable = next((one for one in machine.variables if one.name == name), None)
    if variable is not None and variable.members:
        return variable.members
    if isinstance(value, bool):
        return (False, True)
    if name.startswith("history."):
        return machine.groups[name.removeprefix("history.")]
    return INTEGERS.get(name, (0, 1))


def payloads(machine: Machine, event: str) -> Iterator[dict[str, Any]]:
    """Whole payloads of an event: each value of the fields that guards may read."""
    opaque = {"json": {"a": 1}, "str": "", "bytes": b"", "timestamp": 0}
    small: dict[str, tuple[Any, ...]] = {"bool": (False, True), "int": (0, 2)}
    choices = {
        field.name: field.members or small.get(field.type) or (opaque[field.type],)
        for field in machine.event_specs[event].fields
    }
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))
