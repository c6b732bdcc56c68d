"""Durable steps of setup and reduce: what a step gave is recorded, and a resumed phase gets that.

A step's output is one of the job's variables, under the name of its phase: `reduce/merge`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias, cast

from milepost.errors import ValueInvalid
from milepost.job.state import JobState

__all__ = ["ReduceFn", "SetupFn", "Steps", "call_reduce", "call_setup"]

_PHASES: Final = ("setup", "reduce")


class Steps:
    """The second argument of `setup_fn` and `reduce_fn`, if they take one: steps to record.

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


_Results: TypeAlias = Iterator[tuple[str, Any]]  # Any: JSON
ReduceFn: TypeAlias = Callable[[_Results], object] | Callable[[_Results, Steps], object]
_Variables: TypeAlias = Mapping[str, object] | None
SetupFn: TypeAlias = Callable[[JobState], _Variables] | Callable[[JobState, Steps], _Variables]


def call_reduce(reduce_fn: ReduceFn, results: _Results, steps: Steps) -> object:
    """What `reduce_fn` gives, called with the steps if it takes them."""
    if _takes_two(reduce_fn):
        return cast("Callable[[_Results, Steps], object]", reduce_fn)(results, steps)
    return cast("Callable[[_Results], object]", reduce_fn)(results)


def call_setup(setup_fn: SetupFn, state: JobState, steps: Steps) -> dict[str, object]:
    """The variables that `setup_fn` gives, called with the steps if it takes them.

    Raises ValueInvalid for a name that is kept for the outputs of steps.
    """
    if _takes_two(setup_fn):
        given = cast("Callable[[JobState, Steps], _Variables]", setup_fn)(state, steps)
    else:
        given = cast("Callable[[JobState], _Variables]", setup_fn)(state)
    variables = dict(given or {})
    for name in variables:
        if isinstance(name, str) and name.partition("/")[0] in _PHASES and "/" in name:
            problem = "is kept for the outputs of steps: choose another name"
            raise ValueInvalid(what="the variables", path=repr(name), problem=problem)
    return variables


def _takes_two(function: Callable[..., object]) -> bool:
    """True if `function` has a second positional parameter that must be given."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some builtins have none
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) > 1 and positional[1].default is inspect.Parameter.empty
