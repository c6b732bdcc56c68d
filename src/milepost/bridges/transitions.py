"""A compiled machine as a machine of the package `transitions`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import arguments
from milepost.bridges.carrier import Carrier
from milepost.bridges.problems import NameTaken, PackageMissing
from milepost.machine import Machine

if TYPE_CHECKING:
    import transitions

__all__ = ["to_transitions"]


def to_transitions(
    machine: Machine, model: Carrier | None = None, *, prefix: str = "", raises: bool = True
) -> transitions.Machine:
    """A `transitions.Machine` with a transition for each row of `machine`, moving `model`.

    An event becomes a trigger. The trigger takes the payload as keyword arguments, or as one
    mapping or generated payload object (a field named `model` cannot be a keyword). The payload is
    checked, and defaults are filled in, as `machine.payload` does.

    *What agrees with `machine.step`.* For each state, event, context and payload the same row is
    taken: guards are the compiled functions themselves. The row's assignments are made before
    the state changes, so `on_enter` callbacks see the context after it. History is kept, as it is
    part of the context. An ignored event runs callbacks, but neither leaves nor enters a state.

    *Refusals.* An event that has no row, whose guards say no, or that would break an invariant that
    is enforced, raises `transitions.MachineError`
    from the TransitionRefused that explains it; with `raises=False` the trigger returns False in
    both cases. A payload that does not fit raises PayloadInvalid either way. `may_EVENT()` never
    raises for a refusal; it needs the payload only where what the event does depends on it.

    *What is not expressed.* Members are not moved and their counts not kept: the model's `members`
    says which events they take, and its context holds the counts that the caller puts there. Which
    events of members the owner accepts, parameters' `where` and groups are left out. The machine
    keeps nothing durable.

    Args:
        machine: The compiled machine.
        model: The object that is moved. Without one, add some by `add_model`.
        prefix: What the name of each trigger begins with, before the name of its event.
        raises: Raise for a refusal; otherwise the trigger returns False.

    Raises:
        PackageMissing: `transitions` is not installed.
        NameTaken: A trigger would be called like another attribute of the model.
    """
    arguments.instance("machine", machine, Machine)
    prefix = arguments.text("prefix", prefix)
    arguments.flag("raises", raises)
    try:
        from milepost.bridges.rows import Bridged  # noqa: PLC0415 the package is optional
    except ImportError as problem:
        if problem.name != "transitions":
            raise
        raise PackageMissing(package="transitions") from problem
    _check_names(machine, prefix)
    bridged = Bridged(machine, prefix=prefix, raises=raises)
    if model is not None:
        bridged.add_model(model)
    return bridged


def _check_names(machine: Machine, prefix: str) -> None:
    """Raise NameTaken where a trigger meets what every model has, or is given by `transitions`."""
    taken = {*dir(Carrier({})), "state", "trigger"}
    taken |= {f"is_{state}" for state in machine.states}
    taken |= {f"may_{prefix}{event}" for event in machine.events}
    for event in machine.events:
        if f"{prefix}{event}" in taken:
            raise NameTaken(machine=machine.name, event=event, trigger=f"{prefix}{event}")
