"""The public API: several calls with any values; refused ones leave the store as it was."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from hypothesis import strategies as st

from milepost import MilepostError, StateManager
from tests.fuzz.target import Answer, Target
from tests.integration.door import WRONG, Trial, methods_of
from tests.integration.test_door import TARGETS, right_value

__all__ = ["CALLS"]

_NAMES: Final = sorted(name for name in methods_of(StateManager) if name in TARGETS)


def _call(name: str) -> st.SearchStrategy[list[Any]]:
    parameters = TARGETS[name].parameters
    if not parameters:
        return st.just([name, {}])
    chosen = st.dictionaries(
        st.sampled_from(parameters), st.sampled_from(sorted(WRONG)), max_size=2
    )
    return chosen.map(lambda wrong: [name, wrong])


_cases = st.lists(st.sampled_from(_NAMES).flatmap(_call), min_size=1, max_size=4)


def _standing(manager: StateManager) -> Any:
    """What a refused call may not change: all but the count of refused writes, and reads."""
    states = [manager.get_state(job_id) for job_id in manager.job_ids()]
    return [
        (s.id, s.phase, s.tally, s.fence, s.owner, dict(s.variables), s.fingerprint) for s in states
    ]


@contextlib.contextmanager
def _quiet_folder() -> Iterator[Path]:
    before = Path.cwd()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)
            logging.disable(logging.NOTSET)


def _answer(case: Any) -> Answer:
    reached: set[str] = set()
    told: list[str] = []
    with _quiet_folder() as folder:
        trial = Trial(folder)
        try:
            for name, wrong in case:
                target = TARGETS[name]
                manager = trial.fresh()
                given = {
                    each: WRONG[wrong[each]]()
                    if each in wrong
                    else right_value(target, each, manager)
                    for each in target.parameters
                }
                before, raised = _standing(manager), _Noted(target.call)
                noted = type(target)(target.name, target.parameters, raised, target.right)
                assert (problem := trial.problem(noted, given)) is None, f"{name}: {problem}"
                if isinstance(raised.error, MilepostError):
                    assert _standing(trial.fresh()) == before, f"{name} was refused, and did it"
                    told.append(type(raised.error).__name__)
                    reached.add(f"{name} {told[-1]}")
                else:
                    told.append("done")
                    reached.add(f"{name} done")
        finally:
            trial.end()
    return Answer(" ".join(told), frozenset(reached))


class _Noted:
    """A call whose error is kept, and passed on."""

    def __init__(self, call: Any) -> None:
        self.call, self.error = call, None

    def __call__(self, manager: StateManager, given: dict[str, Any]) -> object:
        try:
            return self.call(manager, given)
        except Exception as error:
            self.error = error
            raise


CALLS: Final = Target(name="calls", cases=_cases, answer=_answer, examples=15)
