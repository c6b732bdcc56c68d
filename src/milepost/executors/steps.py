"""Durable steps of a phase: what a step gave is recorded, and a phase that is resumed gets that.

A step's output is one of the job's variables, under the name of its phase: `reduce/merge`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from milepost.errors import ValueInvalid

__all__ = ["Steps", "takes_steps"]


class Steps:
    """The second argument of the function of a phase, if it takes one: steps to record.

    `perform` makes a step durable, or gives what it gave before; it is the run's.
    """

    def __init__(self, phase: str, perform: Callable[[str, Callable[[], object]], Any]) -> None:
        self._phase = phase
        self._perform = perform

    def step(self, name: str, call: Callable[[], object]) -> Any:  # Any: JSON
        """The output of `call`, as JSON gives it back; called once, and never again once recorded.

        The output is durable when this returns. A later run of the phase gets it without a call. A
        step that a crash cut short is called again. The output is a variable of the job, so it is
        part of every checkpoint: keep it small, and store large outputs elsewhere. A recovery that
        begins the phase again undoes it.

        Args:
            name: The name of the step, the same for the same work.
            call: Gives a JSON value; what it raises is raised.

        Raises:
            ValueInvalid: The output is not JSON, or the name is empty.
        """
        if not name:
            raise ValueInvalid(what=f"a step of {self._phase}", path="its name", problem="is empty")
        return self._perform(f"{self._phase}/{name}", call)


def takes_steps(function: Callable[..., object]) -> bool:
    """True if `function` has a second positional parameter that must be given."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and positional[1].default is inspect.Parameter.empty
