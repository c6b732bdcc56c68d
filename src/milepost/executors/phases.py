"""The functions of phases: what they are called with, and what becomes of what they give."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, TypeAlias

from milepost.errors import ValueInvalid
from milepost.executors.steps import Steps, takes_steps
from milepost.executors.vocabulary import PhaseFn, PhaseWords
from milepost.job.state import JobState
from milepost.text.wording import shown
from milepost.worker.attempts import Terms, checked
from milepost.worker.values import plain_value

__all__ = ["ReduceFn", "SetupFn", "call_phase", "payload_of"]

_log: Final = logging.getLogger("milepost.executors")

_Results: TypeAlias = Iterator[tuple[str, Any]]  # Any: JSON
ReduceFn: TypeAlias = Callable[[_Results], object] | Callable[[_Results, Steps], object]
_Variables: TypeAlias = Mapping[str, object] | None
SetupFn: TypeAlias = Callable[[JobState], _Variables] | Callable[[JobState, Steps], _Variables]


def call_phase(function: PhaseFn, given: object, steps: Steps) -> object:
    """The output of the function of a phase for `given`, called with the steps if it takes them."""
    return function(given, steps) if takes_steps(function) else function(given)


def payload_of(
    output: object, phase: PhaseWords, state: JobState, phases: Collection[str], terms: Terms
) -> dict[str, Any] | None:
    """The payload of the event that ends the phase, of what the function for it gave.

    `phases` are those of the job, by whose names the outputs of steps are kept. Raises ValueInvalid
    for what is no JSON within `terms`, PayloadInvalid for what is no payload of the event.
    """
    what = f"the result of {phase.state}"
    match phase.output:
        case "result":
            return {phase.field: checked(output, what, terms, typed=phase.typed).value}
        case "variables":
            variables = _variables_of(output, phases, terms)
            return {phase.field: checked(variables, "the variables", terms, typed=False).value}
        case "payload":
            wanted = f"a mapping of the fields of {phase.ends_by!r} to values"
            given = _named(output, what, wanted, terms)
            payload = dict(state.machine.payload(phase.ends_by, given))
            for part in state.machine.event_specs[phase.ends_by].fields:
                if part.type == "json" and part.name in payload:
                    value = payload[part.name]
                    payload[part.name] = checked(value, what, terms, typed=False).value
            return payload
        case "nothing":
            if output is not None:
                _log.warning(
                    "job %s: what the function of phase %s gave is not kept: %s has no field",
                    *(state.id, phase.state, phase.ends_by),
                )
            return None


def _variables_of(given: object, phases: Collection[str], terms: Terms) -> dict[str, object]:
    """The variables that a function gave; None is none of them.

    Raises ValueInvalid for a name that is kept for the outputs of steps.
    """
    named = _named(given, "the variables", "a mapping of names to values", terms)
    variables = dict(named or {})
    for name in variables:
        if isinstance(name, str) and "/" in name and name.partition("/")[0] in phases:
            problem = "is kept for the outputs of steps: choose another name"
            raise ValueInvalid(what="the variables", path=repr(name), problem=problem)
    return variables


def _named(given: object, what: str, wanted: str, terms: Terms) -> Mapping[str, Any] | None:
    """What a function gave, where that is a mapping, or an object that JSON has as one, or None."""
    plain = given
    if given is not None and not isinstance(given, Mapping):
        plain, _ = plain_value(given, what, terms.encode)
    if plain is not None and not isinstance(plain, Mapping):
        problem = f"is {shown(given)}, and {wanted} is wanted"
        raise ValueInvalid(what=what, path="the whole", problem=problem)
    return plain
