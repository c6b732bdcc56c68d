"""Rows of a compiled machine as transitions of `transitions`; imported only if that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transitions

from milepost.bridges.carrier import Carrier
from milepost.machine import TransitionRefused

if TYPE_CHECKING:
    from collections.abc import Callable

    from transitions import EventData

    from milepost.machine import Machine, Payload, Transition, Values

__all__ = ["Bridged"]


class _Trigger(transitions.Event):
    """An event that lets the compiled machine decide before anything moves."""

    # Any: what the caller gives is a payload, which the compiled machine checks.
    def trigger(self, model: object, *given: Any, **fields: Any) -> bool:
        """Take the event on `model`; what it gives and raises is told by `to_transitions`."""
        machine = self.machine
        assert isinstance(machine, Bridged), "it makes its events itself"
        event = self.name.removeprefix(machine.prefix)
        payload = machine.compiled.payload(event, _given(given, fields))
        state = machine.get_model_state(model).name
        try:
            machine.compiled.step(state, event, _carrier(model).context, payload)
        except TransitionRefused as refused:
            if not machine.raises:
                return False
            raise transitions.MachineError(str(refused)) from refused
        return bool(super().trigger(model, payload))


class Bridged(transitions.Machine):
    """A machine of `transitions` that has the rows of `compiled`, without any model yet."""

    event_cls = _Trigger

    def __init__(self, compiled: Machine, *, prefix: str, raises: bool) -> None:
        self.compiled = compiled
        self.prefix = prefix
        self.raises = raises
        super().__init__(
            model=None,
            states=[{"name": state, "final": state in compiled.final} for state in compiled.states],
            initial=compiled.initial,
            auto_transitions=False,
            send_event=True,
            name=compiled.name,
        )
        for row in compiled.transitions:
            self.add_transition(
                trigger=f"{prefix}{row.event}",
                source=row.source,
                dest=None if row.ignored else row.target,
                conditions=_allows(compiled, row),
                before=_takes(row),
            )


def _given(given: tuple[Any, ...], fields: dict[str, Any]) -> Values | Payload | None:
    """What a trigger was called with, as a payload that is still to be checked."""
    if not given:
        return fields
    if len(given) != 1 or fields:
        raise TypeError("give a payload as keyword arguments or as one mapping, not as both")
    payload: Values | Payload | None = given[0]
    return payload


def _allows(compiled: Machine, row: Transition) -> Callable[[EventData], bool]:
    """Whether the compiled function of the row's pair picks this row."""
    decide = compiled.rows[row.source][row.event]

    def allows(data: EventData) -> bool:
        payload: Values = {}
        if row.uses_payload:
            payload = compiled.payload(row.event, _given(tuple(data.args), data.kwargs))
        return decide(_carrier(data.model).context, payload) is row

    return allows


def _takes(row: Transition) -> Callable[[EventData], None]:
    """Puts on the model what the step did; the payload has been checked by then."""

    def takes(data: EventData) -> None:
        model = _carrier(data.model)
        payload: Values = next(iter(data.args))
        if row.assign is not None:
            model.context = row.assign(model.context, payload)
        model.transition, model.members = row.id, row.members

    return takes


def _carrier(model: object) -> Carrier:
    if isinstance(model, Carrier):
        return model
    raise TypeError(f"a model must be a Carrier, or of a class derived from it, not {model!r}")
